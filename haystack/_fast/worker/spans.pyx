"""Sampling of traces as OpenTelemetry has it, decided before anything is recorded, and the rows of what is.

A tenth of a second's rows are kept at most: a span costs the control process much more than the worker, so that more are counted, not made.
"""

cdef enum:
    MOST = 500


cdef class Spans:
    """Off until `sample`. rows: as exchange/record.pyx makes them, oldest first."""

    def __cinit__(self):
        self.rows = []

    def sample(self, ratio, bint heeds_caller):
        """Record such a share (0 to 1) of the traces. heeds_caller: of those that begin here; a caller has decided about its own."""
        bound = round(ratio * 2 ** 64)          # as the SDK's TraceIdRatioBased has it: all proxies of a trace decide alike
        self.on, self.heeds_caller, self.whole = True, heeds_caller, bound >= 2 ** 64
        self.bound = 0 if self.whole else bound

    def take(self):
        """The rows since the last call, and how many more there was no place for."""
        rows, lost = self.rows, self.lost
        self.rows, self.lost = [], 0
        return rows, lost

    cdef bint samples(self, uint64_t ending) noexcept:
        """Whether a trace is recorded. ending: the lower half of its id."""
        return self.whole or ending < self.bound

    cdef bint has_place(self) noexcept:
        """Whether one more can be kept; if not, it is counted."""
        if len(self.rows) < MOST:
            return True
        self.lost += 1
        return False
