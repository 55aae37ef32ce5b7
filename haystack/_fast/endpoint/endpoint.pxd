# What outlives a snapshot: an endpoint's load and pool, a member's counters; and the routes and pickers that point at them.
from libc.stdint cimport int64_t, uint32_t, uint64_t
from haystack._fast.endpoint.latency cimport Pace
from haystack._fast.endpoint.outlier cimport OutlierState, Phase, answers
from haystack._fast.endpoint.retry_budget cimport RetryBudget
from haystack._fast.endpoint.tally cimport QueueTally, Tally
from haystack._fast.net.poller cimport Pollable
from haystack._fast.net.tls_client cimport TlsTarget
from haystack._fast.net.transport cimport Connection
from haystack._fast.util.linked_list cimport Ring

cdef enum:
    MAX_TRIES = 8

cdef enum Protocol:         # in the order of model/records.py's SPOKEN
    HTTP1 = 0
    H2C
    H2
    HTTPS

cdef enum KeyKind:
    BY_NOTHING = 0
    BY_ADDRESS
    BY_PATH
    BY_HEADER
    BY_COOKIE

cdef struct Comparison:                 # of a member with the others: what these do since it began tells whether it is the endpoint
    double born                         # when the process started that this is about
    int64_t at                          # milliseconds
    int64_t own, own_faulty             # exchanges of the member before it began; its faults since
    int64_t ended, faulty               # of the service, its own included, before it began

cdef struct Watch:                      # one picker's eye on one endpoint's load: in the endpoint's list, in the picker's memory
    Watch *next
    Watch **back                        # what points at this one; NULL: in no list
    void *picker                        # a Picker, not owned: it leaves the list when it goes
    int slot

cdef struct Hearing:                    # ns of the pickers' clock; 0: never
    int64_t heard                       # when it answered last
    int64_t probed                      # when it was picked last to see how it does

cdef struct SocketAddress:              # as the kernel takes it
    char raw[128]
    int size, family

cdef struct Load:                       # of an endpoint, as the control process was last told
    bint noted                          # stands in the worker's list of those that it looks at with each report
    int in_flight, pooled

cdef struct Sharing:                    # of the connections of HTTP/2 to an endpoint
    Ring all                            # resting ones too; each leaves when it is closed
    Ring awaiting                       # requests that wait for one of these to have room (Http2ClientLeg)
    int streams                         # that the endpoint lets one of these carry at once, as it said last; 0: it has not yet
    uint32_t section                    # bytes of a field section that it takes, with 32 a field, as it said last; 0: it has not yet

cdef class Waiter(Pollable):            # what waits in a queue for an endpoint
    cdef bint roused                    # was taken out of it, and has not looked for one yet

    cdef int rouse(self) except -1

cdef class Queue:
    cdef uint64_t serial                # unlike any other queue's; never 0
    cdef Route route                    # the newest of its service and listener
    cdef object waiting                 # a deque of Waiters, oldest first; None: nobody has ever waited
    cdef public int64_t empty_since     # poller's milliseconds at which its route lost its last member
    cdef RetryBudget budget
    cdef readonly Pace pace
    cdef int64_t ended, faulty          # exchanges so far, but for refused connections; those that were faults (outlier.Fault)
    cdef QueueTally *tally              # of exchanges since the last report; NULL: there was none yet
    cdef bint noted                     # stands in the worker's list of those to tell of
    cdef int vain                       # samples in a row (outlier.pyx) that were not answered sooner elsewhere
    cdef Member suspect                 # gets the next request that may be repeated, to see whether it answers; None: nobody

    cdef int join(self, Waiter waiter, bint first) except -1
    cdef int leave(self, Waiter waiter) except -1
    cdef int wake(self) except -1

cdef class Endpoint:
    cdef readonly str key               # CONTAINER-SHORT-ID:PORT/tcp
    cdef readonly str label             # IP:PORT, as shown
    cdef readonly object address        # (ip, port), or a unix socket's path
    cdef SocketAddress sockaddr
    cdef readonly double born           # since when its process runs, Unix seconds
    cdef readonly int protocol          # a Protocol: how it is spoken to
    cdef readonly TlsTarget tls         # None: not within TLS
    cdef readonly int in_flight         # changed by take_on and let_go alone
    cdef OutlierState outlier
    cdef Ring idle                      # connections to it that rest in its pool; each leaves when it is closed
    cdef Sharing http2
    cdef Load load
    cdef Ring busy                      # exchanges in flight on it, by when they began there
    cdef readonly int limit             # exchanges in flight at once, in this worker; 0: any number
    cdef dict limits                    # who says so → what; None: nobody has
    cdef readonly list queues           # where exchanges wait for room on it; None: nowhere
    cdef readonly int introduces        # version of the PROXY header that its connections begin with; 0: there is none
    cdef public bint gone               # left the table: drains, pools nothing
    cdef readonly bint stopped          # because its container was told to stop: what it breaks off says nothing against a request
    cdef readonly int stops             # how often it was
    cdef Watch *watch
    cdef readonly double latency        # ns to the first byte, peak-sensitive average as it was at `heard`
    cdef Hearing hearing

    cdef bint is_full(self) noexcept
    cdef int call_back(self, Queue queue) except -1
    cdef int freed(self) except -1
    cdef int end_idle(self) except -1
    cdef int set_unix(self, bytes path) except -1
    cdef int set_inet(self, str ip, int port) except -1

