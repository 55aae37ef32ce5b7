"""Connections to an endpoint: one that rests in its cell's pool, or a new one, within the worker's bound on all of them.

Where the bound is reached, the one that has rested longest, whoever's it is, makes room. Never chooses an endpoint.
"""
from libc.stdint cimport int64_t

from haystack._fast.endpoint.endpoint cimport Cell
from haystack._fast.exchange.upstream cimport Dial, Upstream
from haystack._fast.exchange.worker_state cimport Plane
from haystack._fast.util.linked_list cimport leave

cdef extern from "sys/socket.h" nogil:
    enum:
        AF_UNIX
        SOCK_STREAM
        SOCK_NONBLOCK
        SOCK_CLOEXEC
        MSG_PEEK
        MSG_DONTWAIT
    int socket(int, int, int)
    ssize_t recv(int, void *, size_t, int)


cdef Upstream pooled(Cell cell, bint idempotent):
    """The pooled connection used last, still whole; None: there is none."""
    cdef Upstream up
    cdef char byte
    while cell.idle:
        up = <Upstream>cell.idle.pop()
        leave(&up.link)
        if up.fd < 0:
            continue
        # a request that can't be repeated must not meet a connection that was closed a moment ago
        if not idempotent and recv(up.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0:
            up.close()
            continue
        return up
    return None


cdef Upstream dial(Plane plane, Cell cell, int64_t patience, bint *short_of):
    """A new connection on its way, which may take `patience` milliseconds; None: it failed at once. short_of: by our own want."""
    cdef Upstream up
    cdef Dial began
    cdef int fd = open_socket(plane, cell.family)
    short_of[0] = fd < 0
    if fd < 0:
        return None
    up = Upstream()
    up.plane = plane
    up.cell = cell
    began = up.connect(fd, patience)
    short_of[0] = began == Dial.SHORT
    return up if began == Dial.UNDER_WAY else None


cdef int open_socket(Plane plane, int family) except -2:
    """A socket; -1: there is none to be had, though no connection rests any more. Those to Haystack itself have a reserve."""
    cdef int fd
    if family != AF_UNIX and plane.max_endpoints and plane.endpoints >= plane.max_endpoints and not end_resting(plane):
        return -1
    fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if fd < 0 and end_resting(plane):
        fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    return fd


cdef bint end_resting(Plane plane) except -1:
    """Close the pooled connection that has rested longest; whether there was one."""
    if plane.resting.oldest == NULL:
        return False
    (<Upstream>plane.resting.oldest.owner).leave_pool()
    return True
