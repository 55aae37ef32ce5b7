# Traces of exchanges, kept while somebody subscribes to them.
from libc.stdint cimport int64_t
from haystack._fast.endpoint.endpoint cimport Route

cdef class Traces:
    cdef bint on
    cdef str service            # of which exchanges are recorded; None: of all
    cdef list rows
    cdef int64_t lost

    cdef bint wants(self, Route route) noexcept
    cdef bint has_place(self) noexcept
