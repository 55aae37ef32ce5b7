"""What an exchange is to both its sides: the request's facts, how far it got, and what the endpoint's side may tell the client's.

Downstream is the one that fills it in and implements the calls; Upstream knows only this. Moves no bytes itself.
Time in milliseconds of the poller's clock, phases in nanoseconds. Status and error words: RFC 9110 section 15, RFC 9209 section 2.3.
"""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.string cimport memcmp
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from haystack._fast.buffer cimport release
from haystack._fast.head cimport Head, Kind
from haystack._fast.poller cimport Stream, clock_ns


cdef class Exchange(Stream):
    """Base of Downstream."""

    def __dealloc__(self):
        release(&self.input)

    cdef int connected(self) except -1:
        """The connection to the endpoint is made: the request may go up."""
        raise NotImplementedError

    cdef int pump(self) except -1:
        """The endpoint takes bytes again: send on what the client sent."""
        raise NotImplementedError

    cdef int lost(self, bint unseen, const char *error, int status) except -1:
        """The endpoint's connection broke before a response. unseen: the endpoint can't have had any of the request."""
        raise NotImplementedError

    cdef int fail(self, int status, const char *error, bytes detail) except -1:
        """Answer with an error of Haystack's own, or break off where a response has begun."""
        raise NotImplementedError

    cdef int switched(self) except -1:
        """The endpoint's 101 has gone down: from here on bytes are raw."""
        raise NotImplementedError

    cdef int completed(self, bint reusable) except -1:
        """The response has gone down whole. reusable: the endpoint's connection is in a known state."""
        raise NotImplementedError

    cdef int abort(self) except -1:
        """Break off both sides."""
        raise NotImplementedError

    cdef int rescue(self) except -1:
        """The endpoint can't answer any more: try elsewhere."""
        raise NotImplementedError

    cdef int begin_record(self, Head *h, const char *identity) except -1:
        """Keep what a trace tells of the request: (method, host, target, request id, version)."""
        cdef int i
        told_id = identity[:32]
        for i in range(h.count):
            if h.fields[i].kind == Kind.REQUEST_ID:
                told_id = h.fields[i].value[:h.fields[i].value_size]
        host = h.host[:h.host_size] if h.host_size > 0 else b""
        target = PyBytes_FromStringAndSize(h.target, h.target_size)
        self.told = h.method[:h.method_size], host, target, told_id, b"1.1" if h.minor else b"1.0"
        self.candidates = []
        return 0

    cdef int record(self) except -1:
        """Add the exchange to the plane's traces."""
        cdef int64_t now = clock_ns()
        cdef timespec wall
        clock_gettime(CLOCK_REALTIME, &wall)
        self.plane.traces.append((
            wall.tv_sec + wall.tv_nsec / 1e9, self.plane.ports[self.listener], self.address[:self.address_size], self.told, self.candidates,
            self.route.service if self.route is not None else "", self.member.cell.label if self.member is not None else "",
            bool(self.reused), self.status, self.received, self.sent,
            (self.t_routed - self.t_start) / 1e6, (self.t_connected - self.t_routed) / 1e6 if self.t_connected else -1.0,
            (self.t_first - self.t_connected) / 1e6 if self.t_first else -1.0, (now - self.t_start) / 1e6, self.error,
        ))
        self.told = None
        return 0


cdef bint is_idempotent(const char *method, int size) noexcept:
    """RFC 9110, section 9.2.2. Methods are case-sensitive: an unknown one may do anything."""
    if size == 3:
        return memcmp(method, b"GET", 3) == 0 or memcmp(method, b"PUT", 3) == 0
    return (size == 4 and memcmp(method, b"HEAD", 4) == 0) or (size == 6 and memcmp(method, b"DELETE", 6) == 0) or (
        size == 7 and memcmp(method, b"OPTIONS", 7) == 0) or (size == 5 and memcmp(method, b"TRACE", 5) == 0)
