"""Clients' connections that have ended, with their plain transports and legs: up to SPARES of these become those of new clients.

Three objects a connection are most of what a client costs that asks only once. One is taken when nothing else refers to any of the three
any more: not in the batch that it was closed in, then. All its bytes become those of one that was never used.
"""
from cpython.object cimport PyObject, Py_TYPE
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.string cimport memcpy

from haystack._fast.connection.http1_leg cimport Http1ServerLeg
from haystack._fast.connection.http1_server cimport Http1Server
from haystack._fast.net.transport cimport Transport
from haystack._fast.util.allocations cimport IS_DEBUG, Asset, book
from haystack._fast.util.buffer cimport release
from haystack._fast.util.linked_list cimport leave

cdef extern from "Python.h":
    Py_ssize_t references "Py_REFCNT"(PyObject *)   # of a pointer: an object as an argument would have one more

cdef enum:
    SPARES = 64

cdef PyObject *ended[SPARES]     # with a reference to each, the newest last
cdef int count = 0

# what was never used; None: not needed yet
cdef Http1Server unused = None
cdef Http1ServerLeg unused_leg = None
cdef Transport unused_transport = None


cdef Http1Server new_client():
    """A client's connection with a plain transport, both as new."""
    global count
    cdef Http1Server client
    if count:
        client = <Http1Server>ended[count - 1]
        if is_free(client):
            count -= 1
            Py_DECREF(client)           # the list's reference
            renew(client)
            return client
    client = Http1Server()
    client.transport = Transport()
    return client


cdef int keep(Http1Server client) except -1:
    """Keep a closed connection for the next client. Not while the worker drains, beyond SPARES of them, or with TLS."""
    global count
    if count == SPARES or client.worker.draining or type(client) is not Http1Server or type(client.transport) is not Transport:
        return 0
    Py_INCREF(client)
    ended[count] = <PyObject *>client
    count += 1
    if IS_DEBUG:
        book(Asset.SOCKET, -1)
    return 0


cdef bint is_free(Http1Server client) noexcept:
    """Whether nothing refers to it but the list and our caller, and to its two parts but itself."""
    return references(<PyObject *>client) == 2 and references(<PyObject *>client.transport) == 1 and references(<PyObject *>client.leg) == 1


cdef int renew(Http1Server client) except -1:
    """Let go of all that it has, and make its bytes those of one that was never used."""
    cdef Transport transport = client.transport
    cdef Http1ServerLeg leg = client.leg
    if unused is None:
        make_unused()
    leave(&client.link)
    release(&client.input)
    release(&leg.trailer)
    release(&transport.out)
    transport.drop_pipe()
    client.transport = client.worker = client.handler = client.leg = None
    leg.user = leg.connection = None
    transport.poller = transport.owner = None
    copy(<PyObject *>transport, <PyObject *>unused_transport)
    copy(<PyObject *>leg, <PyObject *>unused_leg)
    copy(<PyObject *>client, <PyObject *>unused)
    client.link.owner = <void *>client
    client.leg, client.transport = leg, transport
    if IS_DEBUG:
        book(Asset.SOCKET, 1)
    return 0


cdef int make_unused() except -1:
    global unused, unused_leg, unused_transport
    cdef Http1Server made = Http1Server()
    unused_transport = Transport()
    if IS_DEBUG:
        book(Asset.SOCKET, -1)          # it stays
    unused_leg = made.leg
    made.leg = None
    unused = made
    return 0


cdef void copy(PyObject *used, PyObject *never) noexcept:
    """All of an object behind its head. Both are of one class, and refer to no other object than None, as often."""
    memcpy(<char *>used + sizeof(PyObject), <char *>never + sizeof(PyObject), Py_TYPE(<object>never).tp_basicsize - sizeof(PyObject))


cdef int forget() except -1:
    """Free those that are kept for new clients: they refer to their worker."""
    global count
    while count:
        count -= 1
        if IS_DEBUG:
            book(Asset.SOCKET, 1)
        Py_DECREF(<object>ended[count])
    return 0


def forget_spares():
    """Free the kept connections. For audits and tests, which count what is alive."""
    forget()


def kept():
    """The connections that are kept. For tests alone."""
    return [<object>ended[i] for i in range(count)]
