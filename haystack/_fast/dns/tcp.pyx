"""DNS over TCP (RFC 7766): queries may come before earlier ones are answered, and answers in another order.

Never decides an answer. A client that does not read what it asked for is read no further.
"""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport EMFILE, ENFILE, errno
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memset
from posix.unistd cimport close as close_fd

from haystack._fast.dns.asker cimport describe, plain_address, sockaddr, sockaddr_storage
from haystack._fast.dns.question cimport Question, at16, essence, put16
from haystack._fast.dns.rate_limit cimport Limited
from haystack._fast.dns.responder cimport Verdict
from haystack._fast.net.epoll cimport EPOLLERR, EPOLLET, EPOLLIN, EPOLLOUT, EPOLLRDHUP
from haystack._fast.net.poller cimport clock_ns
from haystack._fast.net.transport cimport ConnectionState, Transport, mark_readable
from haystack._fast.util.buffer cimport pending, release, reserve, take
from haystack._fast.util.linked_list cimport join

cdef extern from "sys/socket.h" nogil:
    enum:
        SOCK_NONBLOCK
        SOCK_CLOEXEC
    int accept4(int, sockaddr *, unsigned int *, int)
    int getsockname(int, sockaddr *, unsigned int *)

cdef enum:
    ACCEPTS = 16
    NAP_MS = 100
    AGAIN_MS = 500
    PIPELINED = 64          # queries of one client that wait for other nameservers
    UNSENT = 65536          # octets that it has not taken: it is read no further
    MOST_UNSENT = 1048576   # and what it has asked before is given up as well
    READ = 4096
    AT_ONCE = 64            # queries of one client before others have their turn


cdef class TcpListener(LentSocket):
    """One listening socket, level-triggered, which stays the giver's: the descriptor is duplicated (server.pyx)."""

    cdef int on_event(self, uint32_t events) except -1:
        return self.accept()

    cdef int on_deadline(self) except -1:
        self.deadline = 0
        self.poller.rewatch(self, EPOLLIN)
        return self.accept()

    cdef int on_failure(self) except -1:
        """A bug: the client that was being taken in is lost, and others are not."""
        return 0

    cdef int accept(self) except -1:
        cdef sockaddr_storage peer
        cdef unsigned int size
        cdef int fd, _i
        for _i in range(ACCEPTS):
            size = sizeof(peer)
            fd = accept4(self.fd, <sockaddr *>&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC)
            if fd >= 0:
                self.admit(fd, &peer)
            elif errno in (EMFILE, ENFILE):
                self.deadline = self.poller.now + NAP_MS        # or the same client would be ready for ever
                return self.poller.rewatch(self, 0)
            else:
                return 0
        return 0

    cdef int admit(self, int fd, void *peer) except -1:
        """Take a client in. Where there is no room, the one of the client with most that has been without a query for longest goes."""
        cdef DnsServer server = self.server
        cdef Transport transport
        cdef DnsConnection connection
        cdef sockaddr_storage local
        cdef unsigned int size = sizeof(local)
        try:
            transport = Transport()
        except BaseException:
            close_fd(fd)
            raise
        transport.fd = fd               # goes with it, whatever goes wrong from here on
        connection = DnsConnection()
        connection.server, connection.transport = server, transport
        memset(&connection.asker, 0, sizeof(connection.asker))
        describe(&connection.asker, peer, server.networks, server.subnets)
        connection.asker.tcp = True
        if getsockname(fd, <sockaddr *>&local, &size) == 0:
            connection.asker.local_size = plain_address(connection.asker.local, &local)
        connection.client = PyBytes_FromStringAndSize(<const char *>connection.asker.ip, min(connection.asker.size, 8))
        if server.clients.count >= server.most:
            server.make_room()
        transport.owner = connection
        transport.writable = True
        server.shares[connection.client] = server.shares.get(connection.client, 0) + 1
        join(&server.clients, &connection.link)
        transport.deadline = self.poller.now + server.idle_ms
        return self.poller.watch(transport, fd, EPOLLIN | EPOLLRDHUP | EPOLLET)


