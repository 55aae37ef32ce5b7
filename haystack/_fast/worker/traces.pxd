# Traces of exchanges, kept while somebody subscribes to them, and outcomes of those that went wrong, kept always.
from libc.stdint cimport int64_t
from haystack._fast.endpoint.endpoint cimport Route

cdef class Traces:
    cdef bint on
    cdef str service            # of which exchanges are recorded; None: of all
    cdef list rows
    cdef int64_t lost
    cdef list outcomes          # (row, why it was first sent to another endpoint: a word, or empty)
    cdef int64_t left           # outcomes that there was no room for
    cdef int64_t second         # of the poller's clock, to which these belong:
    cdef int64_t taken[2]       # outcomes, and those that clients cause

    cdef bint wants(self, Route route) noexcept
    cdef bint has_place(self) noexcept
    cdef bint takes_outcome(self, bint by_client, int64_t now) noexcept
