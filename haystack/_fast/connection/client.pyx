"""A connection to an endpoint, whatever it speaks: how it is made, how it rests in its endpoint's pool, and that it is counted."""
from libc.errno cimport EINPROGRESS, errno
from libc.stdint cimport int64_t, uint32_t

from haystack._fast.net.epoll cimport EPOLLERR, EPOLLET, EPOLLIN, EPOLLOUT, EPOLLRDHUP
from haystack._fast.net.tcp cimport is_own
from haystack._fast.net.tls_client cimport TlsClientTransport
from haystack._fast.net.transport cimport Transport
from haystack._fast.util.buffer cimport add, pending
from haystack._fast.util.linked_list cimport join, leave

cdef extern from "sys/socket.h" nogil:
    enum:
        AF_UNIX
        SOL_SOCKET
        SO_ERROR
    struct sockaddr:
        pass
    int connect(int, const sockaddr *, unsigned int)
    int getsockopt(int, int, int, void *, unsigned int *)
    int setsockopt(int, int, int, const void *, unsigned int)
cdef extern from "netinet/in.h" nogil:
    enum:
        IPPROTO_TCP
cdef extern from "linux/tcp.h" nogil:
    enum:
        TCP_NODELAY

cdef enum:
    EVENTS = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET
    HELLO_MS = 1000         # for connection and handshake at least, while another endpoint is there


cdef class ClientConnection(Connection):
    """Base of Http1Client and Http2Client."""

    def __cinit__(self):
        self.place.owner = <void *>self

    cdef Dial connect(self, int fd, int64_t patience) except? Dial.REFUSED:
        """Begin to connect this socket, which is this connection's from here on. patience: milliseconds that this may take."""
        cdef int one = 1, error
        cdef Transport transport = Transport() if self.endpoint.tls is None else TlsClientTransport(self.endpoint.tls)
        transport.urgent = True         # a pooled connection's end must be seen before a client of the same batch is given it
        transport.heeds_room = True
        transport.owner = self
        self.transport = transport
        self.target = self.endpoint.tls
        self.connecting = True
        self.worker.endpoints += self.endpoint.sockaddr.family != AF_UNIX
        try:
            self.worker.poller.watch(transport, fd, EVENTS)
        except OSError:
            return SHORT                # the kernel watches no more; the descriptor is closed already
        if self.endpoint.sockaddr.family != AF_UNIX:
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
        if connect(fd, <sockaddr *>self.endpoint.sockaddr.raw, self.endpoint.sockaddr.size) < 0 and errno != EINPROGRESS:
            error = errno
            self.close()
            return SHORT if is_own(error) else REFUSED
        self.born = self.worker.poller.now
        self.patience = patience
        transport.deadline = self.born + patience
        return UNDER_WAY

    cdef int on_hello(self) except -1:
        """Within the time of a connection that is made, too: but it takes the endpoint more than a connection alone."""
        self.transport.deadline = self.born + min(max(self.patience, <int64_t>HELLO_MS), self.worker.limits.connect_ms)
        return 0

    cdef int introduce(self, const char *data, size_t size) except -1:
        """Have it begin with this, before TLS or anything else. It is not connected yet."""
        return add(&self.transport.out, data, size)

    cdef int say_greeting(self) except -1:
        """It is connected; within TLS, its transport has said that already."""
        cdef size_t size = pending(&self.transport.out)
        if size == 0:
            return 0
        self.transport.written += <int64_t>size
        return self.transport.flush()

    cdef bint has_connected(self, uint32_t events) noexcept:
        """Whether connecting, which has ended, has succeeded."""
        cdef int error = 0
        cdef unsigned int size = sizeof(error)
        getsockopt(self.transport.fd, SOL_SOCKET, SO_ERROR, &error, &size)
        if error or events & EPOLLERR:
            return False
        self.connecting = False
        self.transport.writable = True
        return True

    cdef int on_closed(self) except -1:
        Connection.on_closed(self)
        leave(&self.place)
        self.worker.endpoints -= self.endpoint.sockaddr.family != AF_UNIX
        return 0

    cdef bint is_old(self) noexcept:
        """Whether it has been open for as long as one may be."""
        return self.worker.limits.pool_age_ms > 0 and self.worker.poller.now - self.born >= self.worker.limits.pool_age_ms

    cdef int rest(self) except -1:
        """Into the pool."""
        self.transport.deadline = self.worker.poller.now + self.worker.limits.pool_ms
        join(&self.endpoint.idle, &self.place)
        join(&self.worker.resting, &self.link)
        return 0

    cdef int leave_pool(self) except -1:
        leave(&self.place)
        return self.close()
