# Which clients called which services of late.
from libc.stdint cimport int64_t

cdef class Callers:
    cdef dict rows              # (client's address, service) → (milliseconds of its newest connection, connections), the newest last

    cdef int note(self, const char *address, int size, str service, int64_t now) except -1
