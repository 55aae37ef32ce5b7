# Limits how often the same answer goes to one network outside.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from haystack._fast.dns.asker cimport Asker

cdef enum Limited:
    PASSED = 0
    SLIPPED                 # a truncated answer instead: who really asks comes over TCP
    DROPPED

cdef struct Bucket:
    uint32_t tag            # of the network and the answer that it counts; another one takes its place where it is not in use
    uint16_t tokens         # answers that may be given still
    uint16_t refused        # in a row
    int64_t since           # milliseconds at which tokens were last added

cdef class RateLimit:
    cdef Bucket *buckets
    cdef readonly uint64_t slipped
    cdef readonly uint64_t dropped

    cdef Limited judge(self, Asker *asker, uint32_t answer, int64_t now) noexcept

cdef bint is_outside(Asker *asker) noexcept
