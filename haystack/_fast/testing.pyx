"""Compiled functions for Python: for tests, their oracles and bench/micro alone. Nothing of Haystack imports this.

What is decided about requests and endpoints: exchange/testing.pyx.
"""
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

cimport haystack._fast.balance.ewma as ewma
from haystack._fast.balance.affinity cimport recalled, request_key, write_cookie
from haystack._fast.endpoint.endpoint cimport MAX_TRIES, Endpoint, Member, Picker, Queue, Route, let_go, take_on
from haystack._fast.endpoint.retry_budget cimport earn as earn_retry, spend as spend_retry
from haystack._fast.endpoint.tally cimport slot_of
from haystack._fast.http1.body cimport Body, Framing, begin as begin_body, feed
from haystack._fast.http1.flaw cimport Flaw, said
from haystack._fast.http1.head cimport Head, parse_request, parse_response
from haystack._fast.http1.trace_context cimport TraceContext
from haystack._fast.http1.upgrade cimport keeps_to
from haystack._fast.log.access_line cimport Entry, Log, Text
from haystack._fast.log.otlp_span cimport SpanBuffer
from haystack._fast.net.poller cimport clock_ns
from haystack._fast.routing.router cimport Router
from haystack._fast.util.buffer cimport Buffer, add, release
from haystack._fast.util.digest cimport digest
from haystack._fast.util.digits cimport write_ip4
from haystack._fast.util.random_numbers cimport mix
from haystack._fast.worker.callers cimport Callers


cdef object exported(Head *h, int used, bint request):
    """The head as Python objects: (size, first, second, minor, fields, length, chunked)."""
    fields = [(h.fields[i].name[:h.fields[i].name_size], h.fields[i].value[:h.fields[i].value_size]) for i in range(h.count)]
    first = h.method[:h.method_size] if request else h.status
    second = h.target[:h.target_size] if request else h.reason[:h.reason_size]
    return used, first, second, h.minor, fields, h.length, bool(h.chunked)


def request_head(bytes data):
    """Parse data as a request's head: a tuple of its parts, 0 while incomplete, or minus the status that refuses it."""
    cdef Head h
    cdef int used = parse_request(&h, data, len(data))
    return exported(&h, used, True) if used > 0 else used


def response_head(bytes data):
    """Parse data as a response's head: a tuple of its parts, 0 while incomplete, or -502."""
    cdef Head h
    cdef int used = parse_response(&h, data, len(data))
    return exported(&h, used, False) if used > 0 else -502 if used else 0


def duration_slot(int64_t ns):
    """The slot that a duration is counted in."""
    return slot_of(ns)


def flaw_of_head(bytes data, bint of_request=True):
    """Why data is refused as a head, or None."""
    cdef Head h
    cdef int used = parse_request(&h, data, len(data)) if of_request else parse_response(&h, data, len(data))
    return said(b"refused", h.flaw) if used < 0 else None


def parse_heads(bytes data, int count, bint of_request=True):
    """Parse data so many times over; gives the size of the head. ValueError: it is none."""
    cdef Head h
    cdef int _round, used = 0
    cdef const char *p = data
    cdef size_t size = len(data)
    with nogil:
        for _round in range(count):
            used = parse_request(&h, p, size) if of_request else parse_response(&h, p, size)
    if used <= 0:
        raise ValueError(f"no head: {used}")
    return used


def decode_chunks(pieces):
    """Decode a chunked body given in pieces: (body, done, bytes left over). ValueError: bad framing."""
    cdef Body b
    cdef const char *part
    cdef size_t part_size, at
    cdef Py_ssize_t used
    cdef bytes piece
    found = []
    left = b""
    begin_body(&b, Framing.CHUNKED, 0)
    for piece in pieces:
        at = 0
        while at < <size_t>len(piece) and not b.done:
            used = feed(&b, <const char *>piece + at, len(piece) - at, &part, &part_size)
            if used < 0:
                raise ValueError(said(b"bad chunk framing", b.flaw).decode())
            if not b.trailing:
                found.append(part[:part_size])
            at += used
        left += piece[at:]
    return b"".join(found), bool(b.done), left


