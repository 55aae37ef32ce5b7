"""The picker `ewma`: of two drawn at random, the one whose answers are expected sooner.

Expected is the average time to the first byte times the exchanges in flight with this one. The average is a peak EWMA, as Finagle has it:
a slower answer counts at once and in full, a quicker one as much as time has passed; and what was not heard of again fades. It belongs to
the endpoint, so that it outlives tables and is shared by all its services. An endpoint with no recent answer, or none, is asked once
and then again only after a while: a new endpoint is tried, never flooded, and a slow one can show that it has become quick.
"""
from libc.math cimport exp
from libc.stdint cimport int64_t, uint64_t
from posix.time cimport clock_gettime, timespec

from haystack._fast.endpoint.endpoint cimport Endpoint, Member, Picker

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


cdef bint is_unheard(Endpoint endpoint, int64_t now) noexcept:
    """Whether it is time to ask this one, whatever it costs."""
    return now - max(endpoint.hearing.heard, endpoint.hearing.probed) > (FORGET if endpoint.hearing.heard else AGAIN)


cdef double faded(Endpoint endpoint, int64_t now) noexcept:
    return endpoint.latency * exp(-<double>(now - endpoint.hearing.heard) / FORGET)


cdef class Ewma(P2C):
    """The cheaper of two drawn by weight; load counts over weight, as p2c has it."""

    def __init__(self, list members, list weights, Picker old=None):
        P2C.__init__(self, members, weights, old)
        self.timed = True

    cdef double cost(self, int slot) noexcept:
        """Nanoseconds until a request sent now would be answered."""
        cdef Endpoint endpoint = (<Member>self.weighted[slot]).endpoint
        cdef double load = 1.0 + <double>endpoint.in_flight * self.heaviest / self.weights[slot]
        if is_unheard(endpoint, self.now):
            return 0.0
        return load * (faded(endpoint, self.now) if endpoint.hearing.heard else UNHEARD)

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
        if member is not None and is_unheard(member.endpoint, self.now):
            member.endpoint.hearing.probed = self.now
        return member

    cdef void answered(self, Member member, int64_t ns) noexcept:
        cdef Endpoint endpoint = member.endpoint
        cdef int64_t now = coarse_ns()
        cdef double rest
        if not endpoint.hearing.heard or ns >= faded(endpoint, now):
            endpoint.latency = <double>ns
        else:
            rest = exp(-<double>(now - endpoint.hearing.heard) / FORGET)
            endpoint.latency = endpoint.latency * rest + ns * (1.0 - rest)
        endpoint.hearing.heard = now

    cdef void failed(self, Member member) noexcept:
        cdef Endpoint endpoint = member.endpoint
        cdef int64_t now = coarse_ns()
        endpoint.latency = min(WORST, max(FAILED, 2.0 * faded(endpoint, now)))
        endpoint.hearing.heard = now
