"""The spans of an exchange, as a collector takes them: OTLP's protocol buffers, in the words of OpenTelemetry's conventions for HTTP.

They are written where the exchange ends, without a Python object: the control process puts a message around them
(observe/otlp_message.py) and knows nothing of what is in them. Empty texts and zeros have no attribute. Decides nothing about sampling.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/ (stable). What they have no word for is below `haystack`.
https://github.com/open-telemetry/opentelemetry-proto (trace/v1: ScopeSpans.spans, Span).
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t
from libc.string cimport memchr, memcmp, memcpy, memmove

cimport cython
from haystack._fast.http1.trace_context cimport TraceContext
from haystack._fast.log.access_line cimport Entry, Text
from haystack._fast.log.protobuf cimport (
    AHEAD, LABEL, Label, Tag, put_ident, put_item, put_moment, put_number, put_tag, put_true, put_value,
)
from haystack._fast.log.url cimport GROWTH, Place, Target, place_of, put_latin1, put_redacted, target_of
from haystack._fast.util.buffer cimport pending, release, reserve, take
from haystack._fast.util.digits cimport PAIRS

cdef enum:
    ROOM = 2 << 20          # bytes of spans that may wait to be taken, some 1,500 exchanges; what comes then is dropped and counted
    KEPT = 1 << 20          # capacity that is kept between two ticks
    FIXED = 4096            # the most that both spans of an exchange have beside texts
    OFTEN = 2 * GROWTH      # bytes of both spans that one byte of a text can become: a target is in both
    ITEM_ROOM = 16          # the same of a list of texts, each of which has a NUL behind it
    HEADER = 6              # bytes of a span's tag and length at most
    CLIENT_ERRORS = 400     # statuses from here on
    SERVER_ERRORS = 500
    METHODS = 10

cdef enum Field:            # of ScopeSpans and Span: its number and type
    SPAN = 0x12
    TRACE_ID = 0x0a
    SPAN_ID = 0x12
    PARENT = 0x22
    NAME = 0x2a
    KIND = 0x30
    BEGUN = 0x39
    ENDED = 0x41
    STATUS = 0x7a

cdef enum Kind:             # Span.SpanKind
    SERVER = 2
    CLIENT = 3

cdef struct Times:          # nanoseconds of Unix time
    int64_t begun, routed, ended

# flags: it is known whether the parent is remote (bit 8), and it is (bit 9)
cdef const char *LOCAL = b"\x85\x01\x00\x01\x00\x00"
cdef const char *REMOTE = b"\x85\x01\x00\x03\x00\x00"
cdef const char *KNOWN[METHODS]
KNOWN[:] = [b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"PATCH", b"OPTIONS", b"CONNECT", b"TRACE", b"QUERY"]
cdef int KNOWN_SIZES[METHODS]
KNOWN_SIZES[:] = [3, 4, 3, 4, 6, 5, 7, 7, 5, 5]


cdef Label named(bytes name) except *:
    cdef Label label
    if len(name) + 3 > LABEL:
        raise ValueError(name)
    label.data[0] = Tag.KEY
    label.data[1] = <char>len(name)
    memcpy(label.data + 2, PyBytes_AS_STRING(name), len(name))
    label.data[2 + len(name)] = Tag.VALUE
    label.size = 3 + len(name)
    return label


cdef Label METHOD = named(b"http.request.method")
cdef Label METHOD_ORIGINAL = named(b"http.request.method_original")
cdef Label RECEIVED = named(b"http.request.body.size")
cdef Label SENT = named(b"http.response.body.size")
cdef Label STATUS_CODE = named(b"http.response.status_code")
cdef Label SCHEME = named(b"url.scheme")
cdef Label PATH = named(b"url.path")
cdef Label QUERY = named(b"url.query")
cdef Label FULL = named(b"url.full")
cdef Label SERVER_ADDRESS = named(b"server.address")
cdef Label SERVER_PORT = named(b"server.port")
cdef Label CLIENT_ADDRESS = named(b"client.address")
cdef Label PEER_ADDRESS = named(b"network.peer.address")
cdef Label PEER_PORT = named(b"network.peer.port")
cdef Label VERSION = named(b"network.protocol.version")
cdef Label AGENT = named(b"user_agent.original")
cdef Label SUBJECT = named(b"tls.client.subject")
cdef Label REQUEST_ID = named(b"http.request.header.x-request-id")
cdef Label RESENDS = named(b"http.request.resend_count")
cdef Label ERROR_TYPE = named(b"error.type")
cdef Label SERVICE = named(b"haystack.service")
cdef Label LISTENER = named(b"haystack.listener")
cdef Label CANDIDATES = named(b"haystack.candidates")
cdef Label REUSED = named(b"haystack.reused")
cdef Label OWN_ERROR = named(b"haystack.error")
cdef Label DETAIL = named(b"haystack.detail")


@cython.final
cdef class SpanBuffer:
    """The spans of one worker, oldest first: ScopeSpans.spans, one behind the other. listeners: NAME:PORT by index."""

    def __init__(self, list listeners):
        self.listeners = [name.encode() for name in listeners]
        self.fixed = FIXED + max(map(len, self.listeners), default=0)

    def __dealloc__(self):
        release(&self.spans)

    def take(self):
        """(spans, of how many exchanges, how many more there was no room for) since the last call, or None: there was nothing."""
        if self.count == 0 and self.dropped == 0:
            return None
        taken = PyBytes_FromStringAndSize(self.spans.data, pending(&self.spans)), self.count, self.dropped
        take(&self.spans, pending(&self.spans))
        if self.spans.capacity > KEPT:
            release(&self.spans)
        self.count = self.dropped = 0
        return taken

    cdef int write(self, const Entry *entry, const TraceContext *trace) except -1:
        """Add the span of an exchange and, where an endpoint was asked, that of what it was asked. MemoryError: no room for them."""
        cdef size_t most = self.fixed + longest(entry)
        cdef char *end
        if self.spans.end + most > ROOM:
            self.dropped += 1
            return 0
        reserve(&self.spans, most)
        end = self.write_server(self.spans.data + self.spans.end, entry, trace)
        if entry.candidates.size:
            end = write_client(end, entry, trace)
        self.spans.end = end - self.spans.data
        self.count += 1
        return 0

    cdef char *write_server(self, char *start, const Entry *entry, const TraceContext *trace) except NULL:
        """The span of the request itself. An error is what is the server's: 5xx, or no answer."""
        cdef bytes name = self.listeners[entry.listener]
        cdef Text listener = Text(PyBytes_AS_STRING(name), <int>PyBytes_GET_SIZE(name))
        cdef bint secure = is_secure(listener)
        cdef Place place = place_of(entry.host)
        cdef Times times = times_of(entry)
        cdef bint failed = entry.status >= SERVER_ERRORS or entry.status == 0
        cdef char *out = start + HEADER
        out = put_begin(out, entry, trace, trace.server, NULL if trace.begun else trace.caller)
        out = put_times(out, Kind.SERVER, times.begun, times.ended)
        out = put_request(out, entry)
        out = put_scheme(out, secure)
        out = put_target(out, entry.target)
        out = put_text(out, &SERVER_ADDRESS, place.host)
        out = put_number(out, &SERVER_PORT, port_of(place, secure))
        out = put_text(out, &CLIENT_ADDRESS, entry.client)
        out = put_text(out, &PEER_ADDRESS, entry.client)
        out = put_version(out, entry.version)
        out = put_text(out, &AGENT, entry.agent)
        out = put_plain(out, &SUBJECT, entry.subject)
        out = put_identity(out, entry.identity)
        out = put_plain(out, &SERVICE, entry.service)
        out = put_plain(out, &LISTENER, listener)
        out = put_candidates(out, entry.candidates)
        out = put_text(out, &OWN_ERROR, entry.error)
        out = put_text(out, &DETAIL, entry.detail)
        return closed(start, put_end(out, entry, failed, not trace.begun))


