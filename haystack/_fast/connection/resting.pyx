"""Clients of HTTP/2 that keep a connection and ask for nothing: what their sessions don't need meanwhile goes back to the kernel.

The session is packed (http2/session_memory.pyx) once its connection has been at rest for a while; nghttp2 finds everything in its place
when something comes. Packing and unpacking take some microseconds, so that of many that come to rest at once only some are packed in a
tick, and a client that asks for something every other second costs little more for it. Called with each tick of the worker.
"""
from libc.stdint cimport int64_t

from haystack._fast.connection.http2_server cimport Http2Server
from haystack._fast.http2.session_memory cimport pack
from haystack._fast.util.linked_list cimport Ring, join, leave
from haystack._fast.worker.worker_state cimport WorkerState

cdef enum:
    QUIET_MS = 2000         # at rest
    MOST = 128              # connections that a tick looks at


def look(WorkerState worker, int64_t quiet=QUIET_MS):
    """Pack the sessions of some that have been at rest for so many milliseconds; how many that were."""
    cdef Ring *ring = &worker.clients.drowsy
    cdef Py_ssize_t left = min(ring.count, <Py_ssize_t>MOST)
    cdef Http2Server client
    cdef int packed = 0
    while left > 0:
        left -= 1
        client = <Http2Server>ring.oldest.owner
        leave(&client.memory.link)
        if client.link.ring != &worker.clients.idle or client.legs.count:
            continue                    # it is at work, and comes back when it rests
        if worker.poller.now - client.memory.rested < quiet:
            join(ring, &client.memory.link)
        else:
            packed += pack(&client.memory)
    return packed
