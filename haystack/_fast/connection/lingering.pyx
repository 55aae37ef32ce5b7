"""How a client's connection ends, so that the client reads all that was sent to it (RFC 9112, section 9.6)."""
from libc.stdint cimport int64_t

from haystack._fast.net.tcp cimport unacknowledged
from haystack._fast.net.transport cimport ConnectionState, step
from haystack._fast.worker.worker_state cimport SCRATCH

cdef enum:
    BURST = 16              # reads in a row before others have their turn
    LINGER_MS = 30000       # that a client may go on sending what nobody wants before its connection is closed, as with nginx;
    LINGER_QUIET_MS = 5000  # without a byte it has so long,
    LINGER_DRAINED_MS = 2000    # and so long where this worker is about to end;
    LINGER_BYTES = 268435456    # and it may send so much


cdef int close_in_order(Http1Server client) except -1:
    """Close; where the client may still be sending, only after it has read the answer (RFC 9112, section 9.6)."""
    if client.end_by == 0:
        client.end_by = client.worker.poller.now + LINGER_MS
    if client.torn and client.leg.bare:
        return tear(client)
    if not client.transport.say_end():
        return 0                        # `drained` comes back here
    if client.leg.body.done and not client.transport.readable:
        return client.close()
    client.transport.end_output()
    client.state = step(client.state, ConnectionState.LINGERING)
    return drop_input(client)


cdef int drop_input(ServerConnection client) except -1:
    """Read on: a close with bytes unread is a reset, which takes the answer from a client that looks up only when it has sent all."""
    cdef Py_ssize_t n
    cdef int burst = 0
    cdef int64_t quiet = LINGER_DRAINED_MS if client.worker.draining else LINGER_QUIET_MS
    client.transport.deadline = min(client.end_by, client.worker.poller.now + quiet)
    while client.transport.readable:
        burst += 1
        if burst > BURST:
            return client.worker.poller.later(client.transport)
        n = client.transport.receive(client.worker.scratch, SCRATCH)
        if n == 0 or n == -2 or client.dropped > LINGER_BYTES:
            return client.close()
        client.dropped += max(n, 0)
    return 0


cdef int tear(Http1Server client) except -1:
    """Reset the connection, once the client's system has all that went down: a reset throws away what is on its way."""
    if unacknowledged(client.transport.fd) and client.worker.poller.now < client.end_by:
        client.transport.deadline = client.worker.poller.now + 1     # no event tells of it: look again with the next tick
        return 0
    return client.reset()
