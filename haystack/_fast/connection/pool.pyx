"""Connections to an endpoint: one that rests in its endpoint's pool, or a new one, within the worker's bound on all of them.

Where the bound is reached, the one that has rested longest, whoever's it is, makes room. Never chooses an endpoint. Of those of HTTP/2,
each of which carries several exchanges, there are few: an exchange that finds none with room waits for the next, and a further one is
dialled where those under way will not have places enough.
"""
from libc.stdint cimport int64_t

from haystack._fast.connection.client cimport ClientConnection, Dial
from haystack._fast.connection.http1_client cimport Http1Client
from haystack._fast.connection.http2_client cimport Http2Client
from haystack._fast.connection.http2_client_leg cimport Http2ClientLeg
from haystack._fast.connection.leg cimport UpLeg
from haystack._fast.endpoint.endpoint cimport Endpoint
from haystack._fast.util.linked_list cimport Link, join, leave
from haystack._fast.worker.worker_state cimport WorkerState

cdef extern from "sys/socket.h" nogil:
    enum:
        AF_UNIX
        SOCK_STREAM
        SOCK_NONBLOCK
        SOCK_CLOEXEC
    int socket(int, int, int)


cdef enum:
    DIALLED = 4             # connections to one endpoint that are being made at once, where each carries many


cdef UpLeg pooled(Endpoint endpoint, bint idempotent):
    """A leg on the connection used last that is still whole, or, of those that are shared, on one with room; None: there is none."""
    cdef Http1Client client
    if is_shared(endpoint):
        return lent(endpoint, idempotent)
    while endpoint.idle.newest != NULL:
        client = <Http1Client>endpoint.idle.newest.owner
        leave(&client.place)
        leave(&client.link)
        # a request that can't be repeated must not meet a connection that was closed a moment ago
        if not idempotent and not client.transport.is_still():
            client.close()
            continue
        client.leg.reused = True
        return client.leg
    return None


cdef bint is_whole(Http2Client client) except -1:
    """Whether it is at work, or nothing has come on it that could be its end; else it reads that before it takes anybody in."""
    if client.legs.count > 0 or client.transport.is_still():
        return True
    client.transport.readable = True    # the event of that may be on its way, or never come: OpenSSL has taken it out of the socket
    client.schedule()
    return False


cdef UpLeg lent(Endpoint endpoint, bint idempotent):
    """A leg on the connection with the fewest streams, if one has room."""
    cdef Http2Client best = None, client
    cdef Link *at = endpoint.http2.all.oldest
    while at != NULL:
        client = <Http2Client>at.owner
        at = at.newer
        if client.capacity() and (best is None or client.legs.count < best.legs.count) and (idempotent or is_whole(client)):
            best = client
    return None if best is None else best.lend()


cdef UpLeg dial(WorkerState worker, Endpoint endpoint, int64_t patience, bint *short_of):
    """A leg on a new connection, which may take `patience` milliseconds; None: it failed at once. short_of: for want of ours."""
    cdef Http1Client client
    cdef Dial began
    if is_shared(endpoint):
        return own(worker, endpoint, patience, short_of) if endpoint.introduces else awaited(worker, endpoint, patience, short_of)
    client = Http1Client()
    began = connect(worker, endpoint, client, patience)
    short_of[0] = began == Dial.SHORT
    return client.leg if began == Dial.UNDER_WAY else None


cdef UpLeg own(WorkerState worker, Endpoint endpoint, int64_t patience, bint *short_of):
    """A leg on a connection of HTTP/2 that carries nobody else: it tells the endpoint whose it is."""
    cdef Http2Client client = Http2Client()
    cdef Http2ClientLeg leg = Http2ClientLeg()
    cdef Dial began
    client.over = client.own = True     # over: till it has begun, nobody is told if it fails at once
    began = connect(worker, endpoint, client, patience)
    short_of[0] = began == Dial.SHORT
    if began != Dial.UNDER_WAY:
        return None
    client.over = False
    leg.worker = worker
    leg.endpoint = endpoint
    leg.deadline = worker.poller.now + patience
    client.take_in(&leg.place)
    client.heed(leg.deadline)
    return leg


cdef UpLeg awaited(WorkerState worker, Endpoint endpoint, int64_t patience, bint *short_of):
    """A leg that waits for the next connection with room."""
    cdef Http2ClientLeg leg = Http2ClientLeg()
    cdef Link *at
    cdef Dial began
    leg.worker = worker
    leg.endpoint = endpoint
    leg.deadline = worker.poller.now + patience
    join(&endpoint.http2.awaiting, &leg.place)
    began = provide(worker, endpoint)
    short_of[0] = began == Dial.SHORT
    if began != Dial.UNDER_WAY:
        leave(&leg.place)
        return None
    at = endpoint.http2.all.oldest
    while at != NULL:
        (<Http2Client>at.owner).heed(leg.deadline)
        at = at.newer
    return leg


cdef Dial provide(WorkerState worker, Endpoint endpoint) except? Dial.REFUSED:
    """See that those who wait for a connection will get one."""
    cdef Http2Client client
    cdef Link *at = endpoint.http2.all.oldest
    cdef Py_ssize_t places = 0
    cdef int dialled = 0
    cdef Dial began
    while at != NULL:
        client = <Http2Client>at.owner
        at = at.newer
        dialled += client.is_starting()
        places += client.places()
        if client.capacity():
            client.schedule()           # it takes them in
    if places >= endpoint.http2.awaiting.count or dialled >= DIALLED:
        return Dial.UNDER_WAY
    client = Http2Client()
    client.over = True                  # till it has begun: nobody is told if it fails at once
    began = connect(worker, endpoint, client, worker.limits.connect_ms)
    if began != Dial.UNDER_WAY:
        return Dial.UNDER_WAY if dialled else began
    client.over = False
    join(&endpoint.http2.all, &client.seat)
    return began


cdef int fail_waiting(Endpoint endpoint, const char *error, int status) except -1:
    """No connection can be had: tell all that wait for one."""
    cdef Http2ClientLeg leg
    cdef Link *at = endpoint.http2.awaiting.oldest
    cdef list waiting = []
    while at != NULL:
        waiting.append(<Http2ClientLeg>at.owner)
        at = at.newer
    for leg in waiting:                 # each may end others, or wait anew
        if leg.user is not None:
            leg.user.on_lost(True, error, status)
    return 0


cdef Dial connect(WorkerState worker, Endpoint endpoint, ClientConnection client, int64_t patience) except? Dial.REFUSED:
    """Begin to connect."""
    cdef int fd = open_socket(worker, endpoint.sockaddr.family)
    if fd < 0:
        return Dial.SHORT
    client.worker = worker
    client.endpoint = endpoint
    return client.connect(fd, patience)


cdef int open_socket(WorkerState worker, int family) except -2:
    """A socket; -1: there is none to be had, though no connection rests any more. Those to Haystack itself have a reserve."""
    cdef int fd
    if family != AF_UNIX and worker.limits.max_endpoints and worker.endpoints >= worker.limits.max_endpoints and not end_resting(worker):
        return -1
    fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if fd < 0 and end_resting(worker):
        fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    return fd


cdef bint end_resting(WorkerState worker) except -1:
    """Close the pooled connection that has rested longest; whether there was one."""
    if worker.resting.oldest == NULL:
        return False
    (<ClientConnection>worker.resting.oldest.owner).leave_pool()
    return True
