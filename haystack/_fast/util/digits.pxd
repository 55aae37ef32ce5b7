from libc.stdint cimport uint64_t
from haystack._fast.util.buffer cimport Buffer

cdef int decimal(Buffer *out, unsigned long long n) except -1
cdef int write_chunk_size(Buffer *out, size_t size) except -1
cdef void write_hex(char *out, uint64_t n) noexcept nogil