cdef class DnsConnection(Connection):
    """One client."""

    def __dealloc__(self):
        release(&self.incoming)

    cdef int on_event(self, uint32_t events) except -1:
        mark_readable(self.transport, events)
        if events & EPOLLERR:
            return self.close()
        if events & EPOLLOUT:
            self.transport.flush()
        return self.read()

    cdef int on_again(self) except -1:
        return self.read()

    cdef int on_deadline(self) except -1:
        """It has been without a query for long; while an answer is due, which comes within some seconds, it stays."""
        if self.waiting:
            self.transport.deadline = self.transport.poller.now + AGAIN_MS
            return 0
        return self.close()

    cdef int on_closed(self) except -1:
        left = self.server.shares.pop(self.client) - 1
        if left:
            self.server.shares[self.client] = left
        return Connection.on_closed(self)

    cdef bint takes_more(self) noexcept:
        """Whether it may ask more now."""
        return self.state == ConnectionState.OPEN and self.waiting < PIPELINED and self.transport.unsent() < UNSENT

    cdef int read(self) except -1:
        """Answer what it has asked; what it asks while too much of that is on its way stays in its socket."""
        cdef Py_ssize_t n
        while self.takes_more():
            if self.answer_all():
                return self.transport.poller.later(self.transport)
            if not self.takes_more():
                return 0
            if not self.transport.readable:
                return self.end_if_over()
            reserve(&self.incoming, READ)
            n = self.transport.receive(self.incoming.data + self.incoming.end, READ)
            if n > 0:
                self.incoming.end += n
            elif n == -2:
                return self.close()
        return 0

    cdef int end_if_over(self) except -1:
        """It sends no more: what is on its way to it still goes out."""
        if self.transport.hung_up and self.waiting == 0 and self.transport.unsent() == 0:
            return self.close()
        return 0

    cdef int answer_all(self) except -1:
        """Answer the whole queries that are here; 1: there are more, and others have their turn first."""
        cdef int size, done = 0
        while self.takes_more() and pending(&self.incoming) >= 2:
            size = at16(<uint8_t *>self.incoming.data + self.incoming.start)
            if <int>pending(&self.incoming) < 2 + size:
                reserve(&self.incoming, 2 + size)
                return 0
            if done == AT_ONCE:
                return 1
            done += 1
            self.answer(<uint8_t *>self.incoming.data + self.incoming.start + 2, size)
            take(&self.incoming, 2 + size)
        if pending(&self.incoming) == 0:
            release(&self.incoming)     # one that is idle costs nothing for it
        return 0

    cdef int answer(self, const uint8_t *query, int size) except -1:
        cdef DnsServer server = self.server
        cdef TcpWaiter waiter
        cdef int octets
        cdef int64_t began = clock_ns()
        join(&server.clients, &self.link)
        self.transport.deadline = self.transport.poller.now + server.idle_ms
        server.responder.now = self.transport.poller.now
        octets = server.responder.answer(query, size, &self.asker, server.work + 2)
        if octets == Verdict.FORWARD and server.pending.has_room(&self.asker):
            waiter = TcpWaiter()
            waiter.connection, waiter.asker = self, self.asker
            waiter.packet = essence(&server.responder.question)
            waiter.key = b"%d" % id(waiter)        # each query is answered, whatever its id
            self.waiting += 1
            return server.wait_for(waiter)
        if octets == Verdict.FORWARD:
            octets = server.responder.overload(&self.asker, server.work + 2)
        elif server.responder.hot:
            server.renew(&self.asker)
        self.send(server.work, octets)
        if octets > 0:
            server.at_once.took(clock_ns() - began, 1)
            if server.responder.log is not None:
                server.responder.record(&server.responder.question, &self.asker, Limited.PASSED, clock_ns() - began)
        return 0

    cdef int send(self, uint8_t *work, int size) except -1:
        """Send an answer of so many octets, which stands behind the two for its length."""
        if size <= 0:
            return 0
        put16(work, size)
        return self.transport.send(<const char *>work, size + 2)


cdef class TcpWaiter(Waiter):
    """A query over TCP that waits for its answer."""

    cdef int reply(self, Question *_q, uint8_t *p, int size, Limited *_verdict) except -1:
        cdef DnsConnection connection = self.connection
        cdef uint8_t length[2]
        if connection.state != ConnectionState.OPEN:
            return 0
        connection.waiting -= 1
        if connection.transport.unsent() > MOST_UNSENT:
            return connection.close()   # it takes nothing, and would have us keep all that it has asked
        put16(length, size)
        connection.transport.send_both(<const char *>length, 2, <const char *>p, size)
        return connection.transport.poller.later(connection.transport)
