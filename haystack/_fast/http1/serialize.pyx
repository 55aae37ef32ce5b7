"""The head that goes on, made from the one that came: hop-by-hop fields out, framing and forwarding fields of our own in.

RFC 9110, section 7.6; RFC 9112, sections 6 and 9; RFC 9209 for answers of Haystack's own. Never reads a socket, decides no framing.
"""
from libc.time cimport time, time_t
from libc.string cimport strlen

from haystack._fast.http1.flaw cimport Flaw
from haystack._fast.http1.forwarding cimport add_forwarding
from haystack._fast.http1.head cimport Field, Head, Kind, parse_trailer, same
from haystack._fast.http1.trace_context cimport write_traceparent
from haystack._fast.http1.upgrade cimport offer
from haystack._fast.util.buffer cimport Buffer, add, put, reserve
from haystack._fast.util.digits cimport decimal


cdef extern from "time.h" nogil:
    struct tm:
        pass
    tm *gmtime_r(const time_t *, tm *)
    size_t strftime(char *, size_t, const char *, const tm *)

cdef char date[64]
cdef size_t date_size = 0
cdef time_t date_of = -1


cdef int add_field(Buffer *out, Field *f) except -1:
    """A field in its normal form: name, colon, one space, value."""
    if f.normal:
        return add(out, f.name, f.size)
    add(out, f.name, f.name_size)
    add(out, b": ", 2)
    add(out, f.value, f.value_size)
    return add(out, b"\r\n", 2)


cdef inline int text(Buffer *out, const char *what) except -1:
    return add(out, what, strlen(what))


cdef enum:      # kinds of fields, one bit each
    PLAIN = 1 << Kind.OTHER | 1 << Kind.REQUEST_ID | 1 << Kind.EXPECT | 1 << Kind.DATE | 1 << Kind.VIA
    # a trusted proxy's word goes on; the rest of it is in what add_forwarding writes
    BELIEVED = 1 << Kind.FORWARDED | 1 << Kind.FORWARDED_HOST | 1 << Kind.FORWARDED_PORT | 1 << Kind.FORWARDED_PROTO
    OF_REQUEST = PLAIN | 1 << Kind.HOST
    OF_RESPONSE = OF_REQUEST | BELIEVED | 1 << Kind.FORWARDED_FOR | 1 << Kind.REAL_IP


cdef int add_kept(Buffer *out, Head *h, int kept) except -1:
    """The fields that go on, in their order; neighbours that stand in normal form are one copy. kept: of these kinds."""
    cdef int i
    cdef Field *f
    cdef const char *run = NULL
    cdef size_t size = 0
    if h.chunked:
        kept |= 1 << Kind.TRAILER
    if h.count and not h.kinds & ~<unsigned int>kept:       # all of them, as they stand
        f = &h.fields[h.count - 1]
        return add(out, h.fields[0].name, f.name + f.size - h.fields[0].name)
    for i in range(h.count):
        f = &h.fields[i]
        if kept >> f.kind & 1 and f.normal:
            if run != NULL and run + size == f.name:
                size += f.size
                continue
            if run != NULL:
                add(out, run, size)
            run = f.name
            size = f.size
            continue
        if run != NULL:
            add(out, run, size)
            run = NULL
        if kept >> f.kind & 1:
            add_field(out, f)
    if run != NULL:
        add(out, run, size)
    return 0


cdef bint has(Head *h, int kind) noexcept:
    cdef int i
    for i in range(h.count if h.kinds >> kind & 1 else 0):
        if h.fields[i].kind == kind:
            return True
    return False


cdef int add_upgrade(Buffer *out, Head *h) except -1:
    """Connection and Upgrade, the latter with what it named (RFC 9110, section 7.8)."""
    cdef int i
    text(out, b"Connection: Upgrade\r\n")
    for i in range(h.count):
        if h.fields[i].kind == Kind.UPGRADE:
            add_field(out, &h.fields[i])
    return 0


