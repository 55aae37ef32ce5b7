"""Traces and outcomes of exchanges, until the control process takes them, a tenth of a second's at most: more are counted, not made."""
from libc.stdint cimport int64_t

cdef Py_ssize_t MOST = 500
cdef int64_t OUTCOMES = 50          # a second
cdef int64_t BY_CLIENTS = 10        # a second that clients cause: strangers can make as many as they like


cdef class Traces:
    """rows: as exchange/record.pyx makes them, oldest first."""

    def __cinit__(self):
        self.rows = []
        self.outcomes = []

    def switch(self, bint on, str service=None):
        """Record those of one service, or of all where it is None."""
        self.on = on
        self.service = service

    def take(self):
        """The rows since the last call, and how many more there was no place for."""
        rows, lost = self.rows, self.lost
        self.rows, self.lost = [], 0
        return rows, lost

    def take_outcomes(self):
        """The outcomes since the last call, and how many more there was no room for."""
        outcomes, left = self.outcomes, self.left
        self.outcomes, self.left = [], 0
        return outcomes, left

    cdef bint wants(self, Route route) noexcept:
        """Whether an exchange with this route is recorded; None: one that found none."""
        return self.on and (self.service is None or (route is not None and route.service == self.service))

    cdef bint has_place(self) noexcept:
        """Whether one more can be kept; if not, it is counted."""
        if len(self.rows) < MOST:
            return True
        self.lost += 1
        return False

    cdef bint takes_outcome(self, bint by_client, int64_t now) noexcept:
        """Whether one more outcome is kept; if not, it is counted. now: the poller's milliseconds."""
        if now // 1000 != self.second:
            self.second = now // 1000
            self.taken[0] = self.taken[1] = 0
        if len(self.outcomes) >= MOST or self.taken[by_client] >= (BY_CLIENTS if by_client else OUTCOMES):
            self.left += 1
            return False
        self.taken[by_client] += 1
        return True
