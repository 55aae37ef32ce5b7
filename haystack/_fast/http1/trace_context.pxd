# W3C Trace Context (Recommendation, level 1): who called, in which trace, and what an endpoint is told of it.
from libc.stdint cimport uint64_t
from haystack._fast.http1.head cimport Head
from haystack._fast.util.buffer cimport Buffer

cdef struct Caller:             # what a traceparent says
    const char *trace_id        # 32 characters; NULL: there is none, or one that does not count
    const char *span_id         # 16
    bint sampled

cdef struct TraceContext:       # of an exchange whose spans are recorded, or for which a trace was begun
    bint chosen                 # what follows holds
    bint begun                  # there is no caller whose trace it goes on with
    bint told                   # endpoints are told of it; else what the client said goes on as it came
    bint sampled                # its spans are recorded
    char trace_id[32]
    char caller[16]             # the caller's span
    char server[16]             # the span of the request
    char client[16]             # the span of what is asked of an endpoint

cdef bint read_caller(Head *h, Caller *caller) noexcept
cdef uint64_t ending(const char *trace_id) noexcept
cdef void withhold(Head *h, bint whole) noexcept
cdef int write_traceparent(Buffer *out, const TraceContext *context) except -1
