"""Clients that do not take what waits for them: too slow ones are closed, and where all of it is too much, the slowest.

What they have taken is what their kernels have acknowledged: our own kernel takes megabytes at once, and tells nothing for minutes then.
Never judges a client for which nothing waits, nor one of a tunnel, which may stop reading for as long as a tunnel may be silent.
"""
from libc.stdint cimport int64_t

from haystack._fast.connection.leg cimport LegUser
from haystack._fast.connection.server cimport ServerConnection
from haystack._fast.util.linked_list cimport Link
from haystack._fast.worker.worker_state cimport WorkerState

cdef enum:
    SENDERS = 64            # connections whose requests are broken off at once
    TICK_MS = 1000          # where this process was held up for longer, nobody was slow meanwhile

cdef const char *TOO_SLOW = b"connection_write_timeout"


def look(WorkerState worker):
    """Close those that have taken less than read_rate within idle_ms of waiting. Called with each tick."""
    cdef Link *at = worker.clients.readers.oldest
    cdef int64_t now = worker.poller.now, passed = min(now - worker.clients.looked, <int64_t>TICK_MS)
    cdef ServerConnection client
    cdef list slow = []
    worker.clients.looked = now
    while at != NULL:
        client = <ServerConnection>at.owner
        at = at.newer
        client.judge(passed)
        client.taking.stalled += passed
        if client.transport.fd >= 0 and client.taking.stalled >= worker.limits.idle_ms and is_slow(worker, client):
            slow.append(client)
    for client in slow:
        if client.transport.fd >= 0:
            client.cut_off(TOO_SLOW)


cdef bint is_slow(WorkerState worker, ServerConnection client) noexcept:
    """Judge what it has taken since it was judged last."""
    cdef int64_t taken = client.transport.acknowledged()
    cdef bint slow = (taken - client.taking.taken) * 1000 < max(<int64_t>1, worker.limits.read_rate * client.taking.stalled)
    client.taking.stalled = 0
    client.taking.taken = taken
    return slow and not client.is_excused()


cdef int relieve(WorkerState worker, LegUser keep) except -1:
    """See that no more is kept than may be, at the cost of others than the one that is at work.

    Where requests' bodies are most of it, those that have gone longest without going on are broken off. Then those are closed that have
    gone longest without taking a byte.
    """
    cdef Link *at
    cdef ServerConnection client
    if 2 * worker.clients.held > worker.poller.kept:
        drop_uploads(worker, keep)
    at = worker.clients.readers.oldest
    while at != NULL and worker.poller.kept > worker.limits.max_kept:
        client = <ServerConnection>at.owner
        if keep is not None and client.carries(keep):
            at = at.newer
            continue
        client.cut_off(TOO_SLOW)
        at = worker.clients.readers.oldest
    return 0


cdef int drop_uploads(WorkerState worker, LegUser keep) except -1:
    """Break off requests whose bodies are held, until there is room or enough were looked at for this time."""
    cdef Link *at = worker.clients.senders.oldest
    cdef ServerConnection client
    cdef list found = []
    while at != NULL and len(found) < SENDERS:
        found.append(<ServerConnection>at.owner)
        at = at.newer
    for client in found:                # each may end others
        if client.transport.fd >= 0 and worker.poller.kept > worker.limits.max_kept:
            client.drop_uploads(keep)
    return 0
