# Request and response heads, parsed in place into slots that point into the caller's bytes (RFC 9112).
from libc.stdint cimport int64_t

from haystack._fast.http1.flaw cimport Flaw

cdef enum:
    MAX_FIELDS = 1024   # HAYSTACK_MAX_HEADERS bounds those of a request further
    MAX_HEAD = 65536

# What a field means to a proxy. Names: field_names.pyx; which kinds are sent on: the masks in serialize.pyx.
cdef enum Kind:
    OTHER = 0
    HOST
    CONTENT_LENGTH
    REQUEST_ID
    VIA
    FORWARDED           # what only a trusted proxy may say of the client, and is sent on as it came
    FORWARDED_HOST      # X-Forwarded-…
    FORWARDED_PORT
    FORWARDED_PROTO
    FORWARDED_FOR
    REAL_IP
    EXPECT
    DATE
    CONNECTION          # from here on: what concerns one connection alone (RFC 9110, section 7.6.1)
    TRANSFER_ENCODING
    KEEP_ALIVE
    UPGRADE
    TE
    TRAILER
    PROXY_HOP           # Proxy-Connection and the like; goes no further whoever sent it
    NAMED               # listed by Connection
    ODD                 # of Head.kinds alone

cdef struct Field:
    const char *name    # and behind it the rest of the line
    const char *value   # without white space around it
    int size            # of the whole line, its end included
    int name_size
    int value_size
    unsigned char kind
    unsigned char normal    # the line is exactly `name: value CRLF`

cdef struct Head:
    const char *method
    int method_size
    const char *target
    int target_size
    int minor           # of HTTP/1.minor
    int status
    const char *code    # the status as text: three digits, and behind one space the reason, if there is one
    const char *reason
    int reason_size
    Flaw flaw           # why it is refused
    int64_t length      # of Content-Length; -1 where there is none
    bint coded          # Transfer-Encoding is there
    int codings         # that it names, chunked among them
    bint chunked        # the last of them
    bint unread         # Connection, until all fields are there
    bint close          # Connection: close
    bint keep_alive     # Connection: keep-alive
    bint dated          # Date is there
    bint via            # Via is there
    bint expect         # Expect: 100-continue
    bint upgrade        # Upgrade, and Connection lists it
    bint names_hops     # Connection lists names of fields
    int options         # that Connection lists
    bint trailers       # TE has trailers, and Connection lists it
    const char *host
    int host_size       # -1 where there is no Host
    int count
    unsigned int kinds  # of its fields, a bit each, that of ODD where a line is not normal; a field that became NAMED leaves its bit
    Field fields[MAX_FIELDS]    # at the end: the few that are in use are near to the rest

cdef inline void withdraw(Head *h, Field *f) noexcept nogil:
    """Have it go no further: the one way to do so, for who writes heads asks kinds first."""
    f.kind = Kind.NAMED
    h.kinds |= 1 << Kind.NAMED

cdef int parse_request(Head *h, const char *data, size_t size) noexcept nogil
cdef int parse_trailer(Head *h, const char *data, size_t size) noexcept nogil
cdef int parse_response(Head *h, const char *data, size_t size) noexcept nogil
cdef bint is_token(char c) noexcept nogil
cdef bint same(const char *a, const char *lower, int size) noexcept nogil