def decode_bodies(bytes data, int count):
    """Decode data, a whole chunked body, so many times over; gives the bytes of the body. ValueError: bad framing."""
    cdef Body b
    cdef const char *p = data
    cdef const char *part
    cdef size_t part_size, at, size = len(data), found = 0
    cdef Py_ssize_t used
    cdef int _round
    for _round in range(count):
        begin_body(&b, Framing.CHUNKED, 0)
        at = found = 0
        while not b.done:
            used = feed(&b, p + at, size - at, &part, &part_size)
            if used <= 0:
                raise ValueError("bad chunk framing")
            at += used
            if not b.trailing:
                found += part_size
    return found


def flaws():
    """The texts of all flaws, in the order of the enum."""
    return [said(b"", <Flaw>each) for each in range(Flaw.FLAWS)]


def agrees(bytes request, bytes response):
    """keeps_to of two whole heads, where any protocol may be asked for that can be. ValueError: one is no such head."""
    cdef Head asked, answer
    read_head(&asked, request)
    if parse_response(&answer, response, len(response)) <= 0:
        raise ValueError("not a response's head")
    return keeps_to(&asked, (b"any",), &answer)


def digest_of(bytes data, uint64_t seed=0):
    """The digest."""
    return digest(data, len(data), seed)


cdef Text text_of(bytes held) noexcept:
    """Valid as long as `held` is."""
    cdef Text text
    text.data = held
    text.size = len(held)
    return text


cdef list describe(Entry *entry, object trace):
    """Fill the entry with a Trace whose phases and time are as exact as a line tells them. What it points into."""
    names = ("client", "method", "host", "target", "request_id", "error", "detail", "referrer", "user_agent", "trace_id", "protocol")
    latin = [getattr(trace, name).encode("latin-1") for name in names]
    utf8 = [trace.service.encode(), trace.endpoint.encode(), "".join(f"{c}\0" for c in trace.candidates).encode()]
    utf8.append(trace.client_subject.encode())
    entry.client, entry.method, entry.host = text_of(latin[0]), text_of(latin[1]), text_of(latin[2])
    entry.target, entry.identity = text_of(latin[3]), text_of(latin[4])
    entry.error, entry.detail = text_of(latin[5]), text_of(latin[6])
    entry.referrer, entry.agent, entry.trace_id = text_of(latin[7]), text_of(latin[8]), text_of(latin[9])
    entry.protocol = text_of(latin[10])
    entry.service, entry.endpoint, entry.candidates = text_of(utf8[0]), text_of(utf8[1]), text_of(utf8[2])
    entry.subject = text_of(utf8[3])
    entry.at_us = round(trace.time * 1000000)
    entry.listener, entry.reused, entry.status = 0, trace.reused, trace.status
    entry.version = {"1.0": 10, "2": 20}.get(trace.version, 11)
    entry.received, entry.sent = trace.received, trace.sent
    entry.route_ns, entry.connect_ns = round(trace.route_ms * 1000000), round(trace.connect_ms * 1000000)
    entry.first_ns, entry.total_ns = round(trace.first_byte_ms * 1000000), round(trace.total_ms * 1000000)
    return [latin, utf8]


def access_line(str form, object trace, fields=()):
    """The line of a Trace."""
    cdef Log log = Log(form, trace.worker, [trace.listener], fields)
    cdef Entry entry
    held = describe(&entry, trace)
    log.write(&entry)
    del held
    return log.take()[0]


def add_spans(SpanBuffer spans, object trace, bytes server, bytes caller, bytes client):
    """Add the spans of a Trace. Ids: sixteen hexadecimal digits; caller: empty: there is none."""
    cdef Entry entry
    cdef TraceContext context
    held = describe(&entry, trace)
    context.begun, context.sampled = not caller, True
    memcpy(context.trace_id, entry.trace_id.data, 32)
    memcpy(context.server, <const char *>server, 16)
    memcpy(context.client, <const char *>client, 16)
    if caller:
        memcpy(context.caller, <const char *>caller, 16)
    spans.write(&entry, &context)
    del held


