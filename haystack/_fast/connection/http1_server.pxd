# A client's connection, in HTTP/1.
from libc.stdint cimport int64_t
from haystack._fast.connection.http1_leg cimport Http1Connection, Http1ServerLeg
from haystack._fast.http1.flaw cimport Flaw
from haystack._fast.http1.head cimport Head

cdef struct Silence:        # of a client that sends no more, for half_closed.pyx
    bint watched            # stands in the worker's list of them
    int64_t since           # since when nothing went down to it; 0: it is not waiting
    int64_t written         # what had been sent then
    int asked               # how often it was tried whether it is there, since then

cdef class Http1Server(Http1Connection):
    cdef Http1ServerLeg leg
    cdef bint in_head           # part of a head is in input
    cdef Silence silence

    cdef Http1Server handed_over(self)
    cdef bint begins_http2(self, const char *data, size_t size) noexcept
    cdef int proceed(self) except -1
    cdef int drained(self) except -1
    cdef int read_head(self) except -1
    cdef int within_limits(self, Head *h, int used, const char *data, size_t size) noexcept
    cdef int refuse_head(self, int status, Flaw flaw) except -1
    cdef int break_off(self) except -1
