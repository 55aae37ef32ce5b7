"""Numbers as text, in the forms that HTTP/1 has for them, and IPv4 addresses."""
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from haystack._fast.util.buffer cimport Buffer, add, reserve

cdef extern from *:
    """
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif

    /* Sixteen lower-case digits, the highest first. */
    static inline void haystack_write_hex(char *out, uint64_t n)
    {
    #if defined(__SSE2__)
        const uint64_t swapped = __builtin_bswap64(n);
        const __m128i x = _mm_loadl_epi64((const __m128i *)&swapped), low = _mm_set1_epi8(15);
        const __m128i values = _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi64(x, 4), low), _mm_and_si128(x, low));
        const __m128i letters = _mm_and_si128(_mm_cmpgt_epi8(values, _mm_set1_epi8(9)), _mm_set1_epi8('a' - '0' - 10));
        _mm_storeu_si128((__m128i *)out, _mm_add_epi8(_mm_add_epi8(values, letters), _mm_set1_epi8('0')));
    #else
        for (int i = 15; i >= 0; i--, n >>= 4)
            out[i] = "0123456789abcdef"[n & 15];
    #endif
    }
    """
    void hex_digits "haystack_write_hex"(char *out, uint64_t n) noexcept nogil

cdef enum:
    MOST_DIGITS = 20        # that a number of 64 bits has

cdef const char *HEX = b"0123456789abcdef"


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
    hex_digits(out, n)


cdef int write_ip4(char *out, const unsigned char *ip) noexcept nogil:
    """An IPv4 address of four bytes as dotted decimal, with a NUL behind it: 16 bytes at most; how many without the NUL."""
    cdef char *at = out
    cdef int i
    for i in range(4):
        if i:
            at[0] = c'.'
            at += 1
        if ip[i] >= 100:
            at[0] = <char>(c'0' + ip[i] // 100)
            memcpy(at + 1, PAIRS + 2 * (ip[i] % 100), 2)
            at += 3
        elif ip[i] >= 10:
            memcpy(at, PAIRS + 2 * ip[i], 2)
            at += 2
        else:
            at[0] = <char>(c'0' + ip[i])
            at += 1
    at[0] = 0
    return <int>(at - out)
