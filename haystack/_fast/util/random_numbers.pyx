"""Random numbers: splitmix64, seeded by the system at the start of each process. Never for secrets."""
import os

from libc.stdint cimport uint64_t

cdef uint64_t state = int.from_bytes(os.urandom(8), "little")


cdef unsigned long long next_random() noexcept nogil:
    """The next 64 bits (Steele, Lea and Flood, 2014: splitmix64)."""
    global state
    state += <uint64_t>0x9E3779B97F4A7C15
    return mix(state)


def seed(number):
    """Begin the sequence that belongs to this number: tests that must repeat."""
    global state
    state = number
