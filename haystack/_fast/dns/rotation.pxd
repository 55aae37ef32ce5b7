# Whose turn it is: a counter for each name and type, which all workers share.
from libc.stdint cimport uint32_t

cdef enum:
    TURNS = 65536           # counters: two names with the same one take turns with each other

cdef class Rotation:
    cdef uint32_t *turns
    cdef object held        # the memory that they lie in

    cdef uint32_t next(self, uint32_t digest, int qtype) noexcept
