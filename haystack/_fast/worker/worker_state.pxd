# What all exchanges of one worker share: rules, limits, scratch memory and counters.
from libc.stdint cimport int64_t, uint64_t
from haystack._fast.endpoint.endpoint cimport Member, Route
from haystack._fast.endpoint.fault_reports cimport FaultReports
from haystack._fast.http1.head cimport Head
from haystack._fast.log.access_line cimport Log
from haystack._fast.net.networks cimport Networks
from haystack._fast.net.poller cimport Poller, Socket
from haystack._fast.routing.router cimport Router
from haystack._fast.util.buffer cimport Buffer
from haystack._fast.util.linked_list cimport Ring

cdef enum:
    SCRATCH = 131072

cdef class Plane:
    cdef readonly Poller poller
    cdef readonly list ports            # of the listeners, by their index
    cdef Router router
    cdef int apart              # index of the listener that has the web side alone; -1: there is none
    cdef Route admin            # where it leads
    cdef char *scratch                  # what was just read; valid until the next read
    cdef Head *head                     # of the request that begins; NULL: none does
    cdef void *head_of                  # the exchange whose head that is
    cdef Buffer work                    # what is about to be sent; empty between events
    cdef readonly bint draining
    cdef public bint early              # nothing was ever listed: a name that is not known may well be somebody's
    cdef public Networks networks       # what a client's address is good for
    cdef bint tracing
    cdef str traced_service             # None: all of them
    cdef readonly list traces
    cdef int64_t traces_lost
    cdef FaultReports reports           # for the control process
    cdef list late                      # (member, route) where exchanges wait for an answer for long, for outliers.pyx
    cdef public Log log                 # a line of every exchange goes here; None: there is no access log
    cdef dict errors                    # (word, status) → exchanges that ended so, and were not reported yet
    cdef list busy                      # members with requests that were not reported yet
    cdef readonly int64_t exchanges
    cdef int64_t statuses[6]
    cdef readonly int64_t clients       # connections of clients that are open
    cdef readonly int64_t hidden        # connections that came from the gateway of an engine's network,
    cdef readonly int64_t outside       # and those from addresses that are none of the engines' networks
    cdef readonly str gateway           # the first one; None: there was none
    cdef readonly int64_t endpoints     # connections to endpoints that are open, pooled ones too
    cdef Ring resting                   # of these the pooled ones, by when they came to rest
    cdef Ring idle                      # clients without a request, by when they became so
    cdef Ring readers                   # clients that bytes wait for, by when they took some last
    cdef int64_t looked                 # milliseconds at which slow_readers.pyx looked at these last
    cdef dict origins                   # by client address, where that is limited
    cdef list spares                    # exchanges that have ended, for new requests
    cdef list paused                    # listeners that wait for a client to leave
    cdef list leaving                   # clients that send no more, for half_closed.pyx
    # limits; a time is in milliseconds, and 0 is off where that can be
    cdef public int64_t max_head            # bytes of a request's head
    cdef public int64_t max_headers         # fields of a request's head
    cdef public int64_t max_clients         # connections of clients
    cdef public int64_t max_per_client      # of one client address; -1: a share of what is free
    cdef public int64_t max_endpoints       # connections to endpoints, pooled ones too
    cdef public int64_t head_ms             # from the first byte of a request's head to its last
    cdef public int64_t idle_ms             # between requests, and for a client to take bytes
    cdef public int64_t body_rate           # bytes a second that a client must send at least
    cdef public int64_t read_rate           # bytes a second that a client must take at least, while some wait for it
    cdef public int64_t max_kept            # bytes of memory for what clients have not taken
    cdef public int64_t kept_body           # a body up to so many bytes is read whole before it is sent
    cdef public int64_t connect_ms          # to an endpoint
    cdef public int64_t tunnel_ms           # without a byte either way after 101
    cdef public int64_t pool_size           # idle connections to an endpoint
    cdef public int64_t pool_ms             # that one of them is kept
    cdef public int64_t pool_age_ms         # from its making, used or not
    cdef public int64_t queue_size          # requests that wait for an endpoint below its haystack.max_connections
    cdef public int64_t queue_ms            # that one of them waits

    cdef Route find(self, int listener, const char *host, int host_size, const char *path, int path_size)
    cdef bint has_room(self) noexcept
    cdef bint is_pressed(self) noexcept
    cdef bint welcomes(self, uint64_t origin) except -1
    cdef int enter(self, uint64_t origin) except -1
    cdef int leave(self, uint64_t origin) except -1
    cdef int pause(self, Socket listener) except -1
    cdef int count(self, Member member) except -1
    cdef int hesitates(self, Member member, Route route, int64_t begun) except -1
    cdef int erred(self, const char *word, int status) except -1
    cdef bint told(self, Route route) noexcept
    cdef bint traced(self, Route route) noexcept
