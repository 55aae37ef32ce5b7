"""Counts of exchanges between two reports, and the slots of their durations. Pure."""
from libc.string cimport memset

from haystack.model.durations import EDGES
from haystack.model.durations import SLOTS as PLANNED

cdef extern from *:
    int clz "__builtin_clzll"(unsigned long long) noexcept nogil

cdef enum:
    STEPS = 232             # an eighth of a power of two wide, from 8192 ns on: no step has two bounds of slots in it
    FIRST = 13              # the power of the first eight

cdef unsigned char lowest[STEPS]    # slot of the shortest duration of a step
cdef int64_t edges[SLOTS]           # nanoseconds: upper bounds


cdef object take(Tally *tally):
    """(statuses by class, received, sent, retries, ns, (slot, count) one behind the other), which begin anew; None: there is nothing."""
    cdef int i
    cdef list classes = [tally.classes[i] for i in range(CLASSES)]
    cdef list slots = []
    if not (tally.retries or any(classes)):
        return None
    for i in range(SLOTS):
        if tally.slots[i]:
            slots += (i, tally.slots[i])
    told = tuple(classes), tally.received, tally.sent, tally.retries, tally.ns, tuple(slots)
    memset(tally, 0, sizeof(Tally))
    return told


cdef int slot_of(int64_t ns) noexcept:
    """The slot of a duration: its step's, or the one behind it."""
    cdef int power, step, slot
    if ns < 1 << FIRST:
        return 0
    power = 63 - clz(<unsigned long long>ns)
    step = (power - FIRST) * 8 + <int>(ns >> (power - 3) & 7)
    slot = lowest[step] if step < STEPS else SLOTS - 1
    return slot + (ns > edges[slot])


def prepare():
    """Fill the tables, and check that they are what is planned."""
    cdef int step, slot
    if PLANNED != SLOTS:
        raise ValueError(f"{PLANNED} slots are planned, {SLOTS} compiled")
    for slot, edge in enumerate([*EDGES, 2 ** 63 - 1]):
        edges[slot] = edge
    slot = 0
    for step in range(STEPS):
        while (<int64_t>8 + step % 8) << (FIRST - 3 + step // 8) > edges[slot]:
            slot += 1
        lowest[step] = slot


prepare()
