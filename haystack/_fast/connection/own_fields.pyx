"""Fields that Haystack adds to a response by an endpoint: Date, Strict-Transport-Security, and the cookie of a sticky service."""
from haystack._fast.balance.affinity cimport write_cookie
from haystack._fast.http1.head cimport same
from haystack._fast.http1.serialize cimport write_date
from haystack._fast.util.buffer cimport add


cdef int add_own_fields(Buffer *out, Head *h, Peer *peer, Route route, Member remembered) except -1:
    """Add them to the response whose head is h. remembered: whom the cookie names, or None."""
    if not h.dated:
        write_date(out)
    if peer.shown != NULL and route is not None and route.hsts and not has_hsts(h):
        add(out, <const char *>route.hsts, len(route.hsts))
    return 0 if remembered is None else write_cookie(out, route, remembered)


cdef bint has_hsts(Head *h) noexcept:
    """Whether the endpoint says Strict-Transport-Security itself: a response has one (RFC 6797, section 7.1)."""
    cdef int i
    for i in range(h.count):
        if h.fields[i].name_size == 25 and same(h.fields[i].name, b"strict-transport-security", 25):
            return True
    return False
