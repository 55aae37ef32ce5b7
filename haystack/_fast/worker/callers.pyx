"""Which clients called which services of late: so many pairs of a client and a service, the newest; others give way.

A pair is noted with the first request of a connection, and where the same connection turns to another service: what a client with a
connection that is kept costs is a comparison. So connections are counted, and not requests.
"""
from haystack._fast.net.poller cimport clock_ns

cdef Py_ssize_t PLACES = 2048


cdef class Callers:
    """For one worker."""

    def __cinit__(self):
        self.rows = {}

    cdef int note(self, const char *address, int size, str service, int64_t now) except -1:
        """A client calls this service, on a connection that has called another one last, or none. now: milliseconds."""
        cdef int64_t times = 0
        key = address[:size], service
        known = self.rows.pop(key, None)        # so that it is the newest
        if known is not None:
            times = known[1]
        elif len(self.rows) >= PLACES:
            del self.rows[next(iter(self.rows))]
        self.rows[key] = now, times + 1
        return 0

    def told(self):
        """(client's address as text, service, seconds ago, connections) rows."""
        cdef int64_t now = clock_ns() // 1000000
        return [
            (address.decode(), service, max(now - last, 0) / 1000, times) for (address, service), (last, times) in self.rows.items()
        ]