cdef class Member:
    cdef readonly Endpoint endpoint
    cdef readonly str service
    cdef readonly int port              # the listener's
    cdef readonly int64_t requests
    cdef readonly int64_t reported
    cdef Tally *tally                   # of exchanges since the last report; NULL: there was none yet
    cdef bint noted                     # stands in the worker's list of those to tell of
    cdef int64_t broken                 # exchanges that ended without a whole answer, by the endpoint's fault or the request's
    cdef public int number              # by which the control process knows it, from 1; 0: it was never told
    cdef int64_t used                   # when it was picked last, in picks of this worker
    cdef uint64_t due                   # its next turn, in the virtual time of its picker
    cdef bint watched                   # stands in the worker's list of those that are late
    cdef bint listed                    # stands in the worker's list of those to tell of
    cdef Comparison comparison          # of this endpoint with the others of a service, since its own faults began or were told last
    cdef Queue compared                 # of that service; None: with nothing
    cdef bytes cookie                   # what names it in a sticky cookie, made when first asked for

    cdef bytes token(self)

cdef class Picker:
    cdef readonly list members          # as given
    cdef list weighted                  # those with weight: the same list where all have some
    cdef list spare                     # those without: only when nothing else is left
    cdef int size                       # of weighted
    cdef int *weights                   # of weighted
    cdef int heaviest
    cdef readonly bint timed            # wants to hear `answered`
    cdef Watch *watches

    cdef int watch(self) except -1
    cdef void unwatch(self) noexcept
    cdef Member pick(self, uint64_t key, void **tried, int tries)
    cdef Member choose(self, uint64_t key, void **tried, int tries)
    cdef Member untried(self, uint64_t start, void **tried, int tries)
    cdef void loaded(self, int slot, int load, int by) noexcept
    cdef void answered(self, Member member, int64_t ns) noexcept
    cdef void failed(self, Member member) noexcept

cdef enum Https:
    BOTH = 0
    REDIRECT            # who comes to the http listener is sent to the https one
    WITHOUT             # not within TLS
    PASSED              # the host's TLS is an endpoint's to end: who comes to the http listener is sent to the https one
    RAW                 # it leads bytes of TLS there, and never a request

cdef class Route:
    cdef readonly str service
    cdef readonly Picker picker
    cdef readonly list members          # the picker's
    cdef readonly int64_t timeout_ms
    cdef readonly Queue queue
    cdef readonly int64_t wait_ms       # that a request waits for an endpoint where there is none
    cdef KeyKind key_kind               # what of a request the picker's key is made of
    cdef bytes key_name                 # of the header, in lower case, or of the cookie
    cdef bytes sticky                   # the cookie's name; None: not sticky
    cdef bytes cookie_path              # what of the host's paths the cookie is for
    cdef public str why                 # where nobody is in: why the last one is out, as text; None or empty: that was not told
    cdef public double since            # and since when, Unix seconds; 0: at all times
    cdef public str mute                # no port of the service speaks HTTP: what its 404 says; None or empty: one does
    cdef int retried                    # statuses after which another endpoint is asked: bit 0 is 500
    cdef public bint own                # leads to Haystack itself
    cdef public int guard               # what a client needs to be led here (networks.Right); 0: nothing
    cdef Https https                    # what becomes of requests within TLS, and of those without
    cdef bytes hsts                     # Strict-Transport-Security, the whole line; empty: none
    cdef tuple upgrade                  # protocols beside websocket that an Upgrade may name, in lower case
    cdef bytes via                      # our line of Via; empty: there is none
    cdef dict tokens                    # what a sticky cookie may hold → Member

cdef void tell(Endpoint endpoint, int by) noexcept

cdef inline int speak(Endpoint endpoint, Pace pace, int64_t now, int64_t begun) except -1:
    """It begins to answer what was sent at `begun`. pace: of the service that was asked."""
    if endpoint.outlier.phase != Phase.SILENT:
        pace.note(now - max(endpoint.outlier.answered_at, begun), now)
    answers(&endpoint.outlier, now)
    return 0

cdef inline bint is_keyed(Route route) noexcept:
    """Whether requests go by a key or a cookie: then chance does not decide which endpoint gets which request."""
    return route.sticky is not None or route.key_kind != KeyKind.BY_NOTHING

cdef inline void take_on(Endpoint endpoint) noexcept:
    """One more exchange in flight on this endpoint."""
    endpoint.in_flight += 1
    if endpoint.watch != NULL:
        tell(endpoint, 1)

cdef inline void let_go(Endpoint endpoint) noexcept:
    """One exchange less."""
    endpoint.in_flight -= 1
    if endpoint.watch != NULL:
        tell(endpoint, -1)

cdef inline bint was_tried(void *member, void **tried, int tries) noexcept nogil:
    cdef int i
    for i in range(tries):
        if tried[i] == member:
            return True
    return False
