"""What a connection that was used before holds, for tests alone."""
from cpython.object cimport PyObject, Py_TYPE

from haystack._fast.connection.http1_server cimport Http1Server
from haystack._fast.connection.spares cimport new_client
from haystack._fast.connection.spares import kept


cdef bytes held(object one, list own):
    """Its bytes behind the object's head, without the addresses of what is its own."""
    cdef char *at = <char *><PyObject *>one + sizeof(PyObject)
    cdef bytes found = at[:Py_TYPE(one).tp_basicsize - sizeof(PyObject)]
    for number, each in enumerate(own):
        found = found.replace(int(<size_t><PyObject *>each).to_bytes(8, "little"), b"%08d" % number)
    return found


cdef tuple all_held(Http1Server client):
    return held(client, [client, client.transport, client.leg]), held(client.transport, []), held(client.leg, [])


def spare_clients():
    """How many are kept for new clients."""
    return len(kept())


def next_client():
    """(all bytes of the next client's connection, its transport and its leg; whether these were used before), and let go of them."""
    cdef Py_ssize_t before = len(kept())
    cdef Http1Server client = new_client()
    return all_held(client), len(kept()) < before


def kept_bytes():
    """All bytes of those that are kept."""
    return [all_held(client) for client in kept()]
