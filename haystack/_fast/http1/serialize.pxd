# Heads as they are sent on: fields that need no change go in whole runs, as they stand.
from libc.stdint cimport int64_t
from haystack._fast.http1.flaw cimport Flaw
from haystack._fast.http1.head cimport Head
from haystack._fast.http1.trace_context cimport TraceContext
from haystack._fast.util.buffer cimport Buffer

cdef struct Client:
    const char *address
    int address_size
    const char *real        # what X-Real-IP says: the address, or what a trusted proxy says is the client's
    int real_size
    const char *via         # our line of Via; may be empty
    size_t via_size
    int port                # of the listener
    int version             # of HTTP, that it speaks: the major number
    bint secure             # it came within TLS
    bint absolute           # the target named the host: Host is written anew
    int rights              # of the one whose address `real` is; those of anybody where nobody knows who that is
    bint trusted            # its forwarding headers are believed
    int64_t forwards        # Max-Forwards that is left for who comes next; -1: none is sent
    const char *request_id  # 32 characters, for a request that brings none
    const TraceContext *trace   # what is told of it; NULL: what the client says
cdef bint write_request(Buffer *out, Head *h, Client *client, tuple upgrade) except -1
cdef int write_response(Buffer *out, Head *h, bint with_length, bint chunked, bint close, int minor) except -1
cdef int write_date(Buffer *out) except -1
cdef int write_switch(Buffer *out, Head *h) except -1
cdef Flaw flaw_of_trailer(Buffer *trailer) noexcept
cdef int write_last_chunk(Buffer *out, Buffer *trailer, bint drop) except -1
