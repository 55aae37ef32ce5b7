"""Port 53 of a worker: takes the sockets that the supervisor lends, answers at once what can be, and has the rest asked.

Never decides an answer. Does nothing before `listen`: until then datagrams and clients wait in the kernel's queues.
"""
from libc.stdlib cimport free, malloc

from haystack._fast.dns.cache cimport key_of
from haystack._fast.dns.question cimport LONGEST, essence
from haystack._fast.dns.tcp cimport DnsConnection, TcpListener
from haystack._fast.dns.udp cimport UdpSocket, duplicate
from haystack._fast.net.epoll cimport EPOLLET, EPOLLIN
from haystack._fast.net.poller cimport Socket
from haystack._fast.util.linked_list cimport Link, leave


cdef class DnsServer:
    """send: as with Pending; clients: over TCP at once; idle: seconds that one may be without a query; waiting: questions at once."""

    def __cinit__(self):
        self.work = <uint8_t *>malloc(LONGEST + 2)
        if self.work == NULL:
            raise MemoryError

    def __dealloc__(self):
        while self.clients.oldest != NULL:
            leave(self.clients.oldest)
        free(self.work)

    def __init__(self, Poller poller, Responder responder, send, *, Py_ssize_t clients, double idle, Py_ssize_t waiting):
        self.poller, self.responder = poller, responder
        self.pending = Pending(poller, responder, send, waiting)
        self.batches, self.rate_limit, self.at_once = Batches(), RateLimit(), Times()
        self.networks, self.subnets = Networks(), Networks()
        self.sockets, self.shares = [], {}
        self.most, self.idle_ms = clients, <int64_t>(idle * 1000)

    def listen(self, udp, tcp):
        """Answer what comes in on these descriptors, which stay the caller's. Raises OSError."""
        cdef Socket each
        cdef int fd
        for fd in udp:
            each = UdpSocket()
            (<UdpSocket>each).server = self
            each.urgent = True          # a batch of it takes as long as some requests do, and there may be 255 of these beside it
            self.sockets.append(each)
            self.poller.watch(each, duplicate(fd), EPOLLIN | EPOLLET)
        for fd in tcp:
            each = TcpListener()
            (<TcpListener>each).server = self
            self.sockets.append(each)
            self.poller.watch(each, duplicate(fd), EPOLLIN)

    def leave(self, double idle):
        """Take no more; clients over TCP may be without a query for so many seconds more."""
        cdef Socket each
        cdef Link *at = self.clients.oldest
        for each in self.sockets:
            if isinstance(each, UdpSocket):
                (<UdpSocket>each).leave()
            else:
                each.close()
        self.sockets = []
        self.idle_ms = min(self.idle_ms, <int64_t>(idle * 1000))
        while at != NULL:
            (<DnsConnection>at.owner).transport.deadline = min(
                (<DnsConnection>at.owner).transport.deadline, self.poller.now + self.idle_ms)
            at = at.newer

    @property
    def busy(self):
        """Whether somebody waits for an answer, or a client over TCP is there."""
        return self.pending.waiting > 0 or self.clients.count > 0

    cdef int make_room(self) except -1:
        """Close the one without a query for longest, of the client that has most: nobody keeps others out (RFC 7766, section 6.2.3)."""
        cdef Link *at = self.clients.oldest
        cdef DnsConnection each
        most = max(self.shares.values())
        while at != NULL:
            each = <DnsConnection>at.owner
            if self.shares[each.client] == most:
                return each.close()
            at = at.newer
        return 0

    cdef int wait_for(self, Waiter waiter) except -1:
        """Have the question asked that the responder could not answer; the answer goes to the waiter."""
        return self.pending.ask(waiter, key_of(&self.responder.question), self.responder.stale)

    cdef int renew(self, Asker *asker) except -1:
        """Have the question asked whose answer, just given, is about to end."""
        return self.pending.renew(key_of(&self.responder.question), essence(&self.responder.question), asker)
