# What is written for one side, until it is sent: both legs of HTTP/1 write into the worker's buffer `work`, and a long run of a body is
# sent from where it is. Plain C and inline.
from haystack._fast.net.transport cimport Transport
from haystack._fast.util.buffer cimport Buffer, add, take
from haystack._fast.util.digits cimport write_chunk_size

cdef enum:
    WHOLE = 16384           # bytes of a run from here on are not copied

cdef inline int write_run(Buffer *work, Transport transport, bint chunked, const char *data, size_t size) except -1:
    """Add a run of a body, in a chunk of its own where it has chunks; a long one without is sent, with what is written before it."""
    if chunked:
        write_chunk_size(work, size)
        add(work, data, size)
        return add(work, b"\r\n", 2)
    if size < WHOLE:
        return add(work, data, size)
    transport.send_both(work.data, work.end, data, size)
    take(work, work.end)
    return 0

cdef inline int send_written(Buffer *work, Transport transport) except -1:
    """Send what is written, if anything is."""
    if work.end:
        transport.send(work.data, work.end)
        take(work, work.end)
    return 0
