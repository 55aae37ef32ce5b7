# A request's body on its way from the client to an endpoint.
from libc.stdint cimport int64_t
from haystack._fast.exchange.dispatch cimport Dispatcher
from haystack._fast.http1.flaw cimport Flaw
from haystack._fast.util.buffer cimport Buffer

cdef class Upload(Dispatcher):
    cdef bint unparsed          # input was not looked at yet
    cdef bint chunked, drop_trailer
    cdef int64_t judged         # bytes of the body that had come when its rate was last judged
    cdef Buffer trailer

    cdef int gather(self) except -1
    cdef int await_body(self) except -1
    cdef int64_t slice(self) noexcept
    cdef int check_rate(self) except -1
    cdef int spliced(self, Py_ssize_t n) except -1
    cdef Py_ssize_t relay(self, const char *data, size_t size) except -2
    cdef Py_ssize_t bad_chunks(self, Flaw flaw) except -2
    cdef int let_switch(self) except -1
    cdef int tunnelled(self) except -1
