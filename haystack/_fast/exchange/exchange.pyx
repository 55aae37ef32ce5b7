"""What an exchange is to both its sides: the request's facts, how far it got, and what the endpoint's side may tell the client's.

Downstream is the one that fills it in and implements the calls; Upstream knows only this. Moves no bytes itself.
Time in milliseconds of the poller's clock, phases in nanoseconds. Status and error words: RFC 9110 section 15, RFC 9209 section 2.3.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t
from libc.string cimport memcmp, memmove, memset, strlen
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from haystack._fast.http1.head cimport Head, Kind, same
from haystack._fast.log.access_line cimport Entry, Text
from haystack._fast.net.poller cimport Stream, clock_ns
from haystack._fast.util.buffer cimport Buffer, add, release, reserve


cdef Py_ssize_t TRACES = 500     # in a worker until they are taken, a tenth of a second's: more are counted, not made


cdef class Exchange(Stream):
    """Base of Downstream."""

    def __dealloc__(self):
        release(&self.input)
        release(&self.note)

    cdef int connected(self) except -1:
        """The connection to the endpoint is made: the request may go up."""
        raise NotImplementedError

    cdef bint is_expectant(self) noexcept:
        """Whether it is the endpoint's turn to say that it wants the body."""
        return self.expects and self.received == 0

    cdef int informed(self, int status) except -1:
        """An interim response has come. After 100 the client has to keep up its rate."""
        if status == 100 and self.expects:
            self.expects = False
            self.deadline = 0
            self.poller.later(self)
        return 0

    cdef int pump(self) except -1:
        """The endpoint takes bytes again: send on what the client sent."""
        raise NotImplementedError

    cdef int lost(self, bint unseen, const char *error, int status) except -1:
        """The endpoint's connection broke before a response. unseen: the endpoint can't have had any of the request."""
        raise NotImplementedError

    cdef int fail(self, int status, const char *error, bytes detail) except -1:
        """Answer with an error of Haystack's own, or break off where a response has begun."""
        raise NotImplementedError

    cdef bint asked_for(self, Head *h) except -1:
        """Whether the request named every protocol that this 101 switches to."""
        raise NotImplementedError

    cdef int switched(self) except -1:
        """The endpoint's 101 has gone down: from here on bytes are raw."""
        raise NotImplementedError

    cdef int completed(self, bint reusable) except -1:
        """The response has gone down whole. reusable: the endpoint's connection is in a known state."""
        raise NotImplementedError

    cdef int cut(self) except -1:
        """The rest of the response can't be had: what came of it goes down, then an end that tells so."""
        raise NotImplementedError

    cdef int abort(self) except -1:
        """Break off both sides."""
        raise NotImplementedError

    cdef int rescue(self) except -1:
        """The endpoint can't answer any more: try elsewhere."""
        raise NotImplementedError

    cdef bint forsake(self) except -1:
        """The endpoint is silent while others answer: whether it is tried elsewhere."""
        raise NotImplementedError

    cdef bint retry(self, int status) except -1:
        """The endpoint answers with an error, of which nothing went down: whether another one is asked instead."""
        raise NotImplementedError

    cdef int skip_ahead(self) noexcept:
        """A head stands in work, and the client has its first bytes: how many."""
        cdef Buffer *work = &self.plane.work
        cdef int skipped = self.ahead
        work.end -= skipped
        memmove(work.data, work.data + skipped, work.end)
        self.ahead = 0
        return skipped

    cdef int acquit_or_confirm(self, bint fails_here_too) except -1:
        """Another endpoint answers what one failed at: that tells whose fault it was."""
        if not fails_here_too:
            self.plane.reports.confirm(self.accused, self.route.queue, self.poller.now)
        self.accused = None
        return 0

    cdef int begin_record(self, Head *h, const char *identity) except -1:
        """Copy what will be told of the request. h NULL: no head could be read; identity NULL: it was given none."""
        cdef Note note
        cdef const char *told_id = identity
        cdef const char *referrer = NULL
        cdef const char *agent = NULL
        cdef int i
        self.reused = False
        if h == NULL:
            memset(&note, 0, sizeof(note))
            self.t_routed = self.t_start = clock_ns()
            self.t_connected = self.t_first = self.received = 0
            add(&self.note, <char *>&note, sizeof(note))
            return 0
        note.method, note.host, note.target = h.method_size, max(h.host_size, 0), h.target_size
        note.identity = 0 if identity == NULL else 32
        note.referrer = note.agent = 0
        for i in range(h.count):
            if h.fields[i].kind == Kind.REQUEST_ID:
                told_id = h.fields[i].value
                note.identity = h.fields[i].value_size
            elif h.fields[i].name_size == 7 and same(h.fields[i].name, b"referer", 7):
                referrer = h.fields[i].value
                note.referrer = h.fields[i].value_size
            elif h.fields[i].name_size == 10 and same(h.fields[i].name, b"user-agent", 10):
                agent = h.fields[i].value
                note.agent = h.fields[i].value_size
        reserve(&self.note, sizeof(note) + note.method + note.host + note.target + note.identity + note.referrer + note.agent)
        add(&self.note, <char *>&note, sizeof(note))
        add(&self.note, h.method, note.method)
        if note.host:
            add(&self.note, h.host, note.host)
        add(&self.note, h.target, note.target)
        if note.identity:
            add(&self.note, told_id, note.identity)
        if note.referrer:
            add(&self.note, referrer, note.referrer)
        return add(&self.note, agent, note.agent) if note.agent else 0

    cdef int record_try(self, Member member) except -1:
        """Note the endpoint's label, with a NUL behind it."""
        cdef Py_ssize_t size
        cdef const char *label = PyUnicode_AsUTF8AndSize(member.cell.label, &size)
        return add(&self.note, label, size + 1)

    cdef int record(self) except -1:
        """Tell of the exchange, which has ended: a line, a trace, or both."""
        cdef timespec wall
        cdef int64_t at_us, total_ns = clock_ns() - self.t_start
        clock_gettime(CLOCK_REALTIME, &wall)
        at_us = <int64_t>wall.tv_sec * 1000000 + wall.tv_nsec // 1000
        if self.plane.log is not None:
            self.add_line(at_us, total_ns)
        if self.plane.traced(self.route):
            if len(self.plane.traces) < TRACES:
                self.add_trace(at_us, total_ns)
            else:
                self.plane.traces_lost += 1
        release(&self.note)
        return 0

    cdef int add_line(self, int64_t at_us, int64_t total_ns) except -1:
        cdef Entry entry
        cdef const Note *note = <const Note *>self.note.data
        cdef const char *at = self.note.data + sizeof(Note)
        entry.at_us, entry.listener, entry.minor, entry.reused = at_us, self.listener, self.minor, self.reused
        entry.client = Text(&self.address[0], self.address_size)
        entry.method = Text(at, note.method)
        entry.host = Text(entry.method.data + note.method, note.host)
        entry.target = Text(entry.host.data + note.host, note.target)
        entry.identity = Text(entry.target.data + note.target, note.identity)
        entry.referrer = Text(entry.identity.data + note.identity, note.referrer)
        entry.agent = Text(entry.referrer.data + note.referrer, note.agent)
        at = entry.agent.data + note.agent
        entry.candidates = Text(at, self.note.data + self.note.end - at)
        entry.error = Text(self.error, strlen(self.error))
        entry.detail = Text(NULL, 0) if self.detail is None else Text(PyBytes_AS_STRING(self.detail), <int>PyBytes_GET_SIZE(self.detail))
        entry.service = Text(NULL, 0) if self.route is None else utf8(self.route.service)
        entry.endpoint = Text(NULL, 0) if self.member is None else utf8(self.member.cell.label)
        entry.status, entry.received, entry.sent = self.status, self.received, self.sent
        entry.route_ns = self.t_routed - self.t_start
        entry.connect_ns = self.t_connected - self.t_routed if self.t_connected else -1
        entry.first_ns = self.t_first - self.t_connected if self.t_first else -1
        entry.total_ns = total_ns
        return self.plane.log.write(&entry)

    cdef int add_trace(self, int64_t at_us, int64_t total_ns) except -1:
        cdef const Note *note = <const Note *>self.note.data
        cdef const char *at = self.note.data + sizeof(Note)
        cdef bytes method = at[:note.method]
        at += note.method
        cdef bytes host = at[:note.host]
        at += note.host
        cdef bytes target = at[:note.target]
        at += note.target
        cdef bytes identity = at[:note.identity]
        at += note.identity
        cdef bytes referrer = at[:note.referrer]
        at += note.referrer
        cdef bytes agent = at[:note.agent]
        at += note.agent
        cdef bytes tried = at[:self.note.data + self.note.end - at]
        self.plane.traces.append((
            at_us / 1e6, self.plane.ports[self.listener], self.address[:self.address_size], method, host, target, identity, self.minor,
            tried, self.route.service if self.route is not None else "", self.member.cell.label if self.member is not None else "",
            bool(self.reused), self.status, self.received, self.sent,
            (self.t_routed - self.t_start) / 1e6, (self.t_connected - self.t_routed) / 1e6 if self.t_connected else -1.0,
            (self.t_first - self.t_connected) / 1e6 if self.t_first else -1.0, total_ns / 1e6, self.error,
            self.detail or b"", referrer, agent,
        ))
        return 0


cdef Text utf8(str text) except *:
    """Valid as long as the string is."""
    cdef Py_ssize_t size
    cdef const char *data = PyUnicode_AsUTF8AndSize(text, &size)
    return Text(data, <int>size)


cdef bint is_idempotent(const char *method, int size) noexcept:
    """RFC 9110, section 9.2.2. Methods are case-sensitive: an unknown one may do anything."""
    if size == 3:
        return memcmp(method, b"GET", 3) == 0 or memcmp(method, b"PUT", 3) == 0
    return (size == 4 and memcmp(method, b"HEAD", 4) == 0) or (size == 6 and memcmp(method, b"DELETE", 6) == 0) or (
        size == 7 and memcmp(method, b"OPTIONS", 7) == 0) or (size == 5 and memcmp(method, b"TRACE", 5) == 0)
