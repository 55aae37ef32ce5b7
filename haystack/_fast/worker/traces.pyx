"""Traces of exchanges, until the control process takes them, a tenth of a second's at most: more are counted, not made."""

from haystack._fast.worker.spans cimport Spans

cdef Py_ssize_t MOST = 500


cdef class Traces:
    """rows: as exchange/record.pyx makes them, oldest first."""

    def __cinit__(self):
        self.rows = []
        self.spans = Spans()

    def switch(self, bint on, str service=None):
        """Record those of one service, or of all where it is None."""
        self.on = on
        self.service = service

    def take(self):
        """The rows since the last call, and how many more there was no place for."""
        rows, lost = self.rows, self.lost
        self.rows, self.lost = [], 0
        return rows, lost

    cdef bint wants(self, Route route) noexcept:
        """Whether an exchange with this route is recorded; None: one that found none."""
        return self.on and (self.service is None or (route is not None and route.service == self.service))

    cdef bint has_place(self) noexcept:
        """Whether one more can be kept; if not, it is counted."""
        if len(self.rows) < MOST:
            return True
        self.lost += 1
        return False
