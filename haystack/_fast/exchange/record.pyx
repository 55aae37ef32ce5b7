"""An exchange's line in the access log, its trace and its outcome, written at its end.

What they say of the head is noted while it is read, where each exchange is told of; else the kept head is parsed again at the end.

The outcome is for exchanges that failed or were sent to another endpoint, whether or not anybody follows traces; so the endpoints of others
are not noted, and nothing is written of them. Its phases are known from its first failure on.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t
from libc.string cimport memset, strcmp, strlen

from haystack._fast.connection.leg cimport Peer
from haystack._fast.endpoint.tally cimport CLASSES, QueueTally, add as add_to, class_of
from haystack._fast.exchange.exchange cimport Noted, Piece, Told
from haystack._fast.http1.head cimport Field, Head, Kind, same
from haystack._fast.http1.trace_context cimport Caller, read_caller
from haystack._fast.log.access_line cimport Entry, Text
from haystack._fast.net.poller cimport wall_ns
from haystack._fast.util.buffer cimport add

# what haystack.protocol calls each, by Record.spoken
cdef const char *PROTOCOLS[5]
PROTOCOLS[:] = [b"", b"http", b"h2c", b"h2", b"https"]


cdef int note_try(Exchange x, Member member) except -1:
    """Note the endpoint's label, with a NUL behind it, and how it is spoken to."""
    cdef Py_ssize_t size
    cdef const char *label = PyUnicode_AsUTF8AndSize(member.endpoint.label, &size)
    x.record.spoken = 1 + member.endpoint.protocol
    return add(&x.record.tried, label, size + 1)


cdef int note_failure(Exchange x, Member member) except -1:
    """It has failed, at this member or at none: that is told at its end."""
    if not x.record.told and member is not None:
        note_try(x, member)             # of the others nobody would have heard
    x.record.told |= Told.NOTABLE
    return 0


cdef int note_retry(Exchange x, Member member, const char *error) except -1:
    """It has failed at this member, and may be sent to another one."""
    if x.record.retried == NULL:
        x.record.retried = error
    return note_failure(x, member)


cdef int count_exchange(Exchange x, int64_t now) except -1:
    """Count it for its service, and for the endpoint that it had last. now: nanoseconds, at its end."""
    cdef int kind = class_of(x.record.status)
    cdef QueueTally *service
    if not x.route.queue.noted:
        x.worker.traffic.note_queue(x.route)
    service = x.route.queue.tally
    service.cells[x.request.method * CLASSES + kind] += 1
    if x.attempt.tries > 1:
        service.retries += x.attempt.tries - 1
    if x.wait.joined:
        service.waits += 1
        service.waited_ms += x.attempt.waited
    if x.member is not None and not x.member.noted:
        x.worker.traffic.note_member(x.member)
    add_to(&service.alone if x.member is None else x.member.tally, kind,
           x.record.received, x.record.sent, now - x.record.t_start)
    return 0


cdef int write_record(Exchange x, int64_t now) except -1:
    """Tell of the exchange, which has ended. now: nanoseconds."""
    cdef Entry entry
    cdef bytes name
    cdef bint asked = x.request.trace.sampled or x.worker.told(x.route)
    cdef bint notable = x.record.told & Told.NOTABLE and x.worker.traces.takes_outcome(is_by_client(x), x.worker.poller.now)
    if not asked and not notable:
        return 0                        # where thousands fail, most are counted alone
    name = x.host_name()                # for as long as the entry points into it
    memset(&entry, 0, sizeof(entry))
    entry.at_us = wall_ns(now) // 1000
    entry.total_ns = now - x.record.t_start
    describe_request(&entry, x, name)
    describe_way(&entry, x)
    if x.worker.log is not None:
        x.worker.log.write(&entry)
    if x.request.trace.sampled:
        x.worker.traces.spans.kept.write(&entry, &x.request.trace)
    if notable or x.worker.traces.on:
        add_traces(x, &entry, notable)
    return 0


cdef bint is_by_client(Exchange x) noexcept:
    """Whether its client is why it failed: what was asked for can't be had, or nobody waits for it any more."""
    if x.record.retried != NULL:
        return False
    return x.route is None or 400 <= x.record.status < 500 or strcmp(x.record.error, b"connection_terminated") == 0


cdef int note_request(Exchange x, Head *h) except -1:
    """Note where in the kept head stands what is told of it. h: read from there, or from the same bytes elsewhere."""
    cdef Noted *noted = &x.record.noted
    cdef Field *f
    cdef Caller caller
    cdef int i
    noted.there = True
    noted.minor = h.minor
    noted.method = Piece(0, h.method_size)
    noted.host = piece(h, h.host, h.host_size)
    noted.target = piece(h, h.target, h.target_size)
    if x.request.trace.trace_id[0] == 0 and read_caller(h, &caller):
        noted.trace_id = piece(h, caller.trace_id, 32)
    for i in range(h.count):
        f = &h.fields[i]
        if f.kind == Kind.REQUEST_ID:
            noted.identity = Piece(<unsigned int>(f.value - h.method), f.value_size)     # also where it says nothing
        elif f.name_size == 7 and same(f.name, b"referer", 7):
            noted.referrer = piece(h, f.value, f.value_size)
        elif f.name_size == 10 and same(f.name, b"user-agent", 10):
            noted.agent = piece(h, f.value, f.value_size)
    return 0


