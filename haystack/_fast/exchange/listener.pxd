# A listening socket of a worker.
from libc.stdint cimport uint64_t
from haystack._fast.connection.server cimport ServerConnection
from haystack._fast.exchange.admit cimport Exchanges
from haystack._fast.exchange.introduced cimport Door
from haystack._fast.net.tls_server cimport TlsServer

cdef extern from "sys/socket.h" nogil:
    struct sockaddr:
        unsigned short sa_family

cdef class Listener(Door):
    cdef Exchanges exchanges        # what takes the requests of its clients
    cdef int index
    cdef int served
    cdef TlsServer tls
    cdef int spare
    cdef int burst                  # clients that are likely to wait: asking for one more than there are costs a call
    cdef bint stopping, resting     # to the last client in the queue, whatever the limits; not watched: there is no room

    cdef int rest(self) except -1
    cdef int meet(self, int fd, sockaddr *peer) except -1
    cdef int admit(self, int fd, sockaddr *peer) except -1
    cdef bint make_way(self, ServerConnection client) except -1
    cdef int turn_away(self, int fd) except -1
    cdef int go_short(self, int error) except -1
    cdef bint refuse_one(self) except -1
