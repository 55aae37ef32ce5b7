"""Clients that do not take what waits for them: too slow ones are closed, and where all of it is too much, the slowest.

What they have taken is what their kernels have acknowledged: our own kernel takes megabytes at once, and tells nothing for minutes then.
Never judges a client for which nothing waits, nor one of a tunnel, which may stop reading for as long as a tunnel may be silent.
"""
from libc.stdint cimport int64_t

from haystack._fast.exchange.exchange cimport Exchange, State
from haystack._fast.exchange.worker_state cimport Plane
from haystack._fast.util.linked_list cimport Link

cdef extern from "sys/socket.h" nogil:
    enum:
        SOL_SOCKET
        SO_LINGER
    struct linger:
        int l_onoff
        int l_linger
    int setsockopt(int, int, int, const void *, unsigned int)


cdef enum:
    TICK_MS = 1000          # where this process was held up for longer, nobody was slow meanwhile


def look(Plane plane):
    """Close those that have taken less than read_rate within idle_ms of waiting. Called with each tick."""
    cdef Link *at = plane.readers.oldest
    cdef int64_t now = plane.poller.now, passed = min(now - plane.looked, <int64_t>TICK_MS)
    cdef Exchange exchange
    cdef list slow = []
    plane.looked = now
    while at != NULL:
        exchange = <Exchange>at.owner
        at = at.newer
        exchange.stalled += passed
        if exchange.stalled >= plane.idle_ms and is_slow(plane, exchange):
            slow.append(exchange)
    for exchange in slow:
        if exchange.fd >= 0:
            cut(exchange)


cdef bint is_slow(Plane plane, Exchange exchange) noexcept:
    """Judge what it has taken since it was judged last."""
    cdef int64_t taken = exchange.acknowledged()
    cdef bint slow = (taken - exchange.taken) * 1000 < max(<int64_t>1, plane.read_rate * exchange.stalled)
    exchange.stalled = 0
    exchange.taken = taken
    return slow and exchange.state != State.TUNNEL


cdef int relieve(Plane plane, Exchange keep) except -1:
    """Close those that have gone longest without taking a byte until no more is kept than may be; never the one that is at work."""
    cdef Link *at = plane.readers.oldest
    cdef Exchange exchange
    while at != NULL and plane.poller.kept > plane.max_kept:
        exchange = <Exchange>at.owner
        if exchange is keep:
            at = at.newer
            continue
        cut(exchange)
        at = plane.readers.oldest
    return 0


cdef int cut(Exchange exchange) except -1:
    """Break off, with a reset: our kernel would go on to keep what it has for a client that does not take it."""
    cdef linger at_once
    at_once.l_onoff = 1
    at_once.l_linger = 0
    setsockopt(exchange.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once))
    exchange.error = b"connection_write_timeout"
    exchange.plane.erred(exchange.error, exchange.status)
    return exchange.abort()
