# Spans as OTLP has them, and the buffer in which a worker gathers them.
from libc.stdint cimport int64_t
from haystack._fast.http1.trace_context cimport TraceContext
from haystack._fast.log.access_line cimport Entry
from haystack._fast.util.buffer cimport Buffer

cdef class SpanBuffer:
    cdef list listeners         # NAME:PORT, by their index
    cdef size_t fixed           # the most that an exchange's spans have beside texts
    cdef Buffer spans
    cdef int64_t count, dropped

    cdef int write(self, const Entry *entry, const TraceContext *trace) except -1
    cdef char *write_server(self, char *out, const Entry *entry, const TraceContext *trace) except NULL
