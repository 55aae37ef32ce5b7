"""Accepts connections and makes a client's connection of each. Level-triggered, a bounded number at a time; never reads a byte."""
from libc.errno cimport (
    EAGAIN, ECONNABORTED, EHOSTDOWN, EHOSTUNREACH, EINTR, EMFILE, ENETDOWN, ENETUNREACH, ENFILE, ENONET, ENOPROTOOPT, EOPNOTSUPP, EPERM,
    EPROTO, errno,
)
from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, strlen
from posix.unistd cimport close as close_fd, dup

from haystack._fast.connection.http1_server cimport Http1Server
from haystack._fast.connection.leg cimport Peer
from haystack._fast.connection.server cimport ServerConnection
from haystack._fast.connection.spares cimport forget, new_client
from haystack._fast.exchange.admit cimport Exchanges
from haystack._fast.exchange.introduced cimport Introduced
from haystack._fast.http1.local_reply cimport Form, write_answer
from haystack._fast.net.epoll cimport EPOLLET, EPOLLIN, EPOLLRDHUP
from haystack._fast.net.networks cimport Networks, Right
from haystack._fast.net.tls_server cimport TlsServer, TlsServerTransport
from haystack._fast.net.transport cimport Transport
from haystack._fast.util.buffer cimport take
from haystack._fast.util.digits cimport write_ip4
from haystack._fast.util.linked_list cimport Link
from haystack._fast.worker.worker_state cimport SCRATCH, WorkerState

cdef extern from "sys/socket.h" nogil:
    enum:
        AF_INET
        AF_INET6
        SOCK_NONBLOCK
        SOCK_CLOEXEC
        MSG_PEEK
        MSG_DONTWAIT
        MSG_NOSIGNAL
    ssize_t recv(int, void *, size_t, int)
    ssize_t send(int, const void *, size_t, int)
    int accept4(int, sockaddr *, unsigned int *, int)
cdef extern from "arpa/inet.h" nogil:
    const char *inet_ntop(int, const void *, char *, unsigned int)
    uint32_t ntohl(uint32_t)
    uint16_t ntohs(uint16_t)
cdef extern from "netinet/in.h" nogil:
    struct in_addr:
        unsigned int s_addr
    struct sockaddr_in:
        uint16_t sin_port
        in_addr sin_addr
    struct in6_addr:
        unsigned char s6_addr[16]
    struct sockaddr_in6:
        in6_addr sin6_addr

cdef enum:
    ACCEPTS = 64
    NAP_MS = 100
    RESTED_MS = 500     # a client that has been idle for less may have sent a request that is on its way still
    LOOKS = 64          # at idle clients, for one that may be closed
    BACKLOG = 4096      # of the supervisor's sockets
    LOCAL = 0x7F000001  # 127.0.0.1

cdef const char *MAPPED = b"\0\0\0\0\0\0\0\0\0\0\xFF\xFF"     # before an IPv4 address in an IPv6 one (RFC 4291, section 2.5.5.2)