cdef char *write_client(char *start, const Entry *entry, const TraceContext *trace) noexcept nogil:
    """The span of what was asked of an endpoint, the last one where several were tried: until its answer had gone down."""
    cdef Text asked = entry.endpoint if entry.endpoint.size else last(entry.candidates)
    cdef bint secure = is_secure(entry.protocol) or equals(entry.protocol, b"h2", 2)
    cdef bint newer = equals(entry.protocol, b"h2c", 3) or equals(entry.protocol, b"h2", 2)
    cdef Place place = place_of(asked)
    cdef Times times = times_of(entry)
    cdef bint failed = entry.status >= CLIENT_ERRORS or entry.status == 0
    cdef char *out = start + HEADER
    out = put_begin(out, entry, trace, trace.client, trace.server)
    out = put_times(out, Kind.CLIENT, times.routed, times.ended)
    out = put_request(out, entry)
    out = put_full(out, secure, asked, entry.target)
    out = put_plain(out, &SERVER_ADDRESS, place.host)
    out = put_number(out, &SERVER_PORT, port_of(place, secure))
    out = put_plain(out, &PEER_ADDRESS, place.host)
    out = put_number(out, &PEER_PORT, port_of(place, secure))
    out = put_version(out, 20 if newer else 11)
    out = put_number(out, &RESENDS, count_of(entry.candidates) - 1)
    out = put_true(out, &REUSED) if entry.reused else out
    return closed(start, put_end(out, entry, failed, False))


