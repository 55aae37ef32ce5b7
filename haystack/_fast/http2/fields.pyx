"""A request's field section as the HTTP/1 head that says the same, and a written head as the pairs of a field section.

So there is one reader of heads for both protocols, and an endpoint can't tell which one a client spoke. RFC 9113, section 8.
"""
from binascii import b2a_base64

from libc.string cimport memchr, memcmp

from haystack._fast.http1.head cimport is_token
from haystack._fast.http2.nghttp2 cimport NGHTTP2_NV_FLAG_NO_INDEX, NGHTTP2_NV_FLAG_NONE
from haystack._fast.util.buffer cimport add, release, take
from haystack._fast.util.digits cimport write_hex
from haystack._fast.util.random_numbers cimport next_random
from haystack._fast.util.scan cimport first_control, same_any
from haystack.model.hashes import sha1

cdef bytes GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
cdef const char *NAMES[5]
NAMES[:] = [b":method", b":scheme", b":authority", b":path", b":protocol"]
cdef int[5] NAME_SIZES = [7, 7, 10, 5, 9]


cdef void begin(Section *s) noexcept:
    """Begin to collect a field section."""
    cdef int i
    for i in range(<int>Pseudo.PSEUDOS):
        s.sizes[i] = -1
    s.size = s.count = 0
    s.begun = s.framed = s.bad = False
    s.head.start = s.head.end = s.cookie.start = s.cookie.end = s.pseudo.start = s.pseudo.end = 0


cdef void drop(Section *s) noexcept:
    """Free its memory."""
    release(&s.head)
    release(&s.cookie)
    release(&s.pseudo)


cdef int take_field(Section *s, const char *name, size_t name_size, const char *value, size_t value_size) except -1:
    """Add a field. nghttp2 has checked order and names; control characters, which could end a line of HTTP/1, are refused here again."""
    s.size += <int>(name_size + value_size) + OVERHEAD
    if first_control(value, value, value + value_size) != value + value_size:
        s.bad = True
        return 0
    if name[0] == c':':
        return take_pseudo(s, name, name_size, value, value_size)
    if not s.begun:
        begin_head(s)
    return take_regular(s, name, name_size, value, value_size)


cdef int take_pseudo(Section *s, const char *name, size_t name_size, const char *value, size_t value_size) except -1:
    cdef int i
    for i in range(<int>Pseudo.PSEUDOS):
        if name_size == <size_t>NAME_SIZES[i] and memcmp(name, NAMES[i], name_size) == 0:
            s.starts[i] = <int>s.pseudo.end
            s.sizes[i] = <int>value_size
            s.count += i == <int>Pseudo.AUTHORITY       # the others are the request line, in HTTP/1
            add(&s.pseudo, value, value_size)
            if i == <int>Pseudo.PATH and value[0] != c'/' and not (value_size == 1 and value[0] == c'*'):
                s.bad = True            # nghttp2 lets it pass with schemes other than http; in HTTP/1 it would name another host
            return 0
    s.bad = True
    return 0


cdef int take_regular(Section *s, const char *name, size_t name_size, const char *value, size_t value_size) except -1:
    cdef size_t i
    s.count += 1
    for i in range(name_size):
        if not is_token(name[i]):
            s.bad = True
            return 0
    if name_size == 6 and memcmp(name, b"cookie", 6) == 0:
        if s.cookie.end:                # crumbs (section 8.2.3)
            add(&s.cookie, b"; ", 2)
        return add(&s.cookie, value, value_size)
    if name_size == 4 and memcmp(name, b"host", 4) == 0 and s.sizes[<int>Pseudo.AUTHORITY] >= 0:
        # it says the same, or the request is malformed (section 8.3.1)
        s.bad = s.bad or not is_authority(s, value, value_size)
        return 0
    if is_websocket(s) and is_of_upgrade(name, name_size):
        return 0
    if name_size == 14 and memcmp(name, b"content-length", 14) == 0:
        s.framed = True
    elif name_size == 2 and memcmp(name, b"te", 2) == 0:
        add(&s.head, b"connection: te\r\n", 16)
    add_line(&s.head, name, name_size, value, value_size)
    return 0


cdef bint is_of_upgrade(const char *name, size_t size) noexcept:
    """Whether this field is dropped from an extended CONNECT that goes on as an Upgrade: it has no body, and its key is made here."""
    return (size == 14 and memcmp(name, b"content-length", 14) == 0) or (size == 6 and memcmp(name, b"expect", 6) == 0) or (
        size == 17 and memcmp(name, b"sec-websocket-key", 17) == 0)


cdef bint is_authority(Section *s, const char *value, size_t value_size) noexcept:
    cdef int size = s.sizes[<int>Pseudo.AUTHORITY]
    return <size_t>size == value_size and same_any(s.pseudo.data + s.starts[<int>Pseudo.AUTHORITY], value, size)


cdef int add_line(Buffer *out, const char *name, size_t name_size, const char *value, size_t value_size) except -1:
    add(out, name, name_size)
    add(out, b": ", 2)
    add(out, value, value_size)
    return add(out, b"\r\n", 2)


cdef int add_pseudo(Section *s, Pseudo which) except -1:
    if s.sizes[<int>which] > 0:
        add(&s.head, s.pseudo.data + s.starts[<int>which], s.sizes[<int>which])
    return 0


cdef bint is_websocket(Section *s) noexcept:
    """Whether it is an extended CONNECT for a WebSocket (RFC 8441)."""
    return s.sizes[<int>Pseudo.PROTOCOL] == 9 and same_any(
        s.pseudo.data + s.starts[<int>Pseudo.PROTOCOL], b"websocket", 9)


