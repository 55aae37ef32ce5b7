"""Pickers that draw: random, and p2c, the less loaded of two drawn.

Drawing by weight costs the same for any number of members: Walker's alias method (Vose, 1991), its table made once a table of routes.
"""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from haystack._fast.endpoint.endpoint cimport Member, Picker, was_tried
from haystack._fast.util.random_numbers cimport below, next_random

cdef int64_t picks = 0


cdef class Random(Picker):
    """Each member with a probability in proportion to its weight."""

    def __init__(self, list members, list weights, Picker old=None):
        Picker.__init__(self, members, weights, old)
        if any(self.weights[slot] != self.heaviest for slot in range(self.size)):
            self.fill()

    def __dealloc__(self):
        free(self.keep)
        free(self.other)

    cdef int fill(self) except -1:
        """Vose's method in whole numbers: what a slot has over its fair part fills up one that has less."""
        cdef int64_t total = 0
        cdef int slot, poor
        self.keep = <uint32_t *>calloc(self.size, sizeof(uint32_t))
        self.other = <int *>calloc(self.size, sizeof(int))
        if self.keep == NULL or self.other == NULL:
            raise MemoryError
        for slot in range(self.size):
            total += self.weights[slot]
        parts = [<int64_t>self.weights[slot] * self.size for slot in range(self.size)]
        small = [slot for slot in range(self.size) if parts[slot] < total]
        large = [slot for slot in range(self.size) if parts[slot] >= total]
        while small and large:
            poor = small.pop()
            slot = large[len(large) - 1]
            self.keep[poor] = <uint32_t>((parts[poor] << 32) // total)
            self.other[poor] = slot
            parts[slot] -= total - parts[poor]
            if parts[slot] < total:
                small.append(large.pop())
        for slot in small + large:
            self.keep[slot] = <uint32_t>0xFFFFFFFF
            self.other[slot] = slot
        return 0

    cdef int draw(self) noexcept nogil:
        """A slot, by weight."""
        cdef uint64_t random = next_random()
        cdef int slot = <int>below(self.size, random)
        if self.keep != NULL and <uint32_t>random >= self.keep[slot]:
            slot = self.other[slot]
        return slot

    cdef int draw_other(self, int first) noexcept nogil:
        """A slot by weight that is not `first`; one of several draws at least, or any other. There are two at least."""
        cdef int _i, slot
        for _i in range(4):
            slot = self.draw()
            if slot != first:
                return slot
        return <int>((first + 1 + below(self.size - 1, next_random())) % self.size)

    cdef Member choose(self, uint64_t key, void **tried, int tries):
        cdef int slot = self.draw()
        cdef Member member = <Member>self.weighted[slot]
        if was_tried(<void *>member, tried, tries):
            return self.untried(next_random(), tried, tries)
        return member


cdef class P2C(Random):
    """The less loaded of two drawn at random, load being exchanges in flight over weight (Mitzenmacher, 2001).

    Where both are equal in load and weight it is the one that was not picked for longer: a quiet service then goes around its
    endpoints, as people expect who try it by hand, and no new endpoint is flooded.
    """

    cdef bint prefers(self, int a, int b) noexcept:
        """Whether the second slot is to be taken and not the first."""
        cdef Member one = <Member>self.weighted[a], two = <Member>self.weighted[b]
        cdef int64_t load_a = <int64_t>one.endpoint.in_flight * self.weights[b]
        cdef int64_t load_b = <int64_t>two.endpoint.in_flight * self.weights[a]
        return load_b < load_a or (load_b == load_a and self.weights[a] == self.weights[b] and two.used < one.used)

    cdef Member choose(self, uint64_t key, void **tried, int tries):
        global picks
        cdef int a = self.draw(), b
        cdef Member member
        if self.size > 1:
            b = self.draw_other(a)
            if self.prefers(a, b):
                a = b
        member = <Member>self.weighted[a]
        if was_tried(<void *>member, tried, tries):
            member = self.untried(next_random(), tried, tries)
        if member is not None:
            picks += 1
            member.used = picks
        return member