cdef size_t longest(const Entry *entry) noexcept nogil:
    """The most bytes of both spans that the texts of this entry can become."""
    cdef size_t texts = entry.client.size + entry.method.size + entry.host.size + entry.target.size + entry.identity.size
    texts += entry.agent.size + entry.error.size + entry.detail.size + entry.service.size + entry.endpoint.size + entry.subject.size
    return OFTEN * texts + ITEM_ROOM * <size_t>entry.candidates.size


cdef char *closed(char *start, char *end) noexcept nogil:
    """The span that was written HEADER behind the start, with its tag and length in front of it; its end."""
    cdef char *body = start + HEADER
    cdef size_t size = end - body
    cdef char *out = put_tag(start, Field.SPAN, size)
    memmove(out, body, size)
    return out + size


cdef char *put_begin(char *out, const Entry *entry, const TraceContext *trace, const char *ident, const char *parent) noexcept nogil:
    """Ids and name. There is no route of few values here, so that the name is the method alone. parent: NULL: there is none."""
    cdef Text name = entry.method if is_known(entry.method) else Text(b"HTTP", 4)
    out = put_ident(out, Field.TRACE_ID, trace.trace_id, 16)
    out = put_ident(out, Field.SPAN_ID, ident, 8)
    if parent != NULL:
        out = put_ident(out, Field.PARENT, parent, 8)
    out = put_tag(out, Field.NAME, name.size)
    memcpy(out, name.data, name.size)
    return out + name.size


cdef char *put_times(char *out, Kind kind, int64_t begun, int64_t ended) noexcept nogil:
    out = put_tag(out, Field.KIND, kind)
    return put_moment(put_moment(out, Field.BEGUN, begun), Field.ENDED, ended)


cdef Times times_of(const Entry *entry) noexcept nogil:
    cdef Times times
    times.ended = entry.at_us * 1000
    times.begun = times.ended - max(<int64_t>0, entry.total_ns)
    times.routed = min(times.begun + max(<int64_t>0, entry.route_ns), times.ended)
    return times


cdef char *put_end(char *out, const Entry *entry, bint failed, bint remote) noexcept nogil:
    """The error's type, the status and the flags. remote: the parent is."""
    cdef char digits[2]
    if failed and entry.error.size:
        out = put_text(out, &ERROR_TYPE, entry.error)
    elif failed:
        out = put_status(out, entry.status)
    out = put_tag(out, Field.STATUS, 2 if failed else 0)
    if failed:
        digits[0], digits[1] = 0x18, 2          # Status.code: an error
        memcpy(out, digits, 2)
        out += 2
    memcpy(out, REMOTE if remote else LOCAL, 6)
    return out + 6


