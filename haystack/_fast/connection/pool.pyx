"""Connections to an endpoint: one that rests in its endpoint's pool, or a new one, within the worker's bound on all of them.

Where the bound is reached, the one that has rested longest, whoever's it is, makes room. Never chooses an endpoint.
"""
from libc.stdint cimport int64_t

from haystack._fast.connection.http1_client cimport Dial, Http1Client
from haystack._fast.connection.leg cimport UpLeg
from haystack._fast.endpoint.endpoint cimport Endpoint
from haystack._fast.util.linked_list cimport leave
from haystack._fast.worker.worker_state cimport WorkerState

cdef extern from "sys/socket.h" nogil:
    enum:
        AF_UNIX
        SOCK_STREAM
        SOCK_NONBLOCK
        SOCK_CLOEXEC
    int socket(int, int, int)


cdef UpLeg pooled(Endpoint endpoint, bint idempotent):
    """A leg on the pooled connection used last that is still whole; None: there is none."""
    cdef Http1Client client
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


cdef UpLeg dial(WorkerState worker, Endpoint endpoint, int64_t patience, bint *short_of):
    """A leg on a new connection, which may take `patience` milliseconds; None: it failed at once. short_of: for want of ours."""
    cdef Http1Client client
    cdef Dial began
    cdef int fd = open_socket(worker, endpoint.family)
    short_of[0] = fd < 0
    if fd < 0:
        return None
    client = Http1Client()
    client.worker = worker
    client.endpoint = endpoint
    began = client.connect(fd, patience)
    short_of[0] = began == Dial.SHORT
    return client.leg if began == Dial.UNDER_WAY else None


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
    (<Http1Client>worker.resting.oldest.owner).leave_pool()
    return True
