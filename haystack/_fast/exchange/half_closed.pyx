"""Clients that send no more: whether one still reads, or has gone and leaves its endpoint at work for nobody.

TCP says the same of both (a FIN) until the client is sent something: who has gone answers with a reset. So one that has waited in silence
for a second is sent the next byte that it gets in any case: of `HTTP/1.1 `, with which every head begins, or, within chunks, a leading
zero of the next chunk's size (RFC 9112, sections 4 and 7.1). Who reads notices nothing; a reset ends the exchange. Where there is no such
byte, in a body with a length or one that ends with the connection, two seconds of silence have to do. Called with the tick of the worker.
"""
from libc.stdint cimport int64_t

from haystack._fast.exchange.downstream cimport Downstream
from haystack._fast.exchange.exchange cimport State
from haystack._fast.exchange.worker_state cimport Plane

cdef enum:
    QUIET_MS = 1000         # of silence before the first try, twice as long each time,
    MOST = 8                # to the eighth
    GONE_MS = 2000          # of silence in a body that nothing can be added to

cdef bytes VERSION = b"HTTP/1.1 "


def look(Plane plane):
    """Try the clients that are waited for. Costs nothing where none has sent its last byte."""
    cdef list leaving = plane.leaving
    cdef Downstream down
    if not leaving:
        return
    plane.leaving = [down for down in leaving if down.fd >= 0]
    for down in plane.leaving:
        if down.fd >= 0 and waits(down):
            ask(down)


cdef bint waits(Downstream down) noexcept:
    """Whether it is in an exchange and was sent nothing for long enough to be tried again."""
    cdef int64_t now = down.poller.now
    if down.unsent() or not State.QUEUED <= down.state <= State.EXCHANGING:
        down.quiet_since = 0
        return False
    if down.quiet_since == 0 or down.written != down.quiet_at:
        down.quiet_since = now
        down.quiet_at = down.written
        down.asked = 0
    return now - down.quiet_since >= <int64_t>QUIET_MS << down.asked


cdef int ask(Downstream down) except -1:
    """Send it a byte that changes nothing; where there is none, take it for gone when it is time."""
    if down.answered and not down.up.chunk_out:
        return down.abort() if down.poller.now - down.quiet_since >= GONE_MS else 0
    if down.asked == MOST:
        return 0                        # who has read so much is there, and its exchange has a time limit
    down.asked += 1
    if down.answered:
        down.send(b"0", 1)
    elif down.ahead < len(VERSION):
        down.send(<const char *>VERSION + down.ahead, 1)
        down.ahead += 1
    down.quiet_at = down.written
    return 0
