"""Numbers as text, in the forms that HTTP/1 has for them."""
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from haystack._fast.util.buffer cimport Buffer, add, reserve

cdef extern from *:
    """
    /* The sixteen digits of n, eight at a time: a nibble to each byte, then what makes a digit or a letter of it. */
    static inline uint64_t haystack_eight_digits(uint64_t n)
    {
        uint64_t letters;
        n = (n << 16 | n) & 0x0000ffff0000ffffULL;
        n = (n << 8 | n) & 0x00ff00ff00ff00ffULL;
        n = (n << 4 | n) & 0x0f0f0f0f0f0f0f0fULL;
        letters = (n + 0x0606060606060606ULL) >> 4 & 0x0101010101010101ULL;
        n += 0x3030303030303030ULL + letters * ('a' - '0' - 10);
    #if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        n = __builtin_bswap64(n);
    #endif
        return n;
    }
    """
    uint64_t eight_digits "haystack_eight_digits"(uint64_t n) noexcept nogil

cdef enum:
    MOST_DIGITS = 20        # that a number of 64 bits has

cdef const char *HEX = b"0123456789abcdef"
cdef const char *PAIRS = (
    b"00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566"
    b"676869707172737475767778798081828384858687888990919293949596979899")


cdef int decimal(Buffer *out, unsigned long long n) except -1:
    cdef unsigned long long rest = n
    cdef int size = 1
    cdef char *at
    while rest >= 100:
        rest //= 100
        size += 2
    size += rest >= 10
    reserve(out, MOST_DIGITS)
    at = out.data + out.end + size
    out.end += size
    while n >= 100:
        at -= 2
        memcpy(at, PAIRS + 2 * (n % 100), 2)
        n //= 100
    if n >= 10:
        memcpy(at - 2, PAIRS + 2 * n, 2)
    else:
        (at - 1)[0] = c'0' + <char>n
    return 0


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
    cdef uint64_t high = eight_digits(n >> 32), low = eight_digits(n & <uint64_t>0xFFFFFFFF)
    memcpy(out, &high, 8)
    memcpy(out + 8, &low, 8)
