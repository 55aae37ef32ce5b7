# Traces of exchanges, kept while somebody subscribes to them.
from libc.stdint cimport int64_t
from haystack._fast.endpoint.endpoint cimport Route
from haystack._fast.worker.spans cimport Spans

cdef class Traces:
    cdef bint on
    cdef str service            # of which exchanges are recorded; None: of all
    cdef list rows
    cdef int64_t lost
    cdef readonly Spans spans

    cdef bint wants(self, Route route) noexcept
    cdef bint has_place(self) noexcept