cdef char *put_status(char *out, int64_t status) noexcept nogil:
    """error.type of an answer that has no word: its three digits, or 0 where there was none."""
    cdef char digits[4]
    digits[0] = c'0' + <char>(status // 100 % 10)
    memcpy(digits + 1, PAIRS + 2 * (status % 100), 2)
    return put_value(out, &ERROR_TYPE, Tag.TEXT, digits, 3 if status else 1)


cdef char *put_request(char *out, const Entry *entry) noexcept nogil:
    """What both spans say of it."""
    if is_known(entry.method):
        out = put_text(out, &METHOD, entry.method)
    else:
        out = put_text(put_text(out, &METHOD, Text(b"_OTHER", 6)), &METHOD_ORIGINAL, entry.method)
    out = put_number(put_number(out, &RECEIVED, entry.received), &SENT, entry.sent)
    return put_number(out, &STATUS_CODE, entry.status)


cdef char *put_scheme(char *out, bint secure) noexcept nogil:
    return put_value(out, &SCHEME, Tag.TEXT, b"https", 5 if secure else 4)


cdef char *put_target(char *out, Text text) noexcept nogil:
    """Path and query."""
    cdef Target target = target_of(text)
    cdef char *query
    out = put_text(out, &PATH, Text(b"/", 1) if target.slash else target.path)
    query = out + AHEAD
    return put_value(out, &QUERY, Tag.TEXT, query, put_redacted(query, target.query.data, target.query.size) - query)


cdef char *put_full(char *out, bint secure, Text asked, Text text) noexcept nogil:
    """The URL that the endpoint was asked for."""
    cdef Target target = target_of(text)
    cdef char *full = out + AHEAD
    cdef char *end = full
    memcpy(end, b"https://", 8)
    if not secure:
        memcpy(end + 4, b"://", 3)
    end += 7 + secure
    memcpy(end, asked.data, asked.size)
    end += asked.size
    if target.slash:
        end[0] = c'/'
        end += 1
    end = put_redacted(end, target.whole.data, target.whole.size)
    return put_value(out, &FULL, Tag.TEXT, full, end - full)


cdef char *put_version(char *out, int version) noexcept nogil:
    """version: of HTTP, in tenths."""
    cdef char digits[3]
    digits[0], digits[1], digits[2] = c'0' + version // 10, c'.', c'0' + version % 10
    return put_value(out, &VERSION, Tag.TEXT, digits, 3 if version < 20 else 1)


cdef char *put_identity(char *out, Text identity) noexcept nogil:
    """Fields are lists in the conventions."""
    cdef char *item = out + AHEAD
    cdef char *text = item + AHEAD
    cdef char *end = put_latin1(text, identity.data, identity.size)
    return put_value(out, &REQUEST_ID, Tag.LIST, item, put_item(item, text, end - text) - item) if end > text else out


cdef char *put_candidates(char *out, Text candidates) noexcept nogil:
    """All that were tried, as a list."""
    cdef char *items = out + AHEAD
    cdef char *end = items
    cdef const char *at = candidates.data
    cdef const char *stop = candidates.data + candidates.size
    cdef const char *nul
    while at < stop:
        nul = <const char *>memchr(at, 0, stop - at)
        end = put_item(end, at, nul - at)
        at = nul + 1
    return put_value(out, &CANDIDATES, Tag.LIST, items, end - items)


cdef char *put_text(char *out, const Label *label, Text text) noexcept nogil:
    """An attribute of Latin-1."""
    cdef char *value = out + AHEAD
    return put_value(out, label, Tag.TEXT, value, put_latin1(value, text.data, text.size) - value)


cdef inline char *put_plain(char *out, const Label *label, Text text) noexcept nogil:
    """An attribute of UTF-8."""
    return put_value(out, label, Tag.TEXT, text.data, text.size)


cdef inline bint equals(Text text, const char *word, int size) noexcept nogil:
    return text.size == size and memcmp(text.data, word, size) == 0


cdef inline bint is_known(Text method) noexcept nogil:
    cdef int i
    for i in range(METHODS):
        if equals(method, KNOWN[i], KNOWN_SIZES[i]):
            return True
    return False


cdef inline bint is_secure(Text name) noexcept nogil:
    """Whether a listener or protocol is called https; a port may stand behind it."""
    return name.size >= 5 and memcmp(name.data, b"https", 5) == 0 and (name.size == 5 or name.data[5] == c':')


cdef inline int port_of(Place place, bint secure) noexcept nogil:
    if place.port:
        return place.port
    return 443 if secure else 80


cdef int count_of(Text candidates) noexcept nogil:
    cdef int i, count = 0
    for i in range(candidates.size):
        count += candidates.data[i] == 0
    return count


cdef Text last(Text candidates) noexcept nogil:
    """The one that was tried last: the end of the list, without its NUL."""
    cdef int at = candidates.size - 1
    while at and candidates.data[at - 1] != 0:
        at -= 1
    return Text(candidates.data + at, candidates.size - 1 - at)
