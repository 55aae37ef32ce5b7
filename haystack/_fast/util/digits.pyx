"""Numbers as text, in the forms that HTTP/1 has for them."""
from libc.stdint cimport uint64_t

from haystack._fast.util.buffer cimport Buffer, add

cdef const char *HEX = b"0123456789abcdef"


cdef int decimal(Buffer *out, unsigned long long n) except -1:
    cdef char digits[24]
    cdef int at = 24
    while True:
        at -= 1
        digits[at] = c'0' + <char>(n % 10)
        n = n // 10
        if n == 0:
            break
    return add(out, digits + at, 24 - at)


cdef int write_chunk_size(Buffer *out, size_t size) except -1:
    cdef char line[20]
    cdef int at = 18
    line[18] = c'\r'
    line[19] = c'\n'
    while True:
        at -= 1
        line[at] = HEX[size & 15]
        size >>= 4
        if size == 0:
            break
    return add(out, line + at, 20 - at)


cdef void write_hex(char *out, uint64_t n) noexcept nogil:
    """Sixteen lower-case digits."""
    cdef int i
    for i in range(16):
        out[i] = HEX[(n >> (60 - 4 * i)) & 15]
