# Field sections of HTTP/2 and the heads of HTTP/1 that say the same.
from haystack._fast.http1.head cimport Head
from haystack._fast.http2.nghttp2 cimport nghttp2_nv
from haystack._fast.util.buffer cimport Buffer

cdef enum:
    MAX_PAIRS = 1088        # MAX_FIELDS and what is added to them
    OVERHEAD = 32           # of a field in the size of a list (RFC 9113, section 10.5.1)

cdef enum Pseudo:
    METHOD = 0
    SCHEME
    AUTHORITY
    PATH
    PROTOCOL
    PSEUDOS

cdef struct Section:        # that comes in
    Buffer head             # as HTTP/1 has it, without its empty line
    Buffer cookie           # the crumbs, put together
    Buffer pseudo           # values of the pseudo-header fields
    int[5] starts           # of each in `pseudo`
    int[5] sizes            # -1: it is not there
    int size                # of the list
    int count               # of its fields, with Host or :authority as one of them
    bint begun              # the request line is written
    bint framed             # Content-Length is there
    bint bad                # it is malformed (RFC 9113, section 8.1.1)

cdef void begin(Section *s) noexcept
cdef void drop(Section *s) noexcept
cdef int take_field(Section *s, const char *name, size_t name_size, const char *value, size_t value_size) except -1
cdef int take_trailer(Buffer *trailer, const char *name, size_t name_size, const char *value, size_t value_size) except -1
cdef int end_request(Section *s, bint ended) except -1
cdef size_t pairs_of(char *text, size_t size, nghttp2_nv *pairs) noexcept
cdef bint accepts_key(Buffer *asked, Head *answer) except -1