cdef int begin_head(Section *s) except -1:
    """Write request line and Host (RFC 9113, section 8.3.1), and for a WebSocket its Upgrade (RFC 8441, section 5; RFC 6455, 4.1)."""
    cdef bint websocket = is_websocket(s)
    s.begun = True
    if websocket:
        add(&s.head, b"GET", 3)
    else:
        add_pseudo(s, Pseudo.METHOD)
    add(&s.head, b" ", 1)
    # CONNECT has no path, and the place to go to instead (section 8.5)
    add_pseudo(s, Pseudo.AUTHORITY if s.sizes[<int>Pseudo.PATH] < 0 else Pseudo.PATH)
    add(&s.head, b" HTTP/1.1\r\n", 11)
    if s.sizes[<int>Pseudo.AUTHORITY] >= 0:
        add_line(&s.head, b"host", 4, s.pseudo.data + s.starts[<int>Pseudo.AUTHORITY], s.sizes[<int>Pseudo.AUTHORITY])
    if websocket:
        add(&s.head, b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ", 60)
        add_key(&s.head)
    return 0


cdef int add_key(Buffer *out) except -1:
    """A Sec-WebSocket-Key: sixteen random bytes (hexadecimal digits) in base64."""
    cdef char[16] digits
    write_hex(digits, next_random())
    key = b2a_base64(digits[:16], newline=False) + b"\r\n"
    return add(out, key, len(key))


cdef int end_request(Section *s, bint ended) except -1:
    """The section is whole: end the head. ended: no body follows."""
    if not s.begun:
        begin_head(s)
    if s.cookie.end:
        add_line(&s.head, b"cookie", 6, s.cookie.data, s.cookie.end)
    if not ended and not s.framed and not is_websocket(s):
        add(&s.head, b"transfer-encoding: chunked\r\n", 28)
    elif ended and not s.framed and (is_method(s, b"POST", 4) or is_method(s, b"PUT", 3) or is_method(s, b"PATCH", 5)):
        # what has a body as a rule says that there is none (RFC 9110, section 8.6)
        add(&s.head, b"content-length: 0\r\n", 19)
    take(&s.cookie, s.cookie.end)
    return add(&s.head, b"\r\n", 2)


cdef bint is_method(Section *s, const char *method, int size) noexcept:
    return s.sizes[<int>Pseudo.METHOD] == size and memcmp(s.pseudo.data + s.starts[<int>Pseudo.METHOD], method, size) == 0


cdef int take_trailer(Buffer *trailer, const char *name, size_t name_size, const char *value, size_t value_size) except -1:
    """Add a field of a trailer section as a line of HTTP/1; one with control characters is left out."""
    cdef size_t i
    if first_control(value, value, value + value_size) != value + value_size:
        return 0
    for i in range(name_size):
        if not is_token(name[i]):
            return 0
    return add_line(trailer, name, name_size, value, value_size)


cdef size_t pairs_of(char *text, size_t size, nghttp2_nv *pairs) noexcept:
    """The pairs of a head's lines, which are those that serialize.pyx writes: `Name: value CRLF`. Names become small letters in place.

    What is between two neighbours alone is left out (RFC 9113, section 8.2.2). How many pairs there are; MAX_PAIRS at most.
    """
    cdef char *at = text
    cdef char *end = text + size
    cdef char *stop
    cdef char *colon
    cdef char *p
    cdef size_t count = 0
    while at < end and count < MAX_PAIRS:
        stop = <char *>memchr(at, c'\n', end - at)
        if stop == NULL:
            break
        colon = <char *>memchr(at, c':', stop - at)
        if colon == NULL:               # the empty line
            break
        p = at
        while p < colon:
            if c'A' <= p[0] <= c'Z':
                p[0] = <char>(p[0] | 32)
            p += 1
        if not is_hop(at, colon - at):
            pairs[count].name = <unsigned char *>at
            pairs[count].namelen = colon - at
            pairs[count].value = <unsigned char *>(colon + 2)
            pairs[count].valuelen = max(0, (stop - 1) - (colon + 2))
            # a secret is in nobody's table (RFC 7541, section 7.1.3)
            pairs[count].flags = NGHTTP2_NV_FLAG_NO_INDEX if is_secret(at, colon - at) else NGHTTP2_NV_FLAG_NONE
            count += 1
        at = stop + 1
    return count


cdef bint is_hop(const char *name, size_t size) noexcept:
    return (
        (size == 10 and memcmp(name, b"connection", 10) == 0) or (size == 7 and memcmp(name, b"upgrade", 7) == 0)
        or (size == 17 and memcmp(name, b"transfer-encoding", 17) == 0) or (size == 10 and memcmp(name, b"keep-alive", 10) == 0)
        or (size == 16 and memcmp(name, b"proxy-connection", 16) == 0))


cdef bint is_secret(const char *name, size_t size) noexcept:
    return (size == 13 and memcmp(name, b"authorization", 13) == 0) or (size == 10 and memcmp(name, b"set-cookie", 10) == 0)


cdef bint accepts_key(Buffer *asked, Head *answer) except -1:
    """Whether the Sec-WebSocket-Accept of a 101 belongs to the key of the request whose head was `asked` (RFC 6455, section 4.2.2)."""
    cdef bytes text = asked.data[:asked.end]
    cdef int i
    key = text.partition(b"\r\nsec-websocket-key: ")[2].partition(b"\r\n")[0]
    wanted = b2a_base64(sha1(key + GUID, usedforsecurity=False).digest(), newline=False)
    for i in range(answer.count):
        if answer.fields[i].name_size == 20 and same_any(answer.fields[i].name, b"sec-websocket-accept", 20):
            return answer.fields[i].value[:answer.fields[i].value_size] == wanted
    return False
