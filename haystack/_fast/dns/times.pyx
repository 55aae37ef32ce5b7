"""How long answers took, as a histogram whose bounds double: one for those given at once, one for those that were waited for."""

cdef enum:
    FIRST_AT_ONCE = 1000        # nanoseconds
    FIRST_WAITED = 64000


cdef class Times:
    """waited: of answers that the control process was asked for; else of those given at once."""

    def __init__(self, bint waited=False):
        self.first = FIRST_WAITED if waited else FIRST_AT_ONCE

    cdef void took(self, int64_t ns, int answers) noexcept:
        """Count so many answers that took so long."""
        cdef int bucket = 0
        cdef int64_t below = self.first
        while ns >= below and bucket < BUCKETS - 1:
            below *= 2
            bucket += 1
        self.counts[bucket] += answers
        self.sum += ns * answers

    def told(self):
        """Answers by bucket, and the sum of their times in seconds."""
        cdef int i
        return tuple([self.counts[i] for i in range(BUCKETS)]), self.sum / 1e9


def bounds(bint waited):
    """The bound of each bucket but the last one, which has none: seconds."""
    cdef int64_t first = FIRST_WAITED if waited else FIRST_AT_ONCE
    return tuple([(first << i) / 1e9 for i in range(BUCKETS - 1)])
