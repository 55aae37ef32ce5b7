"""HTTP/1 heads: one pass over the caller's bytes, no copy, slots that point into them.

Strict where two readers could differ on framing (RFC 9112, sections 2.2, 3, 5, 6 and 11.2): one meaning, or an error. Never reads a
socket, never sends. The parsers return the size of the head, 0 while it is incomplete, or minus the status to answer with; the head's
flaw then says why.
"""
from libc.string cimport memchr, memcmp

from haystack._fast.http1.field_names cimport is_disguised, kind_of
from haystack._fast.http1.flaw cimport Flaw, flaw_of_byte, flaw_of_name, flaw_of_request_line, flaw_of_start
from haystack._fast.http1.framing cimport judge_codings, lists, note_connection, read_codings, read_connections, refuse
from haystack._fast.util.scan cimport first_control, plain_end

cdef char TOKEN[256]
cdef char VALUE[256]
cdef char LOWER[256]
cdef char TARGET[256]


cdef void make_tables() noexcept:
    cdef int c
    cdef bytes marks = b"!#$%&'*+-.^_`|~"
    for c in range(256):
        LOWER[c] = <char>(c + 32 if 65 <= c <= 90 else c)
        TOKEN[c] = 48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122
        VALUE[c] = c == 9 or (c >= 32 and c != 127)
        # ASCII, and no fragment (RFC 9112, section 3.2): some readers of a path end it there, and some do not
        TARGET[c] = 32 < c < 127 and c != 35
    for c in marks:
        TOKEN[c] = True


make_tables()


cdef bint is_token(char c) noexcept nogil:
    """True for a byte that a name may have (RFC 9110, section 5.6.2)."""
    return TOKEN[<unsigned char>c] != 0


cdef bint same(const char *a, const char *lower, int size) noexcept nogil:
    """True when the `size` bytes at a are those at lower, whatever their case."""
    cdef int i
    for i in range(size):
        if LOWER[<unsigned char>a[i]] != lower[i]:
            return False
    return True


cdef int64_t number(const char *p, int size) noexcept nogil:
    """The decimal number, or -1: empty, a sign, a list, or more than 18 digits behind its zeros (RFC 9110, section 8.6)."""
    cdef int64_t n = 0
    cdef int i
    if size < 1:
        return -1
    while size > 18 and p[0] == c'0':
        p += 1
        size -= 1
    if size > 18:
        return -1
    for i in range(size):
        if p[i] < c'0' or p[i] > c'9':
            return -1
        n = n * 10 + (p[i] - c'0')
    return n


cdef int note(Head *h, const Field *f) noexcept nogil:
    """Take in what a field means for framing; 0, or minus the status that refuses it."""
    cdef int64_t n
    if f.kind == Kind.CONTENT_LENGTH:
        n = number(f.value, f.value_size)
        if n < 0:
            return refuse(h, 400, Flaw.BAD_LENGTH)
        if h.length >= 0:       # refused even where it agrees: one framing, one field
            return refuse(h, 400, Flaw.TWO_LENGTHS)
        h.length = n
    elif f.kind == Kind.TRANSFER_ENCODING:
        return read_codings(h, f)
    elif f.kind == Kind.HOST:
        if h.host_size >= 0:
            return refuse(h, 400, Flaw.TWO_HOSTS)
        h.host = f.value
        h.host_size = f.value_size
    elif f.kind == Kind.CONNECTION:
        note_connection(h, f)
    elif f.kind == Kind.DATE:
        h.dated = True
    elif f.kind == Kind.VIA:
        h.via = True
    elif f.kind == Kind.EXPECT:
        h.expect = h.expect or lists(f, "100-continue", 12)
    return 0


cdef int unfinished(Head *h, const char *end, const char *start) noexcept nogil:
    return refuse(h, 431, Flaw.LARGE_HEAD) if end - start >= MAX_HEAD else 0


