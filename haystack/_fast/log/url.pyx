"""What spans say of a request's target and of HOST:PORT: address and port, path and query, and no key that a URL holds. Pure."""
from libc.string cimport memchr, memcmp, memcpy

from haystack._fast.log.access_line cimport Text
from haystack._fast.util.scan cimport put_printable, same_any

cdef enum:
    KEYS = 4
    DIGITS = 5              # the most that a port has

# parameters that let in whoever has them, as signed URLs of cloud stores have: the conventions name these
cdef const char *NAMES[KEYS]
NAMES[:] = [b"AWSAccessKeyId=", b"Signature=", b"sig=", b"X-Goog-Signature="]
cdef int SIZES[KEYS]
SIZES[:] = [15, 10, 4, 17]
cdef const char *REDACTED = b"REDACTED"


cdef Place place_of(Text text) noexcept nogil:
    """Address and port of ``HOST:PORT`` or ``[IPV6]:PORT``."""
    cdef int at = text.size, port = 0, power = 1
    while at and text.size - at < DIGITS and c'0' <= text.data[at - 1] <= c'9':
        at -= 1
        port += power * (text.data[at] - c'0')
        power *= 10
    if at == text.size or at == 0 or text.data[at - 1] != c':':
        return Place(unbracketed(text), 0)
    return Place(unbracketed(Text(text.data, at - 1)), port)


cdef Text unbracketed(Text text) noexcept nogil:
    while text.size and (text.data[0] == c'[' or text.data[0] == c']'):
        text = Text(text.data + 1, text.size - 1)
    while text.size and (text.data[text.size - 1] == c'[' or text.data[text.size - 1] == c']'):
        text.size -= 1
    return text


cdef Target target_of(Text text) noexcept nogil:
    """Path and query of a target, also of an absolute one (RFC 9112, section 3.2)."""
    cdef int origin = origin_size(&text)
    cdef Text rest = Text(text.data + origin, text.size - origin)
    cdef const char *mark = <const char *>memchr(rest.data, c'?', rest.size) if rest.size else NULL
    cdef int path = <int>(mark - rest.data) if mark != NULL else rest.size
    cdef Text query = Text(mark + 1, rest.size - path - 1) if mark != NULL else Text(NULL, 0)
    return Target(Text(rest.data, path), query, origin > 0 and path == 0, rest)


cdef int origin_size(const Text *text) noexcept nogil:
    """Of the scheme and authority that an absolute target begins with; 0: it is none."""
    cdef int at
    if text.size < 7 or not same_any(text.data, b"http", 4):
        return 0
    at = 5 if text.data[4] | 32 == c's' else 4
    if text.size < at + 3 or memcmp(text.data + at, b"://", 3) != 0:
        return 0
    at += 3
    while at < text.size and text.data[at] != c'/' and text.data[at] != c'?':
        at += 1
    return at


cdef char *put_latin1(char *out, const char *data, int size) noexcept nogil:
    """As UTF-8: two bytes at most for one."""
    cdef int i = 0, plain
    cdef unsigned char c
    while True:
        plain = put_printable(out, data + i, size - i)
        out += plain
        i += plain
        if i == size:
            return out
        c = data[i]
        i += 1
        if c < 0x80:
            out[0] = c
            out += 1
        else:
            out[0] = 0xc0 | c >> 6
            out[1] = 0x80 | c & 0x3f
            out += 2


cdef char *put_redacted(char *out, const char *data, int size) noexcept nogil:
    """The same without the values of parameters that are keys: GROWTH bytes at most for one."""
    cdef int at = 0, end, key
    while at < size:
        key = key_size(data + at, size - at)
        end = parameter_end(data, at, size)
        if key:
            out = put_latin1(out, data + at, key)
            memcpy(out, REDACTED, 8)
            out += 8
            while end < size and data[end] != c'&':     # a question mark is a part of the value
                end = parameter_end(data, end + 1, size)
        else:
            out = put_latin1(out, data + at, end - at)
        if end < size:
            out[0] = data[end]
            out += 1
        at = end + 1
    return out


cdef int parameter_end(const char *data, int at, int size) noexcept nogil:
    """Where the next question mark or ampersand stands, from `at` on; size: none does."""
    while at < size and data[at] != c'&' and data[at] != c'?':
        at += 1
    return at


cdef int key_size(const char *data, int size) noexcept nogil:
    """Of the name of a key and its equals sign, which it begins with; 0: it begins with none."""
    cdef int i
    for i in range(KEYS):
        if size >= SIZES[i] and memcmp(data, NAMES[i], SIZES[i]) == 0:
            return SIZES[i]
    return 0
