# The clients of a worker: how many there are, who they are, and which of them wait.
from libc.stdint cimport int64_t, uint64_t
from haystack._fast.net.poller cimport Poller, Socket
from haystack._fast.util.linked_list cimport Ring
from haystack._fast.worker.callers cimport Callers
from haystack._fast.worker.limits cimport Limits

cdef class Clients:
    cdef Poller poller
    cdef Limits limits
    cdef readonly Callers callers       # which of them called which services
    cdef readonly int64_t count         # connections that are open
    cdef readonly int64_t hidden        # that came from the gateway of an engine's network,
    cdef readonly int64_t outside       # and from addresses that are none of the engines' networks
    cdef readonly str gateway           # the first one; None: there was none
    cdef Ring idle                      # clients without a request, by when they became so
    cdef Ring drowsy                    # connections of HTTP/2 that have come to rest, for resting.pyx
    cdef Ring readers                   # clients that bytes wait for, by when they took some last
    cdef Ring senders                   # connections that hold bytes of requests' bodies, by when some of them went on last
    cdef int64_t held                   # bytes of memory for these, which poller.kept has too
    cdef int64_t looked                 # milliseconds at which slow_readers.pyx looked at these last
    cdef dict origins                   # by client address, where that is limited
    cdef list paused                    # listeners that wait for a client to leave
    cdef list leaving                   # clients that send no more, for half_closed.pyx
    cdef list unintroduced              # (address, why) of those that were closed for want of a PROXY header, and were not told of yet

    cdef bint has_room(self) noexcept
    cdef bint welcomes(self, uint64_t origin) except -1
    cdef int enter(self, uint64_t origin) except -1
    cdef int leave(self, uint64_t origin) except -1
    cdef int pause(self, Socket listener) except -1
