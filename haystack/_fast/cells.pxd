# What outlives a snapshot: an endpoint's load and pool, a member's counters; and the routes that point at them.
from libc.stdint cimport int64_t, uint64_t

cdef class Cell:
    cdef readonly str key               # CONTAINER-SHORT-ID:PORT/tcp
    cdef readonly str label             # IP:PORT, as shown
    cdef readonly object address        # (ip, port), or a unix socket's path
    cdef char sockaddr[128]
    cdef int sockaddr_size
    cdef int family
    cdef readonly int in_flight
    cdef readonly int64_t failures
    cdef list idle                      # pooled upstream connections, most recently used last
    cdef public bint gone               # left the table: drains, pools nothing

    cdef int set_unix(self, bytes path) except -1
    cdef int set_inet(self, str ip, int port) except -1

cdef class Member:
    cdef readonly Cell cell
    cdef readonly str service
    cdef readonly int port              # the listener's
    cdef readonly int64_t requests
    cdef readonly int64_t reported
    cdef int64_t used                   # when it was picked last, in picks of this worker
    cdef int weight                     # 0 to 100, the heaviest of its route having 100

cdef class Route:
    cdef readonly str service
    cdef readonly list members
    cdef readonly int picker
    cdef readonly int64_t timeout_ms
