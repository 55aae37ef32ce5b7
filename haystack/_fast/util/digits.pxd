from libc.stdint cimport uint64_t
from haystack._fast.util.buffer cimport Buffer

cdef extern from *:
    """
    #define HAYSTACK_PAIRS \\
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960" \\
        "616263646566676869707172737475767778798081828384858687888990919293949596979899"
    """
    const char *PAIRS "HAYSTACK_PAIRS"      # two digits for each number below 100

cdef int decimal(Buffer *out, unsigned long long n) except -1
cdef int write_chunk_size(Buffer *out, size_t size) except -1
cdef int write_ip4(char *out, const unsigned char *ip) noexcept nogil
cdef void write_hex(char *out, uint64_t n) noexcept nogil
