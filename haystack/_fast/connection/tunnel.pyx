"""A tunnel's bytes: from one socket to the other as they come, each way ending by itself. Knows no HTTP.

A sink that takes no more stops its source from being read, so that a tunnel holds one read's worth of memory at most.
"""
from libc.stdint cimport int64_t

from haystack._fast.net.transport cimport Transport
from haystack._fast.worker.worker_state cimport SCRATCH

cdef enum:
    BURST = 16              # reads in a row before others have their turn
    MOST = 1048576          # bytes that are spliced at once, if a pipe held so many


cdef int shuttle(Transport source, Transport sink, char *scratch, int64_t *moved) except -1:
    """Move what source has and sink takes; 0: both ways are at their end, or source is broken. scratch: SCRATCH bytes."""
    cdef Py_ssize_t n
    cdef int burst = 0
    cdef bint full = False
    while source.readable and not source.over and sink.unsent() == 0:
        burst += 1
        if burst > BURST:
            source.poller.later(source)
            return 1
        n = source.splice_to(sink, MOST) if full else -2    # where much comes at once, it need not pass through here
        if n > 0:
            moved[0] += n
            continue
        if n == -2:
            n = source.receive(scratch, SCRATCH)
            if n == -2:
                return 0
            full = n == SCRATCH
        if n > 0:
            moved[0] += n
            sink.send(scratch, n)
        source.over = n == 0
    if source.over and not sink.shut and sink.unsent() == 0 and sink.say_end():
        sink.shut = True
        sink.end_output()
    return 0 if source.shut and sink.shut else 1