cdef int parse_fields(Head *h, const char *p, const char *end, bint lf_ends) noexcept nogil:
    """Parse field lines up to the empty one. The size used, 0: incomplete, or minus the status. lf_ends: a line may end in LF alone."""
    cdef const char *start = p
    cdef const char *plain
    cdef const char *stop
    cdef const char *at
    cdef const char *last
    cdef const char *following
    cdef Field *f = h.fields
    cdef bint normal
    cdef int error
    while p < end:
        if <unsigned char>p[0] <= c'\r':     # no name begins so
            if p[0] == c'\r' and (end - p < 2 or p[1] == c'\n'):
                if end - p < 2:
                    break
                return read_connections(h) or <int>(p + 2 - start)
            if lf_ends and p[0] == c'\n':
                return read_connections(h) or <int>(p + 1 - start)
        if h.count == MAX_FIELDS:
            return refuse(h, 431, Flaw.MANY_FIELDS)
        at = plain = plain_end(p, end)
        if at == end or at[0] != c':' or at == p:
            while at < end and TOKEN[<unsigned char>at[0]]:
                at += 1
            if at == end:
                break
            if at == p or at[0] != c':':    # obs-fold, a space before the colon, no name (RFC 9112, section 5.1)
                if memchr(at, c'\n', end - at) == NULL:
                    break
                return refuse(h, 400, flaw_of_name(p, at))
        f.name = p
        f.name_size = <int>(at - p)
        f.kind = kind_of(p, <int>(at - p))
        if at != plain and is_disguised(p, <int>(at - p)):
            f.kind = Kind.NAMED
        at += 1
        normal = at < end and at[0] == c' '
        if normal:
            at += 1
        while at < end and (at[0] == c' ' or at[0] == c'\t'):
            at += 1
            normal = False
        stop = first_control(start, at, end)
        if stop + 1 < end and stop[0] == c'\r' and stop[1] == c'\n':
            following = stop + 2
        elif end - stop < 2 and (stop == end or stop[0] == c'\r'):
            break
        elif lf_ends and stop[0] == c'\n':
            following = stop + 1
            normal = False
        elif memchr(stop, c'\n', end - stop) == NULL:
            break
        else:
            return refuse(h, 400, flaw_of_byte(stop[0]))    # a line's end for some, not for others
        last = stop
        while last > at and ((last - 1)[0] == c' ' or (last - 1)[0] == c'\t'):
            last -= 1
            normal = False
        f.size = <int>(following - p)
        f.value = at
        f.value_size = <int>(last - at)
        f.normal = normal
        h.count += 1
        h.kinds |= 1 << f.kind | (not normal) << Kind.ODD
        if f.kind != Kind.OTHER:
            error = note(h, f)
            if error:
                return error
        f += 1
        p = following
    return unfinished(h, end, start)


cdef void clear(Head *h) noexcept nogil:
    h.count = 0
    h.kinds = 0
    h.length = -1
    h.host_size = -1
    h.status = 0
    h.flaw = Flaw.NO_FLAW
    h.codings = h.options = 0
    h.coded = h.dated = h.chunked = h.close = h.keep_alive = h.expect = h.upgrade = h.names_hops = h.trailers = h.via = h.unread = False


cdef int parse_version(const char *p) noexcept nogil:
    """The minor version of the 8 bytes at p, or -1."""
    if memcmp(p, b"HTTP/1.", 7) != 0:
        return -1
    if p[7] < c'0' or p[7] > c'9':
        return -1
    return 1 if p[7] > c'0' else 0


cdef bint is_other_version(const char *p) noexcept nogil:
    """True when the 8 bytes at p name another HTTP: understood, but not spoken."""
    return p[0] == c'H' and p[1] == c'T' and p[2] == c'T' and p[3] == c'P' and p[4] == c'/' and (
        c'0' <= p[5] <= c'9' and p[6] == c'.' and c'0' <= p[7] <= c'9')


cdef int parse_request(Head *h, const char *data, size_t size) noexcept nogil:
    """Parse a request's head (RFC 9112, section 3)."""
    cdef const char *p = data
    cdef const char *end = data + size
    cdef const char *stop
    cdef int used, error
    clear(h)
    while end - p >= 2 and p[0] == c'\r' and p[1] == c'\n' and p - data < 8:
        p += 2                              # RFC 9112, section 2.2: an empty line or two before the request
    stop = <const char *>memchr(p, c'\n', end - p)
    if end > p and not TOKEN[<unsigned char>p[0]] and (p[0] != c'\r' or stop != NULL):
        return refuse(h, 400, flaw_of_start(p[0]))      # TLS or noise: say so now, it will not become a request line
    if stop == NULL:
        return refuse(h, 414, Flaw.LONG_LINE) if end - p >= MAX_HEAD else 0
    used = parse_request_line(h, p, stop - 1)
    if used < 0:
        return used
    used = parse_fields(h, stop + 1, end, False)
    if used <= 0:
        if used == 0 and size >= MAX_HEAD:
            return refuse(h, 431, Flaw.LARGE_HEAD)
        return used
    if h.minor == 1 and h.host_size < 0:
        return refuse(h, 400, Flaw.NO_HOST)             # RFC 9112, section 3.2
    if h.coded:
        error = judge_codings(h)
        if error:
            return error
    return <int>(stop + 1 - data) + used


