"""Pickers: given a route and the members that were tried already, the member to try next, or None when all were.

Weight 0 means: only when nothing else is left. Never connects and never waits.
"""
import os

from haystack._fast.cells cimport Member, Route

ctypedef Member (*Algorithm)(Route, void **, int)

cdef long long picks = 0
cdef unsigned long long state = int.from_bytes(os.urandom(8), "little") | 1


cdef unsigned long long next_random() noexcept nogil:
    """splitmix64: well spread, two multiplications."""
    global state
    cdef unsigned long long z
    state += <unsigned long long>0x9E3779B97F4A7C15
    z = state
    z = (z ^ (z >> 30)) * <unsigned long long>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <unsigned long long>0x94D049BB133111EB
    return z ^ (z >> 31)


cdef bint was_tried(Member member, void **tried, int tries) noexcept:
    cdef int i
    for i in range(tries):
        if tried[i] == <void *>member:
            return True
    return False


cdef Member first_untried(Route route, void **tried, int tries, Py_ssize_t start):
    """The first member from `start` on, around the list, that was not tried; one without weight only as the last way."""
    cdef Py_ssize_t size = len(route.members), i
    cdef Member member, last = None
    for i in range(size):
        member = <Member>route.members[(start + i) % size]
        if not was_tried(member, tried, tries):
            if member.weight > 0:
                return member
            last = member
    return last


cdef Member draw(Route route):
    """One member at random by weight: rejection against the highest weight, which is one round where all are equal."""
    cdef Py_ssize_t size = len(route.members)
    cdef Member member
    cdef int _round
    for _round in range(16):
        member = <Member>route.members[next_random() % <unsigned long long>size]
        if member.weight >= 100 or <int>(next_random() % 100) < member.weight:
            return member
    return member


cdef Member pick_random(Route route, void **tried, int tries):
    cdef Member member = draw(route)
    if not was_tried(member, tried, tries) and member.weight > 0:
        return member
    return first_untried(route, tried, tries, next_random() % <unsigned long long>len(route.members))


cdef Member pick_p2c(Route route, void **tried, int tries):
    """The less loaded of two drawn at random, load being exchanges in flight over weight.

    Where both are equal in load and weight it is the one that was not picked for longer: a quiet service then goes around its
    endpoints, as people expect who try it by hand, and no new endpoint is flooded.
    """
    cdef long long load_a, load_b
    cdef Member a = draw(route), b = draw(route)
    cdef void *same = <void *>a
    if a is b:
        b = first_untried(route, &same, 1, next_random() % <unsigned long long>len(route.members))
        if b is None or b.weight == 0:
            b = a
    load_a = <long long>a.cell.in_flight * b.weight
    load_b = <long long>b.cell.in_flight * a.weight
    if load_b < load_a or (load_b == load_a and a.weight == b.weight and b.used < a.used):
        a = b
    if not was_tried(a, tried, tries) and a.weight > 0:
        return a
    return first_untried(route, tried, tries, next_random() % <unsigned long long>len(route.members))


PICKERS = {"random": 0, "p2c": 1}
cdef Algorithm[2] TABLE
TABLE[0] = pick_random
TABLE[1] = pick_p2c


cdef Member pick(Route route, void **tried, int tries):
    global picks
    cdef Py_ssize_t size = len(route.members)
    cdef Member member
    if size == 0 or tries >= size or tries >= MAX_TRIES:
        return None
    if size == 1:
        return <Member>route.members[0]
    member = TABLE[route.picker](route, tried, tries)
    if member is not None:
        picks += 1
        member.used = picks
    return member


def choose(Route route, list tried):
    """Pick once, skipping the members in tried: for tests and simulations."""
    cdef void *pointers[MAX_TRIES]
    cdef int i
    for i in range(len(tried)):
        pointers[i] = <void *>tried[i]
    return pick(route, pointers, <int>len(tried))
