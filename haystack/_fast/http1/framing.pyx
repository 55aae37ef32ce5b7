"""Lists in the fields of a head that say where the message ends and what is between the sender and us.

RFC 9112, section 6.1, and RFC 9110, sections 5.6.1, 7.6.1 and 10.1. Called by the head's parser; several fields of one name are one list.
"""
from haystack._fast.http1.flaw cimport Flaw
from haystack._fast.http1.head cimport Field, Head, Kind, withdraw
from haystack._fast.util.scan cimport same_any, same_word

cdef enum:
    MAX_OPTIONS = 100       # that Connection may list: each is looked for among all fields


cdef inline bint next_element(const char **at, const char *end, const char **element, int *size) noexcept nogil:
    """Step to the next element of a list, over empty ones (RFC 9110, section 5.6.1.2); False: there is none left."""
    cdef const char *p = at[0]
    cdef const char *last
    while p < end and (p[0] == c',' or p[0] == c' ' or p[0] == c'\t'):
        p += 1
    element[0] = p
    while p < end and p[0] != c',':
        p += 1
    at[0] = last = p
    while last > element[0] and ((last - 1)[0] == c' ' or (last - 1)[0] == c'\t'):
        last -= 1
    size[0] = <int>(last - element[0])
    return size[0] > 0


cdef inline bint is_word(const char *data, int size, const char *word, int word_size) noexcept nogil:
    """True for this word, whatever its case."""
    return size == word_size and same_word(data, word, word_size)


cdef bint lists(const Field *f, const char *word, int word_size) noexcept nogil:
    """True when this is an element of the field's value, in any case."""
    cdef const char *at = f.value
    cdef const char *element
    cdef int size
    while next_element(&at, f.value + f.value_size, &element, &size):
        if is_word(element, size, word, word_size):
            return True
    return False


cdef void note_connection(Head *h, const Field *f) noexcept nogil:
    """Take in a Connection of one option, as most are; what else there may be is read once all fields are there, for it may name them."""
    if is_word(f.value, f.value_size, "keep-alive", 10):
        h.keep_alive = True
        h.options += 1
    elif is_word(f.value, f.value_size, "close", 5):
        h.close = True
        h.options += 1
    else:
        h.unread = True


cdef void read_connection(Head *h, const Field *f) noexcept nogil:
    """Note close and keep-alive, and mark the fields that Connection lists (RFC 9110, section 7.6.1)."""
    cdef const char *at = f.value
    cdef const char *option
    cdef int size
    while h.options <= MAX_OPTIONS and next_element(&at, f.value + f.value_size, &option, &size):
        h.options += 1
        if is_word(option, size, "close", 5):
            h.close = True
        elif is_word(option, size, "keep-alive", 10):
            h.keep_alive = True
        elif is_word(option, size, "upgrade", 7):
            h.upgrade = names_protocol(h)
        elif is_word(option, size, "te", 2):
            h.trailers = has_trailers(h)
        else:
            h.names_hops = True
            mark_named(h, option, size)


cdef void mark_named(Head *h, const char *option, int size) noexcept nogil:
    """The fields of this name are between the sender and us."""
    cdef int k
    for k in range(h.count):
        if h.fields[k].kind in (Kind.OTHER, Kind.REQUEST_ID, Kind.EXPECT, Kind.DATE) and h.fields[k].name_size == size:
            if same_any(h.fields[k].name, option, size):
                withdraw(h, &h.fields[k])


cdef bint names_protocol(Head *h) noexcept nogil:
    """True when there is an Upgrade that is not empty (RFC 9110, section 7.8)."""
    cdef int k
    for k in range(h.count):
        if h.fields[k].kind == Kind.UPGRADE and h.fields[k].value_size > 0:
            return True
    return False


cdef bint has_trailers(Head *h) noexcept nogil:
    """True when TE has `trailers`: its other elements are between this client and us (RFC 9110, section 10.1.4)."""
    cdef int k
    for k in range(h.count):
        if h.fields[k].kind == Kind.TE and lists(&h.fields[k], "trailers", 8):
            return True
    return False


cdef int read_codings(Head *h, const Field *f) noexcept nogil:
    """Take in codings behind those of fields before: all of them are one list (RFC 9110, section 5.3)."""
    cdef const char *at = f.value
    cdef const char *coding
    cdef int size
    cdef bint chunked
    h.coded = True
    while next_element(&at, f.value + f.value_size, &coding, &size):
        chunked = is_word(coding, size, "chunked", 7)
        if h.chunked:                       # RFC 9112, sections 6.1 and 6.3
            return refuse(h, 400, Flaw.CHUNKED_TWICE if chunked else Flaw.CHUNKED_NOT_LAST)
        h.codings += 1
        h.chunked = chunked
    return 0


cdef int judge_codings(Head *h) noexcept nogil:
    """Whether the whole Transfer-Encoding says where the body ends; 0, or minus the status (RFC 9112, sections 6.1 and 6.3)."""
    if not h.chunked:
        return refuse(h, 400, Flaw.CHUNKED_NOT_LAST)
    if h.length >= 0:
        return refuse(h, 400, Flaw.TWO_FRAMINGS)
    if h.minor == 0:
        return refuse(h, 400, Flaw.CHUNKED_IN_OLD)
    return refuse(h, 501, Flaw.UNKNOWN_CODING) if h.codings > 1 else 0


cdef int read_connections(Head *h) noexcept nogil:
    """Take in every Connection again where one of them may name fields, now that these are there; 0, or minus the status."""
    cdef int k
    if h.unread:
        h.options = 0
        for k in range(h.count):
            if h.fields[k].kind == Kind.CONNECTION:
                read_connection(h, &h.fields[k])
    return refuse(h, 431, Flaw.MANY_OPTIONS) if h.options > MAX_OPTIONS else 0
