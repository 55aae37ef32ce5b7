# A connection to one endpoint, in HTTP/1: in an exchange, or idle in its endpoint's pool.
from libc.stdint cimport int64_t, uint32_t
from haystack._fast.connection.client cimport ClientConnection
from haystack._fast.connection.leg cimport UpLeg
from haystack._fast.http1.body cimport Body, Framing
from haystack._fast.http1.flaw cimport Flaw
from haystack._fast.http1.head cimport Head
from haystack._fast.net.transport cimport Transport
from haystack._fast.util.buffer cimport Buffer

cdef class Http1Client(ClientConnection):
    cdef Http1ClientLeg leg

    cdef int on_connect_event(self, uint32_t events) except -1
    cdef int capacity(self) noexcept

cdef class Http1ClientLeg(UpLeg):
    cdef Http1Client connection
    # of the request
    cdef bint chunked
    cdef bint offers            # it asks for another protocol
    cdef bint late              # it has waited for an answer for long
    cdef int64_t before         # bytes of requests before this one's
    cdef int64_t taken          # bytes that the endpoint had acknowledged when that was looked at last
    # of the response
    cdef Body body
    cdef Buffer trailer
    cdef Buffer input           # part of its head, or a response that is held
    cdef bint started           # its head went on
    cdef bint keep              # the connection can carry another behind it
    cdef bint drop_trailer      # its Connection lists fields
    cdef bint held              # its 101 waits in input until the request's body has gone up whole
    cdef int64_t missing        # bytes of the body that is waited for with all of this response in input; 0: none is held so
    cdef bint lasting           # nothing of that has come for a while, and it is held on
    cdef bint hurried           # no answer is held any more in this exchange
    cdef bint tunnel            # raw bytes, both ways; none has come where nothing has started

    cdef bint unseen(self, bint clean) noexcept
    cdef int on_deadline(self) except -1
    cdef int hesitate(self) except -1
    cdef int read_first(self) except -1
    cdef bint has_to_wait(self, bint pressed) noexcept
    cdef int answered(self) noexcept
    cdef int handle(self, const char *data, size_t size) except -1
    cdef bint holds(self, Head *h) noexcept
    cdef int hold(self, const char *data, size_t size, int64_t missing) except -1
    cdef int overdue(self) except -1
    cdef int doubt(self) except -1
    cdef int read_held(self) except -1
    cdef int let_through(self) except -1
    cdef int refuse(self, int used, Flaw flaw) except -1
    cdef Framing framing_of(self, Head *h) noexcept
    cdef bint begin_response(self, Head *h) except -1
    cdef int relay(self, const char *data, size_t size) except -1
    cdef bint is_long(self) noexcept
    cdef int spliced(self, Py_ssize_t n) except -1
    cdef bint may_be_reused(self) noexcept
    cdef int ended(self, bint clean) except -1
