# How long a service's endpoints say nothing while they are asked.
from libc.stdint cimport int64_t, uint32_t

cdef enum:
    GAPS = 40           # two to an octave: the last one begins at half a million milliseconds

cdef class Pace:
    cdef uint32_t counts[GAPS]
    cdef uint32_t total
    cdef int64_t halved         # poller's milliseconds

    cpdef int note(self, int64_t gap, int64_t now) except -1
    cpdef int64_t usual(self) noexcept
