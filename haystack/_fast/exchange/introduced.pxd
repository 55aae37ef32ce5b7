# Clients that somebody introduces: their connections begin with a header of the PROXY protocol.
from haystack._fast.net.poller cimport LentSocket, Socket
from haystack._fast.net.proxy_header cimport Ends
from haystack._fast.worker.worker_state cimport WorkerState

cdef class Door(LentSocket):
    cdef WorkerState worker

    cdef int let_in(self, int fd, char *address) except -1

cdef class Introduced(Socket):
    cdef WorkerState worker
    cdef Door door
    cdef char own[28]           # its address, where the header tells of nobody

    cdef int wait(self, Door door, int fd, const char *address) except -1
    cdef int refuse(self, str why) except -1
    cdef bint has_begun(self) noexcept
