# A connection to one endpoint: in an exchange, or idle in its cell's pool.
from libc.stdint cimport int64_t
from haystack._fast.endpoint.endpoint cimport Cell
from haystack._fast.exchange.exchange cimport Exchange
from haystack._fast.exchange.worker_state cimport Plane
from haystack._fast.http1.body cimport Body
from haystack._fast.http1.flaw cimport Flaw
from haystack._fast.http1.head cimport Head
from haystack._fast.net.poller cimport Stream
from haystack._fast.util.buffer cimport Buffer

cdef enum Dial:
    REFUSED = 0
    UNDER_WAY
    SHORT               # we have no descriptor, port or memory for it: the endpoint was not asked

cdef class Upstream(Stream):
    cdef Plane plane
    cdef Cell cell
    cdef Exchange exchange  # None while pooled
    cdef bint connecting, reused, started, keep, chunk_out
    cdef bint held          # its 101 waits in input until the request's body has gone up whole
    cdef bint drop_trailer  # the response's Connection lists fields
    cdef int interim        # 1xx responses of this exchange
    cdef int64_t born       # milliseconds
    cdef int64_t taken      # bytes that it had acknowledged when that was looked at last
    cdef int64_t begun      # when this exchange's request went up
    cdef bint late          # it has waited for an answer for long
    cdef int64_t sent       # bytes of requests before this exchange's
    cdef int64_t head_at    # bytes given to the client before this response's head
    cdef int skipped        # bytes of this head that the client had before (half_closed.pyx)
    cdef int64_t missing    # bytes of the body that is waited for with all of this response in input; 0: none is held so
    cdef bint hurried       # no answer is held any more in this exchange
    cdef Buffer input       # part of a response's head, or a response that is held
    cdef Buffer trailer
    cdef Body body

    cdef Dial connect(self, int fd, int64_t patience) except? REFUSED
    cdef int begin(self, const char *data, size_t size) except -1
    cdef int detach(self, bint reusable) except -1
    cdef bint unseen(self, bint clean) noexcept
    cdef int read(self) except -1
    cdef int handle(self, const char *data, size_t size) except -1
    cdef bint holds(self, Head *h) noexcept
    cdef int hold(self, const char *data, size_t size, int64_t missing) except -1
    cdef int read_held(self) except -1
    cdef int let_through(self) except -1
    cdef int refuse(self, int used, Flaw flaw) except -1
    cdef int interim_response(self, Head *h) except -1
    cdef int switch(self, Head *h, const char *data, size_t size) except -1
    cdef int answers(self, int status) except -1
    cdef int hesitate(self) except -1
    cdef int begin_response(self, Head *h) except -1
    cdef int relay(self, const char *data, size_t size) except -1
    cdef int emit(self, const char *part, size_t size) except -1
    cdef int flush_work(self) except -1
    cdef int finish(self, bint reusable) except -1
    cdef int broken(self, Flaw flaw) except -1
    cdef int leave_pool(self) except -1
    cdef bint is_long(self) noexcept
    cdef int spliced(self, Py_ssize_t n) except -1
    cdef int tunnelled(self) except -1
    cdef int ended(self, bint clean) except -1
