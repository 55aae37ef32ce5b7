# Where a request is to go, and how far.
from libc.stdint cimport int64_t
from haystack._fast.http1.head cimport Head

cdef struct Span:
    const char *data
    int size

cdef enum:
    NO_LIMIT = -1           # of forwards; less: it is no number

cdef int64_t forwards_left(Head *h) noexcept
cdef Span path_of(Head *h) noexcept
cdef bint asks_health(Head *h) noexcept
cdef int authority_end(Head *h) noexcept
