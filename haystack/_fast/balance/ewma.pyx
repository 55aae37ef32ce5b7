"""The picker `ewma`: of two drawn at random, the one whose answers are expected sooner.

Expected is the average time to the first byte times the exchanges in flight with this one. The average is a peak EWMA, as Finagle has it:
a slower answer counts at once and in full, a quicker one as much as time has passed; and what was not heard of again fades. It belongs to
the cell, so that it outlives tables and is shared by all services of an endpoint. Who was not heard of for long, or never, is asked once
and then again only after a while: a new endpoint is tried, never flooded, and a slow one can show that it has become quick.
"""
from libc.math cimport exp
from libc.stdint cimport int64_t, uint64_t
from posix.time cimport clock_gettime, timespec

from haystack._fast.endpoint.endpoint cimport Cell, Member, Picker

cdef extern from "time.h" nogil:
    enum:
        CLOCK_MONOTONIC_COARSE

cdef int64_t SECOND = 1_000_000_000
cdef int64_t FORGET = 10 * SECOND       # after so long an average has faded to 1/e, and its endpoint is asked again
cdef int64_t AGAIN = SECOND             # after so long one that never answered is asked again
cdef double UNHEARD = 10.0 * SECOND     # expected of it meanwhile
cdef double FAILED = 1.0 * SECOND       # expected at least of one that has just failed,
cdef double WORST = 10.0 * SECOND       # and at most, however many requests failed there: what fades has to end some day
cdef double EVENS = 1.25                # costs this close are equal: noise must not outweigh weights
cdef int64_t ahead = 0


cdef int64_t coarse_ns() noexcept nogil:
    """The kernel's tick, some milliseconds fine: enough for averages over seconds, and four times cheaper than the exact time."""
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t)
    return t.tv_sec * SECOND + t.tv_nsec + ahead


cdef bint is_unheard(Cell cell, int64_t now) noexcept:
    """Whether it is time to ask this one, whatever it costs."""
    return now - max(cell.heard, cell.probed) > (FORGET if cell.heard else AGAIN)


cdef double faded(Cell cell, int64_t now) noexcept:
    return cell.latency * exp(-<double>(now - cell.heard) / FORGET)


cdef class Ewma(P2C):
    """The cheaper of two drawn by weight; load counts over weight, as p2c has it."""

    def __init__(self, list members, list weights, Picker old=None):
        P2C.__init__(self, members, weights, old)
        self.timed = True

    cdef double cost(self, int slot) noexcept:
        """Nanoseconds until a request sent now would be answered."""
        cdef Cell cell = (<Member>self.weighted[slot]).cell
        cdef double load = 1.0 + <double>cell.in_flight * self.heaviest / self.weights[slot]
        if is_unheard(cell, self.now):
            return 0.0
        return load * (faded(cell, self.now) if cell.heard else UNHEARD)

    cdef bint prefers(self, int a, int b) noexcept:
        cdef double cost_a = self.cost(a), cost_b = self.cost(b)
        if cost_b * EVENS < cost_a:
            return True
        if cost_a * EVENS < cost_b or self.weights[a] != self.weights[b]:
            return False
        return (<Member>self.weighted[b]).used < (<Member>self.weighted[a]).used

    cdef Member choose(self, uint64_t key, void **tried, int tries):
        cdef Member member
        self.now = coarse_ns()
        member = P2C.choose(self, key, tried, tries)
        if member is not None and is_unheard(member.cell, self.now):
            member.cell.probed = self.now
        return member

    cdef void answered(self, Member member, int64_t ns) noexcept:
        cdef Cell cell = member.cell
        cdef int64_t now = coarse_ns()
        cdef double rest
        if not cell.heard or ns >= faded(cell, now):
            cell.latency = <double>ns
        else:
            rest = exp(-<double>(now - cell.heard) / FORGET)
            cell.latency = cell.latency * rest + ns * (1.0 - rest)
        cell.heard = now

    cdef void failed(self, Member member) noexcept:
        cdef Cell cell = member.cell
        cdef int64_t now = coarse_ns()
        cell.latency = min(WORST, max(FAILED, 2.0 * faded(cell, now)))
        cell.heard = now
