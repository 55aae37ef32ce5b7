# Port 53 of a worker: its sockets, its clients over TCP, and what they share.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from haystack._fast.dns.asker cimport Asker
from haystack._fast.dns.pending cimport Pending, Waiter
from haystack._fast.dns.rate_limit cimport RateLimit
from haystack._fast.dns.responder cimport Responder
from haystack._fast.dns.batches cimport Batches
from haystack._fast.dns.times cimport Times
from haystack._fast.net.networks cimport Networks
from haystack._fast.net.poller cimport Poller
from haystack._fast.util.linked_list cimport Ring

cdef class DnsServer:
    cdef Poller poller
    cdef readonly Responder responder
    cdef readonly Pending pending
    cdef Batches batches
    cdef readonly RateLimit rate_limit
    cdef public Networks networks       # what an asker may, by its address
    cdef public Networks subnets        # the number of its network, in the same form
    cdef list sockets                   # those that listen
    cdef Ring clients                   # over TCP, the one without a query for longest first
    cdef dict shares                    # how many of them a client has
    cdef Py_ssize_t most                # of them at once
    cdef int64_t idle_ms                # that one may be without a query
    cdef bint leaving
    cdef uint8_t *work                  # an answer over TCP is written here, behind its length
    cdef readonly uint64_t unsent       # answers that a socket did not take
    cdef readonly Times at_once         # from the arrival of a batch here to its answers

    cdef int make_room(self) except -1
    cdef int wait_for(self, Waiter waiter) except -1
    cdef int renew(self, Asker *asker) except -1
