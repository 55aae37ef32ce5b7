# What all exchanges of one worker share: rules, limits, scratch memory and counters.
from libc.stdint cimport int64_t
from haystack._fast.buffer cimport Buffer
from haystack._fast.cells cimport Member, Route
from haystack._fast.poller cimport Poller
from haystack._fast.route cimport Router

cdef enum:
    SCRATCH = 131072

cdef class Plane:
    cdef readonly Poller poller
    cdef readonly list ports            # of the listeners, by their index
    cdef Router router
    cdef char *scratch                  # what was just read; valid until the next read
    cdef Buffer work                    # what is about to be sent; empty between events
    cdef readonly bint draining
    cdef object trusts                  # (address) -> bool, or None: nobody is believed
    cdef bint tracing
    cdef str traced_service             # None: all of them
    cdef readonly list traces
    cdef list busy                      # members with requests that were not reported yet
    cdef readonly int64_t exchanges
    cdef int64_t statuses[6]
    cdef public int64_t connect_ms, head_ms, idle_ms, pool_ms, tunnel_ms
    cdef public int64_t body_rate           # bytes a second that a client must send at least; 0: any
    cdef public int64_t queue_ms, queue_size
    cdef public int64_t kept_body           # a body up to so many bytes is read whole before it is sent

    cdef Route find(self, int listener, const char *host, int host_size, const char *path, int path_size)
    cdef int count(self, Member member) except -1
    cdef bint traced(self, Route route) noexcept
