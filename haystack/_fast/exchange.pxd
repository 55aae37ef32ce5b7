# One request and its response: the client's side, the endpoint's side, and what ties them together.
from libc.stdint cimport int64_t, uint32_t
from haystack._fast.body cimport Body
from haystack._fast.buffer cimport Buffer
from haystack._fast.cells cimport Cell, Member, Route
from haystack._fast.head cimport Head
from haystack._fast.plane cimport Plane
from haystack._fast.poller cimport Stream

cdef enum State:
    IDLE = 0            # no request yet, or part of its head
    WAITING             # a connection to an endpoint is being made
    EXCHANGING          # the request goes up, the response comes down
    CLOSING             # the last bytes go out, then the end
    LINGERING           # all is said; what the client still sends is read and dropped

cdef class Upstream

cdef class Downstream(Stream):
    cdef Plane plane
    cdef int listener
    cdef char address[48]
    cdef int address_size
    cdef bint trusted
    cdef State state
    cdef Buffer input       # read and not used yet: part of a head, early body, pipelined requests
    # the exchange
    cdef Route route
    cdef Member member
    cdef Upstream up
    cdef void *tried[8]     # members, kept alive by route
    cdef int tries
    cdef Buffer request     # the head as sent upstream, kept for another try
    cdef Body body
    cdef bint chunked, body_sent, answered, keep_alive, head_only, idempotent, fresh_only, reused, in_head, unparsed
    cdef int minor, status, failure
    cdef const char *error
    cdef int64_t received, sent
    cdef int64_t t_start, t_routed, t_connected, t_first
    cdef object told        # (method, host, target, request id, version) while traced, else None
    cdef list candidates

    cdef int proceed(self) except -1
    cdef int read_head(self) except -1
    cdef int begin_exchange(self, Head *h) except -1
    cdef int dispatch(self) except -1
    cdef int exhausted(self) except -1
    cdef Upstream pooled(self, Cell cell)
    cdef int send_request(self, Upstream up) except -1
    cdef int pump(self) except -1
    cdef Py_ssize_t relay(self, const char *data, size_t size) except -2
    cdef int detach(self, bint reusable) except -1
    cdef int lost(self, bint untouched, const char *error, int status) except -1
    cdef int fail(self, int status, const char *error, bytes detail) except -1
    cdef int finish(self) except -1
    cdef int record(self) except -1
    cdef int end(self) except -1
    cdef int abort(self) except -1

cdef class Upstream(Stream):
    cdef Plane plane
    cdef Cell cell
    cdef Downstream down    # None while pooled
    cdef bint connecting, reused, started, keep, chunk_out
    cdef Buffer input       # part of a response's head
    cdef Body body

    cdef int connect(self) except -1
    cdef int read(self) except -1
    cdef int handle(self, const char *data, size_t size) except -1
    cdef int begin_response(self, Head *h) except -1
    cdef int relay(self, const char *data, size_t size) except -1
    cdef int ended(self, bint clean) except -1
    cdef int failed(self, const char *error, int status) except -1
