# Datagrams in and out, many at a time.
from libc.stdint cimport uint8_t
from haystack._fast.dns.asker cimport Asker, sockaddr_storage
from haystack._fast.dns.batches cimport CONTROL, mmsghdr, msghdr
from haystack._fast.dns.pending cimport Waiter
from haystack._fast.dns.question cimport Question
from haystack._fast.dns.rate_limit cimport Limited
from haystack._fast.dns.server cimport DnsServer
from haystack._fast.net.poller cimport LentSocket

cdef class UdpSocket(LentSocket):
    cdef DnsServer server

    cdef int leave(self) except -1
    cdef int read(self) except -1
    cdef int answer_all(self, int count) except -1
    cdef int limited(self, Question *q, Asker *asker, uint8_t *answer, int size, Limited *verdict) noexcept
    cdef int wait_for(self, msghdr *head, Asker *asker) except -1
    cdef int send(self, mmsghdr *heads, int count) except -1

cdef int duplicate(int fd) except -1

cdef class UdpWaiter(Waiter):
    cdef UdpSocket socket
    cdef sockaddr_storage peer
    cdef uint8_t control[CONTROL]       # behind what has its alignment
    cdef size_t control_size
    cdef unsigned int peer_size