cdef int parse_request_line(Head *h, const char *p, const char *last) noexcept nogil:
    """Parse the line that ends at `last`, which should be a CR before LF. 0, or minus the status."""
    cdef const char *start = p
    if last[0] != c'\r':
        return refuse(h, 400, Flaw.BARE_LF)
    h.method = p
    while TOKEN[<unsigned char>p[0]]:
        p += 1
    h.method_size = <int>(p - h.method)
    if h.method_size == 0 or p[0] != c' ':
        return refuse(h, 400, flaw_of_request_line(start, p, last, False))
    if h.method_size > 32:
        return refuse(h, 400, Flaw.LONG_METHOD)
    p += 1
    h.target = p
    while TARGET[<unsigned char>p[0]]:
        p += 1
    h.target_size = <int>(p - h.target)
    if h.target_size == 0 or p[0] != c' ' or last - p != 9:
        return refuse(h, 400, flaw_of_request_line(start, p, last, True))
    h.minor = parse_version(p + 1)
    if h.minor < 0:
        return refuse(h, 505, Flaw.OTHER_VERSION) if is_other_version(p + 1) else refuse(h, 400, Flaw.BAD_VERSION)
    return 0


cdef int parse_response(Head *h, const char *data, size_t size) noexcept nogil:
    """Parse a response's head (RFC 9112, section 4). -431: too large, -501: a coding we do not understand, -502: all else that is wrong.

    A bare LF ends a line too (section 2.2), as for nginx: of an endpoint's heads there is no other reader before us.
    """
    cdef const char *p = data
    cdef const char *end = data + size
    cdef const char *stop
    cdef int used, error
    clear(h)
    stop = <const char *>memchr(p, c'\n', end - p)
    if stop == NULL:
        if size >= 5 and not same(p, "http/", 5):
            return refuse(h, 502, Flaw.NO_STATUS_LINE)
        return refuse(h, 431, Flaw.LARGE_HEAD) if size >= MAX_HEAD else 0
    used = parse_status_line(h, p, stop - 1 if stop > p and (stop - 1)[0] == c'\r' else stop)
    if used == 0:
        used = parse_fields(h, stop + 1, end, True)
        if used == 0:
            return refuse(h, 431, Flaw.LARGE_HEAD) if size >= MAX_HEAD else 0
        if used > 0 and h.coded:
            error = judge_codings(h)
            used = error or used
    if used < 0:
        return used if used == -431 or used == -501 else -502
    return <int>(stop + 1 - data) + used


cdef int parse_status_line(Head *h, const char *p, const char *last) noexcept nogil:
    """Parse the line that ends before its CR or LF at `last`. 0, or minus the status."""
    cdef int i
    if last - p < 9 or p[8] != c' ':
        return refuse(h, 502, Flaw.NO_STATUS_LINE)
    h.minor = parse_version(p)
    if h.minor < 0:
        return refuse(h, 502, Flaw.OTHER_VERSION if is_other_version(p) else Flaw.NO_STATUS_LINE)
    if last - p < 12:
        return refuse(h, 502, Flaw.BAD_STATUS)
    h.code = p + 9
    for i in range(9, 12):
        if p[i] < c'0' or p[i] > c'9':
            return refuse(h, 502, Flaw.BAD_STATUS)
        h.status = h.status * 10 + (p[i] - c'0')
    if h.status < 100 or (p + 12 < last and p[12] != c' '):
        return refuse(h, 502, Flaw.BAD_STATUS)
    h.reason = p + 13 if p + 12 < last else last
    h.reason_size = <int>(last - h.reason)
    for i in range(h.reason_size):
        if not VALUE[<unsigned char>h.reason[i]]:
            return refuse(h, 502, Flaw.BAD_REASON)
    return 0


cdef int parse_trailer(Head *h, const char *data, size_t size) noexcept nogil:
    """Parse a whole trailer section, its empty line included (RFC 9112, section 7.1.2). The size used, or minus a status."""
    clear(h)
    return parse_fields(h, data, data + size, False)
