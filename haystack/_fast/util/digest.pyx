"""A hash of bytes without a secret: eight bytes a step by a 128-bit product, as wyhash has it. Never for secrets and never for dicts.

Clients may choose keys that collide: whoever uses it must bear that (the picker `hash` bounds the load of each endpoint).
"""
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from haystack._fast.util.random_numbers cimport mix

cdef extern from *:
    """
    static inline unsigned long long haystack_fold(unsigned long long a, unsigned long long b) {
        unsigned __int128 product = (unsigned __int128)a * b;
        return (unsigned long long)product ^ (unsigned long long)(product >> 64);
    }
    """
    uint64_t fold "haystack_fold" (uint64_t, uint64_t) noexcept nogil


cdef uint64_t digest(const char *data, size_t size, uint64_t seed) noexcept nogil:
    """64 well-mixed bits of so many bytes; seed: another digest, to go on from it."""
    cdef uint64_t h = seed ^ ((<uint64_t>size + 1) * <uint64_t>0x9E3779B97F4A7C15)
    cdef uint64_t word
    while size >= 8:
        memcpy(&word, data, 8)
        h = fold(word ^ <uint64_t>0xA0761D6478BD642F, h ^ <uint64_t>0xE7037ED1A0B428DB)
        data += 8
        size -= 8
    if size:
        word = 0
        memcpy(&word, data, size)
        h = fold(word ^ <uint64_t>0xA0761D6478BD642F, h ^ <uint64_t>0x8EBC6AF09C88C6E3)
    return mix(h)
