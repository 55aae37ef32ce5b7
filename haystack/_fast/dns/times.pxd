# How long answers took.
from libc.stdint cimport int64_t, uint64_t

cdef enum:
    BUCKETS = 20

cdef class Times:
    cdef int64_t first                  # nanoseconds: the first bound, and each further one is twice that before
    cdef uint64_t counts[BUCKETS]       # the last one: of all that took longer
    cdef uint64_t sum                   # nanoseconds

    cdef void took(self, int64_t ns, int answers) noexcept
