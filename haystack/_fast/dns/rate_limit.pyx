"""Response rate limiting: who sends queries with somebody else's address as the sender's can't have us flood that one.

Each network outside (an IPv4 /24, an IPv6 /56) has a token bucket for each answer. Where it is empty, every second answer is sent
truncated, and the rest not at all: a real client asks again over TCP, which a forged address can't. Datagrams alone; never the inside.
"""
import os

from libc.stdlib cimport calloc, free

from haystack._fast.net.networks cimport Right

cdef enum:
    BUCKETS = 16384
    RATE = 20               # answers a second
    BURST = 60
    SLIP = 2                # of so many that are refused one is sent truncated

cdef uint32_t SECRET = int.from_bytes(os.urandom(4), "big")     # or somebody could choose names that share a bucket


cdef class RateLimit:
    """For one worker."""

    def __cinit__(self):
        self.buckets = <Bucket *>calloc(BUCKETS, sizeof(Bucket))
        if self.buckets == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.buckets)

    cdef Limited judge(self, Asker *asker, uint32_t answer, int64_t now) noexcept:
        """Whether this answer may go to an asker outside. answer: what tells it from others; now: milliseconds."""
        cdef uint32_t tag = mixed(network(asker), answer)
        cdef Bucket *bucket = &self.buckets[tag % BUCKETS]
        cdef int64_t gained = (now - bucket.since) * RATE // 1000
        if bucket.tag != tag and (bucket.since == 0 or gained >= BURST):
            bucket.tag, bucket.tokens, bucket.since = tag, BURST, now
        elif gained > 0:
            bucket.tokens = <uint16_t>min(<int64_t>BURST, bucket.tokens + gained)
            bucket.since += gained * 1000 // RATE
        if bucket.tokens:
            bucket.tokens -= 1
            bucket.refused = 0
            return Limited.PASSED
        bucket.refused += 1
        if bucket.refused % SLIP == 0:
            self.slipped += 1
            return Limited.SLIPPED
        self.dropped += 1
        return Limited.DROPPED


cdef uint64_t network(Asker *asker) noexcept:
    """What stands for the asker's network: an IPv4 /24, or an IPv6 /56."""
    cdef uint64_t found = asker.size
    cdef int i
    for i in range(3 if asker.size == 4 else 7):
        found = found << 8 | asker.ip[i]
    return found


cdef uint32_t mixed(uint64_t network, uint32_t answer) noexcept:
    cdef uint64_t x = network * 0x9E3779B97F4A7C15ULL ^ (<uint64_t>answer << 32 | SECRET)
    x = (x ^ x >> 31) * 0xBF58476D1CE4E5B9ULL
    return <uint32_t>(x >> 32) | 1


cdef bint is_outside(Asker *asker) noexcept:
    """Whether an asker is neither on this machine, nor on an engine's network, nor on a private or link-local one."""
    cdef const uint8_t *ip = asker.ip
    if asker.rights & <int>Right.NEAR:
        return False
    if asker.size == 4:
        return not (ip[0] == 10 or (ip[0] == 172 and ip[1] & 0xF0 == 16) or (ip[0] == 192 and ip[1] == 168) or (
            ip[0] == 169 and ip[1] == 254))
    return asker.size == 16 and not (ip[0] & 0xFE == 0xFC or (ip[0] == 0xFE and ip[1] & 0xC0 == 0x80))
