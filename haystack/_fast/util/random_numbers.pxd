# Random numbers for choices that nobody may foresee by accident; not for secrets.
from libc.stdint cimport uint64_t

cdef unsigned long long next_random() noexcept nogil

cdef inline uint64_t mix(uint64_t z) noexcept nogil:
    """splitmix64's finaliser: every bit of z moves every bit of the result, two multiplications."""
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)

cdef inline uint64_t below(uint64_t bound, uint64_t random) noexcept nogil:
    """`random` brought below bound (at most 2**32) by its upper half, without a division."""
    return ((random >> 32) * bound) >> 32
