# Pickers that draw at random by weight: one member, or the better of two.
from libc.stdint cimport uint32_t, uint64_t
from haystack._fast.endpoint.endpoint cimport Endpoint, Member, Picker

cdef class Random(Picker):
    cdef uint32_t *keep                 # alias table: below this a slot stands for itself
    cdef int *other                     # and above it for this one; both NULL where all weights are the same

    cdef int fill(self) except -1
    cdef int draw(self) noexcept nogil
    cdef int draw_other(self, int first) noexcept nogil

cdef class P2C(Random):
    cdef bint prefers(self, int a, int b) noexcept
