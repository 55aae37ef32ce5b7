"""What an endpoint is told of the client: X-Forwarded-*, X-Real-IP and Via.

A client's own word for it counts only where it is a trusted proxy. Reads a head, writes lines of another one.
"""
from libc.string cimport memchr, strlen

from haystack._fast.http1.head cimport Field, Head, Kind, is_token
from haystack._fast.http1.serialize cimport Client
from haystack._fast.net.networks cimport Networks, Right
from haystack._fast.util.buffer cimport Buffer, add, put, reserve
from haystack._fast.util.digits cimport decimal
from haystack._fast.util.scan cimport same_any

cdef extern from "string.h" nogil:
    void *memrchr(const void *, int, size_t)

cdef enum:
    VIA_VERSION = 5         # where the version of what was received stands in our line
    VIA_NAME = 9            # where our name begins; it ends before CRLF
    MAX_ADDRESS = 64        # bytes of an address with its port
    NAMES = 128             # bytes of the names of our lines: there are 78


cdef inline int text(Buffer *out, const char *what) except -1:
    return add(out, what, strlen(what))


cdef int add_forwarding(Buffer *out, Head *h, Client *client) except -1:
    """Our own word, and what a trusted client said before it."""
    cdef int i, kind
    cdef char *at
    cdef bint said_proto = False, said_host = False, said_port = False
    if client.via_size:
        add(out, client.via, client.via_size)
        at = out.data + out.end - client.via_size + VIA_VERSION
        at[0] = <char>(c'0' + client.version)
        at[2] = <char>(c'0' + (h.minor if client.version == 1 else 0))
    text(out, b"X-Forwarded-For: ")
    if client.trusted:
        for i in range(h.count):
            kind = h.fields[i].kind
            if kind == Kind.FORWARDED_FOR:
                add(out, h.fields[i].value, h.fields[i].value_size)
                add(out, b", ", 2)
            said_proto = said_proto or kind == Kind.FORWARDED_PROTO
            said_host = said_host or kind == Kind.FORWARDED_HOST
            said_port = said_port or kind == Kind.FORWARDED_PORT
    reserve(out, client.address_size + client.real_size + max(h.host_size, 0) + NAMES)
    at = put(out.data + out.end, client.address, client.address_size)
    at = put(at, b"\r\nX-Real-IP: ", 13)
    at = put(at, client.real, client.real_size)
    if not said_proto:
        at = put(at, b"\r\nX-Forwarded-Proto: https", 25 + client.secure)
    if not said_host and h.host_size >= 0:
        at = put(at, b"\r\nX-Forwarded-Host: ", 20)
        at = put(at, h.host, h.host_size)
    if not said_port:
        at = put(at, b"\r\nX-Forwarded-Port: ", 20)
    out.end = at - out.data
    if not said_port:
        decimal(out, client.port)
    return add(out, b"\r\n", 2)


cdef bint came_round(Head *h, const char *via, Py_ssize_t via_size) noexcept:
    """True where a Via of this head has the name that stands in our line: the request has been here on the same way."""
    cdef int i
    for i in range(h.count):
        if h.fields[i].kind == Kind.VIA and has_word(&h.fields[i], via + VIA_NAME, <int>via_size - VIA_NAME - 2):
            return True
    return False


cdef bint has_word(Field *f, const char *word, int size) noexcept:
    """Whether the word stands anywhere in the value, between what no name has: lists and comments need no reading."""
    cdef const char *p = f.value
    cdef const char *end = f.value + f.value_size
    while size > 0 and end - p >= size:
        if same_any(p, word, size) and (p == f.value or not is_token((p - 1)[0])) and (p + size == end or not is_token(p[size])):
            return True
        p += 1
    return False


cdef int find_client(Head *h, Client *client, Networks networks) except -1:
    """Set `real` and `rights`, which are a trusted proxy's own, to what it tells of its client: the address, and what that may.

    That is the first from the right of X-Forwarded-For that is no trusted proxy's, for what stands before it the client may have made up;
    without X-Forwarded-For the proxy's X-Real-IP. Where something is told that can't be read the client may be anybody, and has the
    rights of all; a proxy that tells nothing at all asks for itself.
    """
    cdef int i
    cdef bint listed = False
    for i in range(h.count - 1, -1, -1):
        if h.fields[i].kind == Kind.FORWARDED_FOR:
            listed = True
            if not walk(&h.fields[i], client, networks):
                return 0
    return 0 if listed else said_by_proxy(h, client, networks)


cdef bint walk(Field *f, Client *client, Networks networks) except -1:
    """Go through one X-Forwarded-For from its end; whether the fields before it are to be looked at."""
    cdef const char *end = f.value + f.value_size
    cdef const char *start
    cdef bint more = True
    while more:
        start = <const char *>memrchr(f.value, c',', end - f.value)
        more = start != NULL
        if not take_address(client, start + 1 if more else f.value, end, networks):
            return False
        end = start
    return True


cdef bint take_address(Client *client, const char *p, const char *end, Networks networks) except -1:
    """The client's address is the one in [p, end), for all that is known; whether it is a trusted proxy's, and others stand before it."""
    cdef const char *colon
    cdef int rights
    while p < end and p[0] in b" \t":
        p += 1
    while p < end and (end - 1)[0] in b" \t":
        end -= 1
    if p == end:
        return True                     # an empty element says nothing (RFC 9110, section 5.6.1.2)
    if end - p > MAX_ADDRESS:
        client.rights = networks.anybody
        return False
    colon = <const char *>memchr(p, c':', end - p)
    if p[0] == c'[':                    # RFC 7239, section 6, and what is usual with X-Forwarded-For too
        p += 1
        end = <const char *>memchr(p, c']', end - p) or p
    elif colon != NULL and memchr(colon + 1, c':', end - colon - 1) == NULL:
        end = colon                     # one colon: a port behind an IPv4 address
    rights = networks.of_text(p, end - p)
    client.rights = rights if rights >= 0 else networks.anybody
    if rights >= 0:
        client.real, client.real_size = p, <int>(end - p)
    return rights > 0 and (rights & <int>Right.TRUSTED) != 0


cdef int said_by_proxy(Head *h, Client *client, Networks networks) except -1:
    """Believe the one X-Real-IP of a trusted proxy that says nothing else."""
    cdef int i
    cdef Field *only = NULL
    for i in range(h.count):
        if h.fields[i].kind == Kind.REAL_IP:
            if only != NULL:
                client.rights = networks.anybody
                return 0
            only = &h.fields[i]
        elif h.fields[i].kind == Kind.FORWARDED and h.fields[i].name_size == 9:
            client.rights = networks.anybody           # it tells of a client as RFC 7239 has it, which is not read here
    if only != NULL:
        take_address(client, only.value, only.value + only.value_size, networks)
    return 0
