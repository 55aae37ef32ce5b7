"""A connection from a network in HAYSTACK_PROXY_PROTOCOL, until the header is here that tells whose it is.

Nothing behind the header is read: TLS may follow. Without a good header, or with none in time, the connection is closed, counted, and told.
"""
from libc.stdint cimport uint32_t
from libc.string cimport memcpy

from haystack._fast.net.epoll cimport EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLRDHUP
from haystack._fast.net.proxy_header cimport MOST_HEADER, read_header

cdef extern from "sys/socket.h" nogil:
    enum:
        MSG_PEEK
        MSG_DONTWAIT
        AF_UNSPEC
        AF_INET
        AF_INET6
    struct sockaddr:
        unsigned short sa_family
    ssize_t recv(int, void *, size_t, int)
cdef extern from "arpa/inet.h" nogil:
    const char *inet_ntop(int, const void *, char *, unsigned int)

cdef enum:
    AT4 = 4                 # where the address stands in a sockaddr_in,
    AT6 = 8                 # and in a sockaddr_in6
    TEXT = 48

cdef char[MOST_HEADER] header   # as it was looked at last


cdef class Door(LentSocket):
    """What takes clients in once it is known who they are."""

    cdef int let_in(self, int fd, char *address) except -1:
        """A client with this address, a sockaddr; the descriptor is the door's from here on."""
        raise NotImplementedError


cdef class Introduced(Socket):
    """One of these."""

    cdef int wait(self, Door door, int fd, const char *address) except -1:
        """Wait for its header. address: a sockaddr of 28 bytes."""
        self.worker, self.door = door.worker, door
        memcpy(self.own, address, sizeof(self.own))
        self.worker.poller.watch(self, fd, EPOLLIN | EPOLLRDHUP | EPOLLET)
        self.deadline = self.worker.poller.now + self.worker.limits.head_ms
        return self.worker.clients.enter(0)

    cdef int on_event(self, uint32_t events) except -1:
        cdef Ends ends
        cdef char *address = ends.client
        cdef Door door
        cdef WorkerState worker
        cdef ssize_t there
        cdef Py_ssize_t size
        if events & (EPOLLERR | EPOLLHUP):
            return self.close()
        there = recv(self.fd, header, MOST_HEADER, MSG_PEEK | MSG_DONTWAIT)
        size = read_header(header, there, &ends) if there > 0 else 0
        if size < 0:
            return self.refuse("it does not begin with a header of the PROXY protocol")
        if size == 0 and events & EPOLLRDHUP:
            return self.refuse("it ended within its header") if there > 0 else self.close()     # who only looks whether we are there
        if size == 0:
            return 0
        recv(self.fd, header, size, MSG_DONTWAIT)
        if (<sockaddr *>address).sa_family == AF_UNSPEC:
            address = self.own
        door, worker = self.door, self.worker
        self.door = None                # or close would count it again
        worker.clients.leave(0)
        return door.let_in(worker.poller.release(self), address)

    cdef int on_deadline(self) except -1:
        return self.refuse("its header took too long")

    cdef bint has_begun(self) noexcept:
        """Whether it has said something: then it is no idle one."""
        cdef char byte
        return recv(self.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0

    cdef int refuse(self, str why) except -1:
        cdef char text[TEXT]
        cdef bint narrow = (<sockaddr *>self.own).sa_family == AF_INET
        text[0] = 0
        if narrow or (<sockaddr *>self.own).sa_family == AF_INET6:
            inet_ntop(AF_INET if narrow else AF_INET6, self.own + (AT4 if narrow else AT6), text, TEXT)
        self.worker.erred(b"proxy_protocol_error", 0)
        self.worker.clients.unintroduced.append((text.decode(), why))
        return self.close()

    cdef int close(self) except -1:
        cdef bint counted = self.fd >= 0 and self.door is not None
        self.door = None
        Socket.close(self)
        return self.worker.clients.leave(0) if counted else 0
