# Queries over TCP: each behind its length, as many at once as a client likes.
from libc.stdint cimport uint8_t
from haystack._fast.dns.asker cimport Asker
from haystack._fast.dns.pending cimport Waiter
from haystack._fast.dns.server cimport DnsServer
from haystack._fast.net.poller cimport LentSocket
from haystack._fast.net.transport cimport Connection
from haystack._fast.util.buffer cimport Buffer

cdef class TcpListener(LentSocket):
    cdef DnsServer server

    cdef int accept(self) except -1
    cdef int admit(self, int fd, void *peer) except -1

cdef class DnsConnection(Connection):
    cdef DnsServer server
    cdef Asker asker
    cdef bytes client       # what its share is counted by
    cdef Buffer incoming    # the beginning of a query
    cdef int waiting        # queries that are not answered yet

    cdef bint takes_more(self) noexcept
    cdef int end_if_over(self) except -1
    cdef int read(self) except -1
    cdef int answer_all(self) except -1
    cdef int answer(self, const uint8_t *query, int size) except -1
    cdef int send(self, uint8_t *work, int size) except -1

cdef class TcpWaiter(Waiter):
    cdef DnsConnection connection
