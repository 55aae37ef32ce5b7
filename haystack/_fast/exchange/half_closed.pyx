"""Clients that send no more: whether one still reads, or has gone and leaves its endpoint at work for nobody.

TCP says the same of both (a FIN) until the client is sent something: who has gone answers with a reset. So one that has waited in silence
for a second is sent the next byte that it gets in any case: of `HTTP/1.1 `, with which every head begins, or, within chunks, a leading
zero of the next chunk's size (RFC 9112, sections 4 and 7.1). Who reads notices nothing; a reset ends the exchange. Where there is no such
byte, in a body with a length or one that ends with the connection, two seconds of silence have to do. Called with the tick of the worker.
"""
from libc.stdint cimport int64_t

from haystack._fast.connection.http1_server cimport Http1Server
from haystack._fast.exchange.exchange cimport Exchange
from haystack._fast.exchange.states cimport State
from haystack._fast.worker.worker_state cimport WorkerState

cdef enum:
    QUIET_MS = 1000         # of silence before the first try, twice as long each time,
    MOST = 8                # to the eighth
    GONE_MS = 2000          # of silence in a body that nothing can be added to

cdef bytes VERSION = b"HTTP/1.1 "


def look(WorkerState worker):
    """Try the clients that are waited for. Costs nothing where none has sent its last byte."""
    cdef list leaving = worker.clients.leaving
    cdef Http1Server client
    if not leaving:
        return
    worker.clients.leaving = [client for client in leaving if client.transport.fd >= 0]
    for client in worker.clients.leaving:
        if client.transport.fd >= 0 and waits(client):
            ask(client)


cdef bint waits(Http1Server client) noexcept:
    """Whether it is in an exchange and was sent nothing for long enough to be tried again."""
    cdef int64_t now = client.worker.poller.now, written = client.transport.written
    cdef Exchange exchange = <Exchange>client.leg.user
    if client.transport.unsent() or exchange is None or not State.PENDING <= exchange.state <= State.RESPOND:
        client.silence.since = 0
        return False
    if client.silence.since == 0 or written != client.silence.written:
        client.silence.since = now
        client.silence.written = written
        client.silence.asked = 0
    return now - client.silence.since >= <int64_t>QUIET_MS << client.silence.asked


cdef int ask(Http1Server client) except -1:
    """Send it a byte that changes nothing; where there is none, take it for gone when it is time."""
    cdef bint answered = (<Exchange>client.leg.user).state == State.RESPOND
    if answered and not client.leg.chunked:
        return client.break_off() if client.worker.poller.now - client.silence.since >= GONE_MS else 0
    if client.silence.asked == MOST:
        return 0                        # who has read so much is there, and its exchange has a time limit
    client.silence.asked += 1
    if answered:
        client.transport.send(b"0", 1)
    elif client.leg.ahead < len(VERSION):
        client.transport.send(<const char *>VERSION + client.leg.ahead, 1)
        client.leg.ahead += 1
    client.silence.written = client.transport.written
    return 0
