# Request and response heads, parsed in place into slots that point into the caller's bytes (RFC 9112).
from libc.stdint cimport int64_t

cdef enum:
    MAX_FIELDS = 128
    MAX_HEAD = 65536

# What a field means to a proxy. Everything from FIRST_HOP on is never sent on as it came.
cdef enum Kind:
    OTHER = 0
    HOST
    CONTENT_LENGTH
    REQUEST_ID
    FORWARDED           # X-Forwarded-* other than -For, and Forwarded
    FORWARDED_FOR
    EXPECT
    DATE
    FIRST_HOP
    CONNECTION
    TRANSFER_ENCODING
    KEEP_ALIVE
    UPGRADE
    TE
    TRAILER
    PROXY_HOP           # Proxy-Connection, Proxy-Authenticate, Proxy-Authorization
    NAMED               # listed by Connection

cdef struct Field:
    const char *line    # the whole line, CRLF included
    int size
    const char *name
    int name_size
    const char *value   # without white space around it
    int value_size
    int kind
    bint normal         # line is exactly `name: value CRLF`

cdef struct Head:
    const char *method
    int method_size
    const char *target
    int target_size
    int minor           # of HTTP/1.minor
    int status
    const char *reason
    int reason_size
    int count
    Field fields[MAX_FIELDS]
    int64_t length      # of Content-Length; -1 where there is none
    bint chunked
    bint close          # Connection: close
    bint keep_alive     # Connection: keep-alive
    bint dated          # Date is there
    bint expect         # Expect: 100-continue
    bint upgrade        # Upgrade, and Connection lists it
    bint names_hops     # Connection lists names of fields
    bint trailers       # TE: trailers, and Connection lists it
    const char *host
    int host_size       # -1 where there is no Host

cdef int parse_request(Head *h, const char *data, size_t size) noexcept nogil
cdef int parse_trailer(Head *h, const char *data, size_t size) noexcept nogil
cdef int parse_response(Head *h, const char *data, size_t size) noexcept nogil
cdef bint is_token(char c) noexcept nogil
cdef bint same(const char *a, const char *lower, int size) noexcept nogil