cdef bint write_request(Buffer *out, Head *h, Client *client, tuple upgrade) except -1:
    """The upstream's request head: always HTTP/1.1, framing as parsed, Host as it came. Whether it asks for another protocol.

    upgrade: names of those that it may ask for, beside websocket.
    """
    cdef const char *target = h.target
    cdef char *at
    cdef bint offers
    cdef int size = h.target_size, i, kept = OF_REQUEST
    if client.absolute:
        # absolute form becomes origin form for the origin, and its host is the Host (RFC 9112, section 3.2.2)
        i = 7
        while i < size and target[i] != c'/' and target[i] != c'?':
            i += 1
        target += i
        size -= i
    reserve(out, h.method_size + h.target_size + 512)
    at = put(out.data + out.end, h.method, h.method_size)
    at = put(at, b" ", 1)
    if size == 0 and h.method_size == 7 and same(h.method, b"options", 7):
        at = put(at, b"*", 1)               # RFC 9112, section 3.2.4
    elif size == 0 or target[0] == c'?':
        at = put(at, b"/", 1)
    at = put(at, target, size)
    at = put(at, b" HTTP/1.1\r\n", 11)
    out.end = at - out.data
    if client.absolute:
        text(out, b"Host: ")
        add(out, h.host, h.host_size)
        add(out, b"\r\n", 2)
    elif h.host_size < 0:
        text(out, b"Host: \r\n")        # of HTTP/1.0, and now of 1.1, which must have one (RFC 9112, section 3.2)
    if client.trusted:
        kept |= BELIEVED
    if client.absolute:
        kept &= ~(1 << Kind.HOST)
    add_kept(out, h, kept)
    # which HTTP/1.0 knows nothing of (RFC 9110, section 7.8)
    offers = h.upgrade and h.minor == 1 and offer(out, h, upgrade)
    if not offers and h.trailers:
        text(out, b"Connection: TE\r\nTE: trailers\r\n")
    if h.chunked:
        text(out, b"Transfer-Encoding: chunked\r\n")
    elif h.length >= 0:
        text(out, b"Content-Length: ")
        decimal(out, h.length)
        add(out, b"\r\n", 2)
    add_forwarding(out, h, client)
    if client.forwards >= 0:
        text(out, b"Max-Forwards: ")
        decimal(out, client.forwards)
        add(out, b"\r\n", 2)
    if client.trace != NULL:
        write_traceparent(out, client.trace)
    if not has(h, Kind.REQUEST_ID):
        reserve(out, 64)
        at = put(out.data + out.end, b"X-Request-Id: ", 14)
        at = put(at, client.request_id, 32)
        out.end = put(at, b"\r\n", 2) - out.data
    add(out, b"\r\n", 2)
    return offers


cdef int write_response(Buffer *out, Head *h, bint with_length, bint chunked, bint close, int minor) except -1:
    """The client's response head but for its empty line: HTTP/1.1 and our own framing and connection fields. minor: 2 stands for HTTP/2."""
    reserve(out, 512)
    add(out, b"HTTP/1.1 ", 9)
    if h.reason_size:
        add(out, h.code, h.reason + h.reason_size - h.code)
        add(out, b"\r\n", 2)
    else:
        add(out, h.code, 3)
        add(out, b" \r\n", 3)
    add_kept(out, h, OF_RESPONSE)
    if h.status == 426 and minor == 1:
        add_upgrade(out, h)             # which protocols it wants instead (RFC 9110, section 15.5.22)
    if with_length:
        text(out, b"Content-Length: ")
        decimal(out, h.length)
        add(out, b"\r\n", 2)
    elif chunked:
        text(out, b"Transfer-Encoding: chunked\r\n")
    if close:
        text(out, b"Connection: close\r\n")
    elif minor == 0:
        text(out, b"Connection: keep-alive\r\n")
    return 0


cdef int write_date(Buffer *out) except -1:
    """Date, for a response that came without (RFC 9110, section 6.6.1). Made once a second."""
    global date_size, date_of
    cdef time_t now = time(NULL)
    cdef tm parts
    if now != date_of:
        gmtime_r(&now, &parts)
        date_size = strftime(date, sizeof(date), b"Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts)
        date_of = now
    return add(out, date, date_size)


cdef int write_switch(Buffer *out, Head *h) except -1:
    """The client's 101."""
    text(out, b"HTTP/1.1 101 Switching Protocols\r\n")
    add_kept(out, h, OF_RESPONSE)
    add_upgrade(out, h)
    return add(out, b"\r\n", 2)


# What a trailer section may not hold, beside everything that has a Kind (RFC 9110, section 6.5.1): a reader that merges it into the head
# would take it for framing, routing, authentication or a control of its cache.
cdef frozenset NO_TRAILERS = frozenset((
    b"age", b"authorization", b"cache-control", b"content-encoding", b"content-range", b"content-type", b"cookie", b"date", b"expires",
    b"location", b"max-forwards", b"pragma", b"range", b"retry-after", b"set-cookie", b"vary", b"warning", b"www-authenticate",
    b"authentication-info", b"proxy-authentication-info", b"proxy-status",
))


cdef Flaw flaw_of_trailer(Buffer *trailer) noexcept:
    """The reason why a received trailer section is refused, or NO_FLAW."""
    cdef Head h
    h.flaw = Flaw.NO_FLAW
    if trailer.end > 2:
        parse_trailer(&h, trailer.data, trailer.end)
    return h.flaw


cdef int write_last_chunk(Buffer *out, Buffer *trailer, bint drop) except -1:
    """The end of a chunked body, with what may go on of its trailer section. NULL: it has none.

    drop: nothing may, for the message's Connection listed fields, and one of them could be here (RFC 9110, section 7.6.1).
    """
    cdef Head h
    cdef int i, used
    add(out, b"0\r\n", 3)
    if trailer != NULL and trailer.end > 2 and not drop:
        used = parse_trailer(&h, trailer.data, trailer.end)
        for i in range(h.count if used > 0 else 0):
            name = h.fields[i].name[:h.fields[i].name_size].lower()
            if h.fields[i].kind == Kind.OTHER and name not in NO_TRAILERS and not name.startswith(b"if-"):
                add_field(out, &h.fields[i])
    return add(out, b"\r\n", 2)
