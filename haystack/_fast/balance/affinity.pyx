"""Where a request belongs: the key that a `hash` route goes by, and the member that a sticky cookie names.

Reads a parsed head and never changes it; what is missing or odd in it means the client's address, or nobody. The exchange hands the key
to the picker of its route, tries the recalled member first, and sends the cookie to those who came without it.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from libc.stdint cimport uint64_t
from libc.string cimport memchr, memcmp

from haystack._fast.endpoint.endpoint cimport KeyKind, Member, Route
from haystack._fast.http1.head cimport Field, Head, same
from haystack._fast.http1.target cimport Span, path_of
from haystack._fast.util.buffer cimport Buffer, add
from haystack._fast.util.digest cimport digest

cdef enum:
    TOKEN_SIZE = 16


cdef uint64_t request_key(Route route, Head *h, const char *address, int address_size) noexcept:
    """The key of a request: 0 where its route needs none. Without the header or cookie that is asked for, by the client's address."""
    cdef Span span, value
    cdef uint64_t key = 0
    cdef bint found = False
    cdef int i
    if route.key_kind == KeyKind.BY_NOTHING:
        return 0
    if route.key_kind == KeyKind.BY_PATH:
        span = path_of(h)
        return digest(span.data, span.size, 0)
    if route.key_kind == KeyKind.BY_HEADER:
        for i in range(h.count):
            if h.fields[i].value_size and is_named(&h.fields[i], route.key_name):
                # lines of one name are one list (RFC 9110, section 5.3): all of them count
                key = digest(h.fields[i].value, h.fields[i].value_size, key)
                found = True
        if found:
            return key
    if route.key_kind == KeyKind.BY_COOKIE:
        for i in range(h.count):
            if is_named(&h.fields[i], b"cookie"):
                span = Span(h.fields[i].value, h.fields[i].value_size)
                while span.size:
                    value = next_cookie(&span, route.key_name)
                    if value.size > 0:
                        return digest(value.data, value.size, 0)
    return digest(address, address_size, 0)


cdef uint64_t address_key(Route route, const char *address, int address_size) noexcept:
    """The key of a client that makes no request that could be looked at."""
    return 0 if route.key_kind == KeyKind.BY_NOTHING else digest(address, address_size, 0)


cdef bint is_named(Field *field, bytes lower) noexcept:
    return field.name_size == PyBytes_GET_SIZE(lower) and same(field.name, PyBytes_AS_STRING(lower), field.name_size)


cdef Span next_cookie(Span *rest, bytes name) noexcept:
    """The value of the next cookie of this name in a Cookie field, and rest after it; size -1: there is none any more.

    RFC 6265, section 4.2.1, read as widely as section 5.4's agents have ever written it: any white space, empty parts, a value in quotes,
    parts without a name. Names differ by case.
    """
    cdef const char *part
    cdef const char *sign
    cdef int size
    cdef Span value
    while rest.size > 0:
        part = rest.data
        sign = <const char *>memchr(part, c';', rest.size)
        size = <int>(sign - part) if sign != NULL else rest.size
        rest.data += min(size + 1, rest.size)
        rest.size -= min(size + 1, rest.size)
        sign = <const char *>memchr(part, c'=', size)
        if sign == NULL:
            continue
        value = trimmed(part, <int>(sign - part))
        if value.size != PyBytes_GET_SIZE(name) or memcmp(value.data, PyBytes_AS_STRING(name), value.size) != 0:
            continue
        value = trimmed(sign + 1, <int>(part + size - sign) - 1)
        if value.size >= 2 and value.data[0] == c'"' and value.data[value.size - 1] == c'"':
            value.data += 1
            value.size -= 2
        return value
    return Span(NULL, -1)


cdef Span trimmed(const char *data, int size) noexcept:
    """Without blanks and tabs around it."""
    while size and data[0] in b" \t":
        data += 1
        size -= 1
    while size and data[size - 1] in b" \t":
        size -= 1
    return Span(data, size)


cdef Member recalled(Route route, Head *h):
    """The member that the request's cookie names; None: the service is not sticky, no cookie names one, or that one has gone."""
    cdef Span rest, value
    cdef Member member
    cdef int i
    if route.sticky is None:
        return None
    for i in range(h.count):
        if not is_named(&h.fields[i], b"cookie"):
            continue
        rest = Span(h.fields[i].value, h.fields[i].value_size)
        while rest.size:
            value = next_cookie(&rest, route.sticky)
            member = holder(route, &value)
            if member is not None:
                return member
    return None


cdef Member holder(Route route, Span *value):
    """The member that goes by this token."""
    cdef void *found
    cdef Member member
    if value.size != TOKEN_SIZE:
        return None
    token = PyBytes_FromStringAndSize(value.data, value.size)
    found = <void *>PyDict_GetItem(route.tokens, token)
    if found == NULL:
        return None
    member = <Member>found
    return None if member.endpoint.gone else member


cdef int write_cookie(Buffer *b, Route route, Member member) except -1:
    """The whole line that makes a client come back to this member (RFC 6265, section 4.1): for its session, out of reach of scripts."""
    cdef bytes token = member.token()
    add(b, b"Set-Cookie: ", 12)
    add(b, PyBytes_AS_STRING(route.sticky), PyBytes_GET_SIZE(route.sticky))
    add(b, b"=", 1)
    add(b, PyBytes_AS_STRING(token), PyBytes_GET_SIZE(token))
    add(b, b"; Path=", 7)
    add(b, PyBytes_AS_STRING(route.cookie_path), PyBytes_GET_SIZE(route.cookie_path))
    return add(b, b"; HttpOnly; SameSite=Lax\r\n", 26)
