"""Accepts connections and hands each to a Downstream. Level-triggered, a bounded number at a time; never reads a byte."""
from libc.errno cimport EMFILE, ENFILE, errno
from libc.stdint cimport uint32_t
from libc.string cimport strlen, strncmp, memmove
from posix.unistd cimport close as close_fd, dup

from haystack._fast.buffer cimport pending
from haystack._fast.downstream cimport Downstream
from haystack._fast.exchange cimport State
from haystack._fast.plane cimport Plane
from haystack._fast.poller cimport Stream

cdef extern from "sys/epoll.h" nogil:
    enum:
        EPOLLIN
        EPOLLOUT
        EPOLLRDHUP
        EPOLLET
cdef extern from "sys/socket.h" nogil:
    enum:
        AF_INET
        AF_INET6
        SOCK_NONBLOCK
        SOCK_CLOEXEC
        MSG_PEEK
        MSG_DONTWAIT
    ssize_t recv(int, void *, size_t, int)
    int accept4(int, sockaddr *, unsigned int *, int)
cdef extern from "arpa/inet.h" nogil:
    const char *inet_ntop(int, const void *, char *, unsigned int)
cdef extern from "netinet/in.h" nogil:
    struct in_addr:
        unsigned int s_addr
    struct sockaddr_in:
        in_addr sin_addr
    struct in6_addr:
        unsigned char s6_addr[16]
    struct sockaddr_in6:
        in6_addr sin6_addr

cdef enum:
    ACCEPTS = 64
    BACKLOG = 4096      # of the supervisor's sockets


cdef class Listener(Stream):
    """One listening socket, which stays the giver's: the descriptor is duplicated. index: into plane.ports."""

    def __cinit__(self, *_):
        self.spare = -1

    def __dealloc__(self):
        if self.spare >= 0:
            close_fd(self.spare)

    def __init__(self, Plane plane, int fd, int index):
        cdef int own = dup(fd)
        if own < 0:
            raise OSError(errno, "dup")
        self.plane = plane
        self.index = index
        self.spare = dup(fd)
        plane.poller.watch(self, own, EPOLLIN)

    def stop(self):
        """Accept what is waiting, then accept no more."""
        cdef int _burst
        if self.fd < 0:
            return
        for _burst in range(BACKLOG // ACCEPTS):
            self.on_event(0)
        self.close()
        close_fd(self.spare)        # a copy: while it is open, the socket goes on listening
        self.spare = -1

    cdef int on_event(self, uint32_t events) except -1:
        cdef char raw[128]
        cdef unsigned int size
        cdef int fd, _i
        for _i in range(ACCEPTS):
            size = sizeof(raw)
            fd = accept4(self.fd, <sockaddr *>raw, &size, SOCK_NONBLOCK | SOCK_CLOEXEC)
            if fd < 0:
                if (errno == EMFILE or errno == ENFILE) and self.spare >= 0:
                    self.refuse_one()
                return 0
            try:
                self.admit(fd, <sockaddr *>raw)
            except Exception as error:
                self.poller.on_error(error)     # that client is lost, not the listener
        return 0

    cdef int admit(self, int fd, sockaddr *peer) except -1:
        """Watch a new client."""
        cdef Downstream down = Downstream()
        down.plane = self.plane
        down.listener = self.index
        set_address(down, peer)
        if self.plane.trusts is not None:
            down.trusted = self.plane.trusts(down.address[:down.address_size].decode())
        self.poller.watch(down, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
        down.writable = True
        down.deadline = self.poller.now + self.plane.idle_ms
        return 0

    cdef int refuse_one(self) except -1:
        """Out of descriptors: give up the spare one for a moment to close a client, or its connection would be ready for ever."""
        close_fd(self.spare)
        self.spare = -1
        fd = accept4(self.fd, NULL, NULL, SOCK_CLOEXEC)
        if fd >= 0:
            close_fd(fd)
        self.spare = dup(self.fd)
        return 0


def close_idle(Plane plane):
    """Close the clients that are between two requests; how many are left in an exchange."""
    cdef void *at = plane.poller.first
    cdef Stream stream
    cdef Downstream down
    cdef int busy = 0
    cdef char byte
    while at != NULL:
        stream = <Stream>at
        at = stream.behind
        if isinstance(stream, Downstream):
            down = <Downstream>stream
            if down.state == State.IDLE and pending(&down.input) == 0 and down.unsent() == 0 and (
                not down.readable and recv(down.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0
            ):
                down.close()
            else:
                busy += 1
    return busy


cdef int set_address(Downstream down, sockaddr *peer) noexcept:
    down.address[0] = 0
    if peer.sa_family == AF_INET:
        inet_ntop(AF_INET, &(<sockaddr_in *>peer).sin_addr, down.address, 48)
    elif peer.sa_family == AF_INET6:
        inet_ntop(AF_INET6, &(<sockaddr_in6 *>peer).sin6_addr, down.address, 48)
        if strncmp(down.address, b"::ffff:", 7) == 0:
            memmove(down.address, down.address + 7, strlen(down.address) - 6)   # an IPv4 client of a dual-stack socket
    down.address_size = <int>strlen(down.address)
    return 0