cdef inline Piece piece(Head *h, const char *text, int size) noexcept:
    return Piece(<unsigned int>(text - h.method), size) if size > 0 else Piece(0, 0)


cdef inline Text noted_text(Exchange x, Piece piece) noexcept:
    return Text(x.head.data + piece.at, piece.size)


cdef int describe_request(Entry *entry, Exchange x, bytes name) except -1:
    """What its head says, if it could be read. name: whom it is for where there is none."""
    cdef Peer *peer = x.down.peer()
    cdef Noted *noted = &x.record.noted
    cdef Head own
    cdef Head *h
    entry.listener = peer.listener
    entry.client = Text(&peer.address[0], peer.address_size)
    entry.version = 10 * x.down.version() + (x.down.version() == 1)
    if peer.subject != NULL:
        entry.subject = Text(PyBytes_AS_STRING(<bytes>peer.subject), <int>PyBytes_GET_SIZE(<bytes>peer.subject))
    if not noted.there:
        h = x.request_head(&own)
        if h == NULL:
            entry.host = Text(PyBytes_AS_STRING(name), <int>PyBytes_GET_SIZE(name))
            return 0
        note_request(x, h)
    if x.down.version() == 1:
        entry.version = 10 + noted.minor
    entry.method, entry.host, entry.target = noted_text(x, noted.method), noted_text(x, noted.host), noted_text(x, noted.target)
    entry.referrer, entry.agent = noted_text(x, noted.referrer), noted_text(x, noted.agent)
    if noted.identity.at:
        entry.identity = noted_text(x, noted.identity)
    elif x.request.identity[0]:
        entry.identity = Text(&x.request.identity[0], sizeof(x.request.identity))
    if x.request.trace.trace_id[0]:
        entry.trace_id = Text(&x.request.trace.trace_id[0], 32)
    else:
        entry.trace_id = noted_text(x, noted.trace_id)
    return 0


cdef int describe_way(Entry *entry, Exchange x) except -1:
    """Where it went, and how it ended."""
    entry.candidates = Text(x.record.tried.data, <int>x.record.tried.end)
    if not x.is_raw():                  # whose endpoint speaks whatever its client does
        entry.protocol = Text(PROTOCOLS[x.record.spoken], <int>strlen(PROTOCOLS[x.record.spoken]))
    entry.error = Text(x.record.error, <int>strlen(x.record.error))
    if x.detail is not None:
        entry.detail = Text(PyBytes_AS_STRING(x.detail), <int>PyBytes_GET_SIZE(x.detail))
    if x.route is not None:
        entry.service = utf8(x.route.service)
    if x.member is not None:
        entry.endpoint = utf8(x.member.endpoint.label)
    entry.reused, entry.status = x.record.reused, x.record.status
    entry.received, entry.sent = x.record.received, x.record.sent
    entry.route_ns = x.record.t_routed - x.record.t_start
    entry.connect_ns = x.record.t_connected - x.record.t_routed if x.record.t_connected else -1
    entry.first_ns = x.record.t_first - x.record.t_connected if x.record.t_first else -1
    return 0


cdef Text utf8(str text) except *:
    """Valid as long as the string is."""
    cdef Py_ssize_t size
    cdef const char *data = PyUnicode_AsUTF8AndSize(text, &size)
    return Text(data, <int>size)


cdef bytes bytes_of(Text text):
    return text.data[:text.size] if text.size else b""


cdef int add_traces(Exchange x, const Entry *entry, bint notable) except -1:
    """Add its row to the traces and outcomes that are to have it."""
    cdef bint traced = x.worker.traces.wants(x.route) and x.worker.traces.has_place()
    if not traced and not notable:
        return 0
    row = row_of(x, entry)
    if traced:
        x.worker.traces.rows.append(row)
    if notable:
        x.worker.traces.outcomes.append((row, x.record.retried if x.record.retried != NULL else b""))
    return 0


cdef tuple row_of(Exchange x, const Entry *entry):
    """Its row: times in milliseconds, -1 where a phase was never reached."""
    return (
        entry.at_us / 1e6, x.worker.ports[entry.listener], bytes_of(entry.client), bytes_of(entry.method), bytes_of(entry.host),
        bytes_of(entry.target), bytes_of(entry.identity), entry.version, bytes_of(entry.candidates),
        x.route.service if x.route is not None else "", x.member.endpoint.label if x.member is not None else "",
        bool(entry.reused), entry.status, entry.received, entry.sent,
        entry.route_ns / 1e6, entry.connect_ns / 1e6 if entry.connect_ns >= 0 else -1.0,
        entry.first_ns / 1e6 if entry.first_ns >= 0 else -1.0, entry.total_ns / 1e6, bytes_of(entry.error),
        bytes_of(entry.detail), bytes_of(entry.referrer), bytes_of(entry.agent), bytes_of(entry.trace_id),
        bytes_of(entry.subject), bytes_of(entry.protocol),
    )
