"""What a request's head says of where the request is to go, and how far: its target's authority, and Max-Forwards. Reads heads alone."""
from libc.stdint cimport int64_t
from libc.string cimport memchr, memcmp

from haystack._fast.http1.head cimport Head, same, withdraw

cdef enum:
    NO_NUMBER = -2
    MOST_FORWARDS = 1000000


cdef int64_t forwards_left(Head *h) noexcept:
    """Max-Forwards of a TRACE or OPTIONS, which goes no further as it came; or NO_LIMIT, NO_NUMBER (RFC 9110, section 7.6.2)."""
    cdef int64_t left = NO_LIMIT
    cdef int i
    if not (h.method_size == 7 and memcmp(h.method, b"OPTIONS", 7) == 0) and not (
            h.method_size == 5 and memcmp(h.method, b"TRACE", 5) == 0):
        return NO_LIMIT
    for i in range(h.count):
        if h.fields[i].name_size == 12 and same(h.fields[i].name, b"max-forwards", 12):
            left = NO_NUMBER if left != NO_LIMIT else digits(h.fields[i].value, h.fields[i].value_size)
            withdraw(h, &h.fields[i])
    return left


cdef int64_t digits(const char *p, int size) noexcept:
    """The number, at most MOST_FORWARDS; NO_NUMBER: anything but digits, or nothing."""
    cdef int64_t n = 0
    cdef int i
    for i in range(size):
        if p[i] < c'0' or p[i] > c'9':
            return NO_NUMBER
        n = min(MOST_FORWARDS, n * 10 + p[i] - c'0')
    return n if size else NO_NUMBER


cdef Span path_of(Head *h) noexcept:
    """The target's path, without its query; of an absolute target without scheme and authority (RFC 9112, section 3.2)."""
    cdef int at = 0 if h.target[0] == c'/' else authority_end(h)
    cdef int size = h.target_size - at
    cdef const char *end = <const char *>memchr(h.target + at, c'?', size)
    if end != NULL:
        size = <int>(end - h.target) - at
    return Span(h.target + at, size) if size else Span(b"/", 1)


cdef bint asks_health(Head *h) noexcept:
    """Whether the path is /healthz or /readyz."""
    cdef Span path = path_of(h)
    return (path.size == 8 and memcmp(path.data, b"/healthz", 8) == 0) or (path.size == 7 and memcmp(path.data, b"/readyz", 7) == 0)


cdef int authority_end(Head *h) noexcept:
    """Where the authority of an absolute http target ends; 0: it is no such target, 7: an empty one (RFC 9110, section 4.2.1)."""
    cdef int at = 7
    if h.target_size < 8 or not same(h.target, b"http://", 7) or h.target[7] == c':':
        return 0
    while at < h.target_size and h.target[at] != c'/' and h.target[at] != c'?':
        at += 1
    return at
