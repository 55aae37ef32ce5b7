# One request and its response, as the endpoint's side sees it. The client's side (downstream) fills it in.
from libc.stdint cimport int64_t
from haystack._fast.endpoint.endpoint cimport Member, Route
from haystack._fast.exchange.retry cimport RetryState
from haystack._fast.exchange.worker_state cimport Plane
from haystack._fast.http1.body cimport Body
from haystack._fast.http1.head cimport Head
from haystack._fast.net.poller cimport Stream
from haystack._fast.util.buffer cimport Buffer

cdef enum State:
    IDLE = 0            # no request yet, or part of its head
    GATHERING           # a small body is read whole before an endpoint is asked
    QUEUED              # every endpoint has as many exchanges as it may have
    WAITING             # a connection to an endpoint is being made
    EXCHANGING          # the request goes up, the response comes down
    TUNNEL              # the endpoint has switched protocols: raw bytes both ways
    CLOSING             # the last bytes go out, then the end
    LINGERING           # all is said; what the client still sends is read and dropped

cdef struct Note:           # at the front of an exchange's note: how long the texts behind it are
    int method
    int host
    int target
    int identity
    int referrer
    int agent

cdef class Exchange(Stream):
    cdef Plane plane
    cdef int listener
    cdef char address[48]       # the client's
    cdef int address_size
    cdef int rights             # of the client whose request it is (networks.Right)
    cdef State state
    cdef Buffer input           # read and not used yet: part of a head, early body, pipelined requests
    # of the request
    cdef Route route
    cdef Member member
    cdef Member named           # by the request's sticky cookie; None: by none
    cdef Member accused         # failed at this request, which was then sent to another endpoint; None: none has
    cdef Body body
    cdef int minor
    cdef bint head_only, upgrade, keep_alive
    cdef bint expects           # the client sends its body once the endpoint has said 100 (RFC 9110, section 10.1.1)
    # of its way
    cdef bint answered          # a byte of the response went down
    cdef bint reused
    cdef RetryState retries
    cdef bint bare              # to this client only the end of the connection ends the body
    cdef int ahead              # bytes of the response's head that went down already, to see whether the client is there (half_closed.pyx)
    cdef int status
    cdef const char *error
    cdef bytes detail           # the same in words; None: there is none
    cdef int64_t received, sent
    cdef int64_t t_start, t_routed, t_connected, t_first
    cdef int64_t stalled        # milliseconds for which bytes have waited for the client, and
    cdef int64_t taken          # bytes that it had taken, when its rate was judged last
    cdef Buffer note            # what the log or a trace will tell of the request and of who was tried; empty: nothing will

    cdef int connected(self) except -1
    cdef bint is_expectant(self) noexcept
    cdef int informed(self, int status) except -1
    cdef int pump(self) except -1
    cdef int lost(self, bint unseen, const char *error, int status) except -1
    cdef int fail(self, int status, const char *error, bytes detail) except -1
    cdef bint asked_for(self, Head *h) except -1
    cdef int switched(self) except -1
    cdef int completed(self, bint reusable) except -1
    cdef int cut(self) except -1
    cdef int abort(self) except -1
    cdef int skip_ahead(self) noexcept
    cdef int rescue(self) except -1
    cdef bint forsake(self) except -1
    cdef bint retry(self, int status) except -1
    cdef int acquit_or_confirm(self, bint fails_here_too) except -1
    cdef int begin_record(self, Head *h, const char *identity) except -1
    cdef int record_try(self, Member member) except -1
    cdef int record(self) except -1
    cdef int add_line(self, int64_t at_us, int64_t total_ns) except -1
    cdef int add_trace(self, int64_t at_us, int64_t total_ns) except -1

cdef bint is_idempotent(const char *method, int size) noexcept
