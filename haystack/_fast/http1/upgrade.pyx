"""Which protocols of an Upgrade go up, and whether a 101 switches to one of them (RFC 9110, section 7.8).

websocket goes up, and what haystack.upgrade names. h2c and TLS never do: requests behind them would be seen by nobody here (RFC 9113,
section 3.1; RFC 2817). Sends nothing.
"""
from libc.string cimport memchr

from haystack._fast.http1.head cimport Field, Head, Kind
from haystack._fast.util.buffer cimport Buffer, add

cdef extern from "strings.h" nogil:
    int strncasecmp(const char *, const char *, size_t)

cdef struct Protocol:
    const char *name
    int size                # of name
    const char *version
    int version_size        # 0: none was said
    int whole_size          # of both


cdef struct Reader:         # goes through all Upgrade fields of a head
    Head *head
    int field
    int at                  # in its value


cdef bint offer(Buffer *out, Head *h, tuple named) except -1:
    """Write Connection and Upgrade with those of h's protocols that go on; False, and nothing is written: none does.

    named: protocols beside websocket that may, in lower case.
    """
    cdef Reader reader = Reader(h, 0, 0)
    cdef Protocol protocol
    cdef bint any = False
    while next_protocol(&reader, &protocol):
        if not passes(&protocol, named):
            continue
        add(out, b", " if any else b"Connection: Upgrade\r\nUpgrade: ", 2 if any else 30)
        add(out, protocol.name, protocol.whole_size)
        any = True
    if any:
        add(out, b"\r\n", 2)
    return any


cdef bint passes(const Protocol *protocol, tuple named) except -1:
    """Whether the protocol may go up. named: by the label, in lower case."""
    cdef bytes name = protocol.name[:protocol.size].lower()
    if name == b"websocket":
        return True
    # protocols that carry further requests past the proxy: of HTTP/2 all that its drafts were called, too
    if name.startswith((b"h2", b"h3", b"tls", b"ssl")) or name in (b"http", b"https"):
        return False
    return name in named or b"any" in named


cdef bint keeps_to(Head *asked, tuple named, Head *answer) except -1:
    """True when the 101 whose head is `answer` names a protocol, and none that the request did not name or that did not go up."""
    cdef Reader reader = Reader(answer, 0, 0)
    cdef Protocol protocol
    cdef bint any = False
    while next_protocol(&reader, &protocol):
        any = True
        if not passes(&protocol, named) or not is_named(asked, &protocol):
            return False
    return any


cdef bint is_named(Head *head, const Protocol *protocol) noexcept:
    """Names are compared in any case; versions where both sides say one."""
    cdef Reader reader = Reader(head, 0, 0)
    cdef Protocol other
    while next_protocol(&reader, &other):
        if other.size != protocol.size or strncasecmp(other.name, protocol.name, other.size) != 0:
            continue
        if other.version_size == 0 or protocol.version_size == 0:
            return True
        if other.version_size == protocol.version_size and strncasecmp(other.version, protocol.version, other.version_size) == 0:
            return True
    return False


cdef bint next_protocol(Reader *reader, Protocol *protocol) noexcept:
    """The next one of the list, which may go on over several fields and have empty places (section 5.6.1); False: there is none left."""
    cdef Field *field
    cdef int start, end
    while reader.field < reader.head.count:
        field = &reader.head.fields[reader.field]
        if field.kind != Kind.UPGRADE or reader.at >= field.value_size:
            reader.field += 1
            reader.at = 0
            continue
        start = end = reader.at
        while end < field.value_size and field.value[end] != c',':
            end += 1
        reader.at = end + 1
        while start < end and field.value[start] in b" \t":
            start += 1
        while end > start and field.value[end - 1] in b" \t":
            end -= 1
        if end > start:
            split(protocol, field.value + start, end - start)
            return True
    return False


cdef void split(Protocol *protocol, const char *data, int size) noexcept:
    """protocol-name [ "/" protocol-version ]."""
    cdef const char *slash = <const char *>memchr(data, c'/', size)
    protocol.name = data
    protocol.size = size if slash == NULL else <int>(slash - data)
    protocol.version = data if slash == NULL else slash + 1
    protocol.whole_size = size
    protocol.version_size = 0 if slash == NULL else size - protocol.size - 1
