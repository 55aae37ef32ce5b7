"""Pickers that keep order: roundrobin, and leastconn, which is round robin among those with the least load.

Stride scheduling (Waldspurger, 1995): a member's turns are as far apart in virtual time as its weight is small, and the one that is due
next has the next turn. So shares are exact and turns are spread evenly. A heap of four children a node finds it: a pick touches as many
nodes as the number of members has digits to the base of four. Turns belong to members, so a swap of the table shifts nobody.
"""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from haystack._fast.endpoint.endpoint cimport MAX_TRIES, Member, Picker, was_tried
from haystack._fast.util.random_numbers cimport next_random

cdef enum:
    UNIT = 20               # bits of a turn of the heaviest
    CHILDREN = 4


cdef inline bint before(Turn *a, Turn *b) noexcept nogil:
    """Virtual time may wrap around: differences count."""
    return a.load < b.load or (a.load == b.load and <int64_t>(a.due - b.due) < 0)


cdef class RoundRobin(Picker):
    """Each in turn: as often as its weight says, and spread as evenly as may be."""

    def __init__(self, list members, list weights, Picker old=None):
        Picker.__init__(self, members, weights, old)
        self.fill(old if type(old) is type(self) else None)

    def __dealloc__(self):
        self.unwatch()
        free(self.heap)
        free(self.places)
        free(self.strides)

    cdef int fill(self, RoundRobin old) except -1:
        """Who had a turn coming keeps it; who is new waits for some part of a turn, so that they do not all come at once."""
        cdef int slot
        cdef uint32_t phase = <uint32_t>next_random()
        cdef Member member
        self.heap = <Turn *>calloc(self.size + 1, sizeof(Turn))
        self.places = <int *>calloc(self.size + 1, sizeof(int))
        self.strides = <uint64_t *>calloc(self.size + 1, sizeof(uint64_t))
        if self.heap == NULL or self.places == NULL or self.strides == NULL:
            raise MemoryError
        self.now = old.now if old is not None else 0
        for slot in range(self.size):
            member = <Member>self.weighted[slot]
            self.strides[slot] = (<uint64_t>self.heaviest << UNIT) // <uint64_t>self.weights[slot]
            # golden ratio: however many there are, their first turns are spread evenly
            phase += <uint32_t>0x9E3779B9
            if old is None or member.due - self.now > self.strides[slot]:
                member.due = self.now + ((self.strides[slot] * (phase >> 8)) >> 24)
            self.heap[slot].due = member.due
            self.heap[slot].slot = slot
            self.places[slot] = slot
        for slot in range(self.size - 1, -1, -1):
            self.sink(slot)
        return 0

    cdef void settle(self, int at) noexcept nogil:
        """Bring a turn that has changed to its place."""
        if not self.rise(at):
            self.sink(at)

    cdef bint rise(self, int at) noexcept nogil:
        """Move a turn up while it comes before its parent; whether it moved."""
        cdef Turn turn = self.heap[at]
        cdef int start = at, parent
        while at > 0:
            parent = (at - 1) // CHILDREN
            if not before(&turn, &self.heap[parent]):
                break
            self.heap[at] = self.heap[parent]
            self.places[self.heap[at].slot] = at
            at = parent
        self.heap[at] = turn
        self.places[turn.slot] = at
        return at != start

    cdef void sink(self, int at) noexcept nogil:
        """Move a turn down while a child comes before it."""
        cdef Turn turn = self.heap[at]
        cdef int child, best, end
        while at * CHILDREN + 1 < self.size:
            best = at * CHILDREN + 1
            end = min(best + CHILDREN, self.size)
            for child in range(best + 1, end):
                if before(&self.heap[child], &self.heap[best]):
                    best = child
            if not before(&self.heap[best], &turn):
                break
            self.heap[at] = self.heap[best]
            self.places[self.heap[at].slot] = at
            at = best
        self.heap[at] = turn
        self.places[turn.slot] = at

    cdef int first(self, void **tried, int tries):
        """Index in the heap of the first turn whose member was not tried; -1: all were.

        Only below a turn that was passed over can the next one be: the edge of what was seen holds at most 3 more for each of those.
        """
        cdef int edge[MAX_TRIES * (CHILDREN - 1) + 1]
        cdef int count = 1, i, at, best, child
        edge[0] = 0
        while count:
            best = 0
            for i in range(1, count):
                if before(&self.heap[edge[i]], &self.heap[edge[best]]):
                    best = i
            at = edge[best]
            if not was_tried(<void *>self.weighted[self.heap[at].slot], tried, tries):
                return at
            count -= 1
            edge[best] = edge[count]
            for child in range(at * CHILDREN + 1, min(at * CHILDREN + 1 + CHILDREN, self.size)):
                edge[count] = child
                count += 1
        return -1

    cdef Member choose(self, uint64_t key, void **tried, int tries):
        cdef int at = self.first(tried, tries) if tries else 0
        cdef Turn *turn
        cdef Member member
        if at < 0:
            return None
        turn = &self.heap[at]
        member = <Member>self.weighted[turn.slot]
        if <int64_t>(turn.due - self.now) < 0:
            turn.due = self.now         # it was too loaded for its turns: they are not saved up
        if tries == 0:
            self.now = turn.due
        turn.due += self.strides[turn.slot]
        member.due = turn.due
        self.sink(at)
        return member


cdef class LeastConn(RoundRobin):
    """The one with the fewest exchanges in flight for its weight, of all; in turn among those with equally few."""

    def __init__(self, list members, list weights, Picker old=None):
        cdef int slot
        RoundRobin.__init__(self, members, weights, old)
        for slot in range(self.size):
            self.loaded(slot, (<Member>self.weighted[slot]).endpoint.in_flight, 0)
        if type(old) is LeastConn:
            old.unwatch()
        self.watch()

    cdef void loaded(self, int slot, int load, int by) noexcept:
        cdef int at = self.places[slot]
        self.heap[at].load = <uint64_t>load * self.strides[slot]
        self.settle(at)
