"""A tunnel's bytes: from one socket to the other as they come, each way ending by itself. Knows no HTTP.

A sink that takes no more stops its source from being read, so that a tunnel holds one read's worth of memory at most.
"""
from libc.stdint cimport int64_t

from haystack._fast.net.transport cimport Transport
from haystack._fast.worker.worker_state cimport SCRATCH

cdef enum:
    BURST = 16              # reads in a row before others have their turn


cdef int shuttle(Transport source, Transport sink, char *scratch, int64_t *moved) except -1:
    """Move what source has and sink takes; 0: both ways are at their end, or source is broken. scratch: SCRATCH bytes."""
    cdef Py_ssize_t n
    cdef int burst = 0
    while source.readable and not source.over and sink.unsent() == 0:
        burst += 1
        if burst > BURST:
            source.poller.later(source)
            return 1
        n = source.receive(scratch, SCRATCH)
        if n == -2:
            return 0
        if n > 0:
            moved[0] += n
            sink.send(scratch, n)
        source.over = n == 0
    if source.over and not sink.shut and sink.unsent() == 0 and sink.say_end():
        sink.shut = True
        sink.end_output()
    return 0 if source.shut and sink.shut else 1
