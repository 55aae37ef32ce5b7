"""The picker `hash`: requests with the same key go to the same endpoint, as long as it is there and not overloaded.

A ring (Karger and others, 1997): each member has points in proportion to its weight, made from its key alone, and owns what lies before
them. So the ring is the same in every worker and after a restart, and a member that comes or goes moves the keys of its own share only.
Maglev's table also moves others, a jump or anchor hash depends on who came first, and rendezvous looks at every member for every pick.
Points are found by their bucket, without a search, so a pick costs the same for any number of them.

Bounded load (Mirrokni, Thorup and Zadimoghaddam, 2018): nobody takes more than 1.25 times its fair part of what is in flight; what is over
goes to the owner of another place that follows from the key, not to the neighbour, whom it would overload next (Chen and others, 2021).
"""
from math import log2

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free

from haystack._fast.endpoint.endpoint cimport Member, Picker, was_tried
from haystack._fast.util.digest cimport digest
from haystack._fast.util.random_numbers cimport mix, next_random

cdef enum:
    POINTS = 100            # of a member of mean weight, within a factor of the root of 2: shares then differ by a tenth
    SLOT_BITS = 24          # of a point, for its member; the other 40 are its place on the ring
    HOMES = 16              # places that follow from a key
    JUMPS = 80              # and then any: a fifth of the ring has room at least, so all in vain is one overload in a million

cdef uint64_t GOLDEN = 0x9E3779B97F4A7C15


cdef class Hash(Picker):
    """The owner of the key's place on the ring, unless it has its full load."""

    def __init__(self, list members, list weights, Picker old=None):
        cdef int slot
        Picker.__init__(self, members, weights, old)
        if self.size:
            self.fill()
        for slot in range(self.size):
            self.load += (<Member>self.weighted[slot]).endpoint.in_flight
        if type(old) is Hash:
            old.unwatch()
        self.watch()

    def __dealloc__(self):
        self.unwatch()
        free(self.points)
        free(self.index)

    cdef int fill(self) except -1:
        """Make the ring. Weights are scaled by a power of two, so that adding a member hardly ever changes the points of the others."""
        cdef int slot, shares, _i, made = 0
        cdef uint64_t base
        cdef uint64_t *loose
        cdef bytes key
        for slot in range(self.size):
            self.whole += self.weights[slot]
        scale = 2.0 ** round(log2(<double>POINTS * self.size / self.whole))
        counts = [max(1, int(self.weights[slot] * scale)) for slot in range(self.size)]
        self.count = sum(counts)
        loose = <uint64_t *>calloc(self.count, sizeof(uint64_t))
        if loose == NULL:
            raise MemoryError
        try:
            for slot in range(self.size):
                key = (<Member>self.weighted[slot]).endpoint.key.encode()
                base = digest(key, len(key), 0)
                shares = counts[slot]
                for _i in range(shares):
                    base += GOLDEN
                    loose[made] = (mix(base) >> SLOT_BITS << SLOT_BITS) | <uint64_t>slot
                    made += 1
            return self.order(loose)
        finally:
            free(loose)

    cdef int order(self, uint64_t *loose) except -1:
        """Sort the points into their buckets, two to four in each, and those of a bucket among themselves."""
        cdef int i, at, count = self.count, shift
        cdef uint64_t point
        cdef uint64_t *points
        cdef int *index
        self.bits = max(1, count.bit_length() - 2)
        shift = 64 - self.bits
        self.points = points = <uint64_t *>calloc(count, sizeof(uint64_t))
        self.index = index = <int *>calloc((1 << self.bits) + 1, sizeof(int))
        if points == NULL or index == NULL:
            raise MemoryError
        for i in range(count):
            index[(loose[i] >> shift) + 1] += 1
        for i in range(1 << self.bits):
            index[i + 1] += index[i]
        for i in range(count - 1, -1, -1):
            # from the end of its bucket, whose number is kept in the next one, down to its beginning
            at = <int>(loose[i] >> shift) + 1
            index[at] -= 1
            points[index[at]] = loose[i]
        # now index[b + 1] is where bucket b begins
        for i in range(1 << self.bits):
            index[i] = index[i + 1]
        index[1 << self.bits] = count
        for i in range(1, count):
            point = points[i]
            at = i
            while at > 0 and points[at - 1] > point:
                points[at] = points[at - 1]
                at -= 1
            points[at] = point
        return 0

    cdef int owner(self, uint64_t place) noexcept nogil:
        """The slot whose point comes next at or after a place."""
        cdef int at = self.index[place >> (64 - self.bits)]
        place >>= SLOT_BITS
        while at < self.count and self.points[at] >> SLOT_BITS < place:
            at += 1
        return <int>(self.points[at if at < self.count else 0] & ((1 << SLOT_BITS) - 1))

    cdef Member choose(self, uint64_t key, void **tried, int tries):
        cdef int jump, slot
        cdef Member member, full = None
        for jump in range(JUMPS):
            # a key that fills all of its places alone has no home any more: it goes anywhere, or would walk over all members
            slot = self.owner(mix(key) if jump < HOMES else next_random())
            key += GOLDEN
            member = <Member>self.weighted[slot]
            if was_tried(<void *>member, tried, tries):
                continue
            # less than 1.25 times its part of what would be in flight with this one
            if member.endpoint.in_flight * 4 * self.whole < 5 * (self.load + 1) * self.weights[slot]:
                return member
            if full is None:
                full = member
        return full if full is not None else self.untried(mix(key), tried, tries)

    cdef void loaded(self, int slot, int load, int by) noexcept:
        self.load += by
