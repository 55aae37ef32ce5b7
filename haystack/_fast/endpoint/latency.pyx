"""How long a service's endpoints say nothing while they are asked: what is usual, whatever a single one of them did of late.

A histogram of the gaps before answers. One endpoint that stood still for seconds is one gap among many, and moves nothing; where many
requests take long, long is usual. What was counted halves again and again, so the last few hundred answers count, or the last second's.
"""
from libc.stdint cimport int64_t

cdef enum:
    ENOUGH = 512        # gaps, and
    AGE_MS = 1000       # milliseconds after which what was counted halves
    FREE = 1            # gap that may be longer than what is usual,
    SHARE = 64          # and of so many one more


cdef class Pace:
    """Of one service on one listener."""

    cpdef int note(self, int64_t gap, int64_t now) except -1:
        """An endpoint answers after it said nothing for `gap` milliseconds while it was asked."""
        cdef int i
        if self.total >= ENOUGH and now - self.halved >= AGE_MS:
            self.halved = now
            self.total = 0
            for i in range(GAPS):
                self.counts[i] >>= 1
                self.total += self.counts[i]
        self.counts[slot(gap)] += 1
        self.total += 1
        return 0

    cpdef int64_t usual(self) noexcept:
        """Milliseconds that all but a few gaps are shorter than; 0: too little is known."""
        cdef int64_t left = FREE + self.total // SHARE
        cdef int i = GAPS
        while i > 0:
            i -= 1
            left -= self.counts[i]
            if left < 0:
                return end(i)
        return 0


cdef int slot(int64_t gap) noexcept nogil:
    """Which count is this gap's: those below 2 have the first, then each half of an octave has one."""
    cdef int octave = 0
    while gap > 3:
        gap >>= 1
        octave += 1
    return min(GAPS - 1, 2 * octave + (<int>gap if gap > 1 else 1) - 1)


cdef int64_t end(int slot) noexcept nogil:
    """The first gap that is too long for this count."""
    return <int64_t>(3 if slot % 2 else 4) << ((slot - 1) // 2) if slot else 2