cdef class Listener(Door):
    """One listening socket, which stays the giver's: the descriptor is duplicated. index: into worker.ports.

    served: index of the listener whose routes its clients have, if that is another one; tls: None: they come without.
    """

    def __cinit__(self, *_):
        self.spare = -1

    def __dealloc__(self):
        if self.spare >= 0:
            close_fd(self.spare)

    def __init__(self, WorkerState worker, int fd, int index, served=None, TlsServer tls=None):
        cdef int own = dup(fd)
        if own < 0:
            raise OSError(errno, "dup")
        self.worker = worker
        self.exchanges = Exchanges(worker)
        self.index = index
        self.served = index if served is None else served
        self.tls = tls
        self.burst = 1
        self.spare = dup(fd)
        worker.poller.watch(self, own, EPOLLIN)

    def stop(self):
        """Accept what is waiting, then accept no more."""
        cdef int _burst
        if self.fd < 0:
            return
        self.stopping = True
        for _burst in range(BACKLOG // ACCEPTS):
            self.on_event(0)
        self.close()
        close_fd(self.spare)        # a copy: while it is open, the socket goes on listening
        self.spare = -1
        forget()

    cdef int on_event(self, uint32_t events) except -1:
        cdef char raw[128]
        cdef unsigned int size
        cdef int fd, i
        for i in range(ACCEPTS if self.stopping else self.burst):
            if not self.worker.clients.has_room() and not self.stopping and longest_idle(self.worker, 0) is None:
                return self.rest()
            size = sizeof(raw)
            fd = accept4(self.fd, <sockaddr *>raw, &size, SOCK_NONBLOCK | SOCK_CLOEXEC)
            if fd < 0:
                if is_of_client(errno):
                    continue
                self.burst = max(1, i)
                return 0 if errno == EAGAIN else self.go_short(errno)
            try:
                self.meet(fd, <sockaddr *>raw)
            except Exception as error:
                self.poller.on_error(error)     # that client is lost, not the listener
        self.burst = min(ACCEPTS, self.burst * 2)
        return 0

    cdef int go_short(self, int error) except -1:
        """The system can't give another connection: close an idle client, turn the new one away, or leave all in the queue for a while."""
        cdef ServerConnection idle = longest_idle(self.worker, 0)
        if error in (EMFILE, ENFILE) and idle is not None:
            return idle.close()
        if error in (EMFILE, ENFILE) and self.spare >= 0 and self.refuse_one():
            return 0
        self.deadline = self.poller.now + NAP_MS        # or the same client would be ready for ever
        return self.poller.rewatch(self, 0)

    cdef int on_deadline(self) except -1:
        self.deadline = 0
        if self.spare < 0:
            self.spare = dup(self.fd)
        if self.resting:
            return self.on_again()
        self.poller.rewatch(self, EPOLLIN)
        return self.on_event(0)

    cdef int rest(self) except -1:
        """There is no room: leave further clients in the kernel's queue until one goes, or has been idle for long enough."""
        self.deadline = self.poller.now + NAP_MS
        if not self.resting:
            self.resting = True
            self.poller.rewatch(self, 0)
        return self.worker.clients.pause(self)

    cdef int on_again(self) except -1:
        if self.resting:
            self.resting = False
            self.poller.rewatch(self, EPOLLIN)
        return self.on_event(0)

    cdef int meet(self, int fd, sockaddr *peer) except -1:
        """Take in a new client; one that somebody introduces, once it is known who that is. The web side's own listener knows no such."""
        if rights_of(self.worker.networks, peer) & <int>Right.INTRODUCED and self.index != self.worker.apart:
            return Introduced().wait(self, fd, <const char *>peer)
        return self.admit(fd, peer)

    cdef int let_in(self, int fd, char *address) except -1:
        return self.admit(fd, <sockaddr *>address)

    cdef int admit(self, int fd, sockaddr *peer) except -1:
        """Watch a new client."""
        cdef WorkerState worker = self.worker
        cdef Http1Server client
        cdef ServerConnection idle
        cdef Transport transport
        cdef int rights = rights_of(worker.networks, peer)
        try:
            client = new_client() if self.tls is None else Http1Server()
            if self.tls is not None:
                client.transport = TlsServerTransport(self.tls)
        except BaseException:
            close_fd(fd)
            raise
        transport = client.transport
        transport.fd = fd               # goes with it, whatever goes wrong from here on
        client.worker, client.handler = worker, self.exchanges
        client.peer.listener, client.peer.served = self.index, self.served
        set_address(&client.peer, peer)
        client.peer.fd = fd
        client.peer.rights, client.peer.trusted = rights, (rights & <int>Right.TRUSTED) != 0
        if not rights & <int>Right.NEAR:
            worker.clients.outside += 1
        elif rights & <int>Right.GATEWAY:
            worker.clients.hidden += 1
            if worker.clients.gateway is None:
                worker.clients.gateway = client.peer.address[:client.peer.address_size].decode()
        if worker.limits.max_per_client and not client.peer.trusted:
            client.peer.origin = origin_of(peer)
            if not worker.clients.welcomes(client.peer.origin) and not self.make_way(client):
                return self.turn_away(fd)       # closed with its transport, which nobody holds
        if not worker.clients.has_room() and not self.stopping:
            idle = longest_idle(worker, 0)
            if idle is not None:
                idle.close()
        worker.clients.enter(client.peer.origin)
        transport.owner = client
        client.leg.connection = client
        transport.counted = True
        transport.writable = self.tls is None
        worker.poller.watch(transport, fd, EPOLLIN | EPOLLRDHUP | EPOLLET)
        transport.deadline = worker.poller.now + worker.limits.idle_ms
        return client.rest()

    cdef bint make_way(self, ServerConnection client) except -1:
        """This client's address has its share: where that is no fixed number, its connection that has been idle longest goes instead."""
        cdef ServerConnection idle = None if self.worker.limits.max_per_client > 0 else longest_idle(self.worker, client.peer.origin)
        if idle is None:
            return False
        idle.close()
        return True

    cdef int turn_away(self, int fd) except -1:
        """Answer a client that has too many connections without waiting for its request: it holds no more (RFC 6585, section 4)."""
        cdef WorkerState worker = self.worker
        if self.tls is not None:
            return 0                    # nothing can be said before a handshake, which costs more than the answer does
        write_answer(&worker.work, 429, b"http_request_denied", b"too many connections from this address", Form.TEXT, b"", False, True)
        recv(fd, worker.scratch, SCRATCH, MSG_DONTWAIT)      # a close with bytes unread would reset the connection, and the answer with it
        send(fd, worker.work.data, worker.work.end, MSG_DONTWAIT | MSG_NOSIGNAL)
        take(&worker.work, worker.work.end)
        worker.exchanges += 1
        worker.statuses[4] += 1
        return 0

    cdef bint refuse_one(self) except -1:
        """Out of descriptors: give up the spare one for a moment to close a client; False: there was none, or somebody else was faster."""
        cdef int fd
        close_fd(self.spare)
        fd = accept4(self.fd, NULL, NULL, SOCK_CLOEXEC)
        if fd >= 0:
            close_fd(fd)
        self.spare = dup(self.fd)
        return fd >= 0


cdef ServerConnection longest_idle(WorkerState worker, uint64_t origin):
    """The client that has been idle longest and may be closed; None: there is none. origin: of this address alone; 0: of any."""
    cdef Link *at = worker.clients.idle.oldest
    cdef ServerConnection client
    cdef int _look
    for _look in range(LOOKS):
        if at == NULL:
            return None
        client = <ServerConnection>at.owner
        at = at.newer
        if worker.poller.now - (client.transport.deadline - worker.limits.idle_ms) < RESTED_MS:
            return None
        if (origin == 0 or client.peer.origin == origin) and client.is_at_rest():
            return client
    return None


cdef bint is_of_client(int error) noexcept:
    """Whether accept failed for what has become of one client's connection, which has left the queue with it (accept(2))."""
    return error in (
        ECONNABORTED, EHOSTDOWN, EHOSTUNREACH, EINTR, ENETDOWN, ENETUNREACH, ENONET, ENOPROTOOPT, EOPNOTSUPP, EPERM, EPROTO)


cdef uint64_t origin_of(sockaddr *peer) noexcept:
    """What stands for a client's address: an IPv4 address, or the /64 of an IPv6 one, for that is what one client has. 0: no address."""
    cdef const unsigned char *ip
    cdef uint64_t origin = 0
    cdef int i
    if peer.sa_family == AF_INET:
        return <uint64_t>0xFFFF << 32 | (<sockaddr_in *>peer).sin_addr.s_addr
    if peer.sa_family != AF_INET6:
        return 0
    ip = (<sockaddr_in6 *>peer).sin6_addr.s6_addr
    for i in range(8):
        origin = origin << 8 | ip[i]
    if memcmp(ip, MAPPED, 12) == 0:
        return <uint64_t>0xFFFF << 32 | (<uint32_t *>&ip[12])[0]        # an IPv4 client of a dual-stack socket
    return origin or 1


cdef int rights_of(Networks networks, sockaddr *peer) noexcept:
    """Of a client, by its address; who has none is on this machine."""
    if peer.sa_family == AF_INET6:
        return networks.of6((<sockaddr_in6 *>peer).sin6_addr.s6_addr)
    return networks.of4(ntohl((<sockaddr_in *>peer).sin_addr.s_addr) if peer.sa_family == AF_INET else LOCAL)


cdef int set_address(Peer *client, sockaddr *peer) noexcept:
    cdef const unsigned char *ip = NULL
    client.address[0] = client.address_size = client.port = 0
    if peer.sa_family == AF_INET or peer.sa_family == AF_INET6:
        client.port = ntohs((<sockaddr_in *>peer).sin_port)         # stands at the same place in both
    if peer.sa_family == AF_INET:
        ip = <const unsigned char *>&(<sockaddr_in *>peer).sin_addr
    elif peer.sa_family == AF_INET6:
        ip = (<sockaddr_in6 *>peer).sin6_addr.s6_addr
        if memcmp(ip, MAPPED, 12) != 0:
            inet_ntop(AF_INET6, ip, client.address, 48)
            client.address_size = <int>strlen(client.address)
            return 0
        ip += 12                        # an IPv4 client of a dual-stack socket
    if ip != NULL:
        client.address_size = write_ip4(client.address, ip)
    return 0