def lookup_ns(Router router, list requests, int rounds):
    """Nanoseconds a lookup takes, the requests' (host, path) pairs in turn."""
    cdef Buffer texts
    cdef int64_t start
    cdef size_t at
    cdef short sizes[2]
    memset(&texts, 0, sizeof(Buffer))
    for host, path in requests:         # one behind the other, for a request has its head in the cache
        sizes[0], sizes[1] = len(host), len(path)
        add(&texts, <char *>sizes, 4)
        add(&texts, host, len(host))
        add(&texts, path, len(path))
    start = clock_ns()
    for _ in range(rounds):
        at = 0
        while at < texts.end:
            memcpy(sizes, texts.data + at, 4)
            router.find(0, texts.data + at + 4, sizes[0], texts.data + at + 4 + sizes[0], sizes[1])
            at += 4 + sizes[0] + sizes[1]
    start = clock_ns() - start
    release(&texts)
    return start / (rounds * len(requests))


cdef int read_head(Head *h, bytes head) except -1:
    if parse_request(h, head, len(head)) <= 0:
        raise ValueError("not a request's head")
    return 0


def key_of(Route route, bytes head, bytes address):
    """request_key of a request's head as it came. ValueError: no whole head."""
    cdef Head h
    read_head(&h, head)
    return request_key(route, &h, address, <int>len(address))


def recall(Route route, bytes head):
    """`recalled` of a request's head as it came. ValueError: no whole head."""
    cdef Head h
    read_head(&h, head)
    return recalled(route, &h)


def cookie_line(Route route, Member member):
    """What write_cookie writes."""
    cdef Buffer b
    b.data = NULL
    b.start = b.end = b.capacity = 0
    try:
        write_cookie(&b, route, member)
        return b.data[:b.end]
    finally:
        release(&b)


def pass_time(double seconds):
    """Put the pickers' clock forward."""
    ewma.ahead += <int64_t>(seconds * 1e9)


def choose(Picker picker, list tried, uint64_t key=0):
    """Pick once, skipping the members in tried."""
    cdef void *pointers[MAX_TRIES]
    cdef int i
    for i in range(min(len(tried), <Py_ssize_t>MAX_TRIES)):
        pointers[i] = <void *>tried[i]
    return picker.pick(key, pointers, <int>len(tried))


def load(Endpoint endpoint, int by):
    """Put so many exchanges in flight on a endpoint, or take them away."""
    cdef int _i
    for _i in range(abs(by)):
        if by > 0:
            take_on(endpoint)
        else:
            let_go(endpoint)


def hear(Picker picker, Member member, double seconds):
    """Tell a picker that a member answered after so long, or failed where it is negative."""
    if seconds < 0:
        picker.failed(member)
    else:
        picker.answered(member, <int64_t>(seconds * 1e9))


def earn(Queue queue):
    """Tell a service's retry budget of a new request."""
    earn_retry(&queue.budget)


def spend(Queue queue, double now):
    """Whether the budget lets a request be sent again. now: seconds of a clock that only grows."""
    return spend_retry(&queue.budget, <int64_t>(now * 1000))


def picks_ns(Picker picker, int64_t times):
    """Nanoseconds that so many picks took in all, and their taking on and letting go: each is in flight while 64 more are picked."""
    cdef void *held[64]
    cdef int64_t i, start
    cdef Member member
    for i in range(64):
        held[i] = NULL
    start = clock_ns()
    for i in range(times + 64):
        if held[i & 63] != NULL:
            let_go((<Member>held[i & 63]).endpoint)
            held[i & 63] = NULL
        if i < times:
            member = picker.pick(mix(i), NULL, 0)
            take_on(member.endpoint)
            held[i & 63] = <void *>member
    return clock_ns() - start


def ip4_text(bytes octets):
    """An IPv4 address as Haystack writes it."""
    cdef char text[16]
    return text[:write_ip4(text, <const unsigned char *><const char *>octets)]


def note_caller(Callers callers, bytes address, str service, int64_t now):
    """A client calls a service. now: milliseconds."""
    callers.note(address, <int>len(address), service, now)
