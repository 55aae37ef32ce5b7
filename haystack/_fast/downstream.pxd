# A client's connection, and the exchange it is in.
from libc.stdint cimport int64_t, uint64_t
from haystack._fast.buffer cimport Buffer
from haystack._fast.head cimport Head
from haystack._fast.seek cimport Seeker

cdef class Downstream(Seeker):
    cdef bint trusted
    cdef uint64_t origin        # what stands for its address where connections of one are limited; 0: not counted
    cdef bint in_head, unparsed  # part of a head is in input; input was not looked at yet
    cdef bint chunked, drop_trailer
    cdef int64_t judged         # bytes of the body that had come when its rate was last judged
    cdef Buffer trailer

    cdef int proceed(self) except -1
    cdef int drained(self) except -1
    cdef int read_head(self) except -1
    cdef int within_limits(self, Head *h, int used, const char *data, size_t size) noexcept
    cdef int refuse_head(self, int status) except -1
    cdef int begin_exchange(self, Head *h) except -1
    cdef int reset(self, Head *h) except -1
    cdef int begin_headless(self) except -1
    cdef int refuse(self, Head *h, int status, bytes detail) except -1
    cdef int find_route(self, Head *h, bint *absolute) except -1
    cdef int gather(self) except -1
    cdef int await_body(self) except -1
    cdef int64_t slice(self) noexcept
    cdef int check_rate(self) except -1
    cdef int spliced(self, Py_ssize_t n) except -1
    cdef Py_ssize_t relay(self, const char *data, size_t size) except -2
    cdef Py_ssize_t bad_chunks(self) except -2
    cdef int finish(self) except -1
    cdef int tunnelled(self) except -1
    cdef int drop_input(self) except -1
    cdef int end(self) except -1
