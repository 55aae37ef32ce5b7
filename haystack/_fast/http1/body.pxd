# Message bodies: how long they are, and the chunked coding (RFC 9112, sections 6 and 7.1).
from libc.stdint cimport int64_t

from haystack._fast.http1.flaw cimport Flaw

cdef enum:
    SPLICED = 65536     # a rest of known length from here on is spliced, not read

cdef enum Framing:
    NONE = 0
    LENGTH
    CHUNKED
    UNTIL_CLOSE

cdef enum ChunkState:
    SIZE = 0
    BLANK               # white space behind a size
    EXTENSION
    SIZE_LF
    DATA
    DATA_CR
    DATA_LF
    TRAILER_START
    TRAILER_NAME
    TRAILER_LINE
    TRAILER_LF
    END_LF
    DONE

cdef struct Body:
    Framing framing
    ChunkState state
    int64_t left        # bytes of the body, or of the chunk, still to come
    int line            # bytes of this size line so far
    int extra           # bytes of size lines beyond what their chunks allow; of the trailer section
    Flaw flaw           # why feed refused
    bint done
    bint trailing       # what feed found last are bytes of the trailer section

cdef void begin(Body *b, Framing framing, int64_t length) noexcept nogil
cdef Py_ssize_t feed(Body *b, const char *data, size_t size, const char **part, size_t *part_size) noexcept nogil
