# Bytes → 64 bits: the same in every worker, on every start.
from libc.stdint cimport uint64_t

cdef uint64_t digest(const char *data, size_t size, uint64_t seed) noexcept nogil
