"""Clients that do not take what waits for them: too slow ones are closed, and where all of it is too much, the slowest.

What they have taken is what their kernels have acknowledged: our own kernel takes megabytes at once, and tells nothing for minutes then.
Never judges a client for which nothing waits, nor one of a tunnel, which may stop reading for as long as a tunnel may be silent.
"""
from libc.stdint cimport int64_t

from haystack._fast.connection.http1_server cimport Http1Server
from haystack._fast.connection.leg cimport LegUser
from haystack._fast.util.linked_list cimport Link
from haystack._fast.worker.worker_state cimport WorkerState

cdef enum:
    TICK_MS = 1000          # where this process was held up for longer, nobody was slow meanwhile


def look(WorkerState worker):
    """Close those that have taken less than read_rate within idle_ms of waiting. Called with each tick."""
    cdef Link *at = worker.clients.readers.oldest
    cdef int64_t now = worker.poller.now, passed = min(now - worker.clients.looked, <int64_t>TICK_MS)
    cdef Http1Server client
    cdef list slow = []
    worker.clients.looked = now
    while at != NULL:
        client = <Http1Server>at.owner
        at = at.newer
        client.taking.stalled += passed
        if client.taking.stalled >= worker.limits.idle_ms and is_slow(worker, client):
            slow.append(client)
    for client in slow:
        if client.transport.fd >= 0:
            cut(client)


cdef bint is_slow(WorkerState worker, Http1Server client) noexcept:
    """Judge what it has taken since it was judged last."""
    cdef int64_t taken = client.transport.acknowledged()
    cdef bint slow = (taken - client.taking.taken) * 1000 < max(<int64_t>1, worker.limits.read_rate * client.taking.stalled)
    client.taking.stalled = 0
    client.taking.taken = taken
    return slow and not client.leg.tunnel


cdef int relieve(WorkerState worker, LegUser keep) except -1:
    """Close those that have gone longest without taking a byte until no more is kept than may be; never the one that is at work."""
    cdef Link *at = worker.clients.readers.oldest
    cdef Http1Server client
    while at != NULL and worker.poller.kept > worker.limits.max_kept:
        client = <Http1Server>at.owner
        if client.leg.user is keep:
            at = at.newer
            continue
        cut(client)
        at = worker.clients.readers.oldest
    return 0


cdef int cut(Http1Server client) except -1:
    """Break off, with a reset: our kernel would go on to keep what it has for a client that does not take it."""
    cdef const char *error = b"connection_write_timeout"
    client.transport.reset_at_close()
    client.worker.erred(error, client.leg.status)
    return client.close() if client.leg.user is None else client.leg.user.end_with(error)
