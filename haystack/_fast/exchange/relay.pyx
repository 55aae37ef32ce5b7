"""An exchange without messages: TLS that is passed through, from its hello on. READ leads to CONNECT or PENDING, to SEND and to TUNNEL.

It looks for an endpoint, is sent elsewhere, waits, is counted and told of as any other. A hello has no effect: until an endpoint has said
something, and as long as the client has sent nothing behind it, another endpoint may have the same one. Its record has the name as the
host, no method and no target, and the status of a tunnel (101) or the one that a client of HTTP would have got.
"""
from libc.stdint cimport int64_t

from haystack._fast.balance.affinity cimport address_key
from haystack._fast.connection.leg cimport Peer
from haystack._fast.exchange.dispatch cimport begin_dispatch
from haystack._fast.exchange.record cimport note_failure
from haystack._fast.exchange.retry cimport RetryState
from haystack._fast.exchange.states cimport State, step
from haystack._fast.http1.local_reply cimport Form
from haystack._fast.http1.method cimport Method
from haystack._fast.net.networks cimport Right
from haystack._fast.net.poller cimport clock_ns
from haystack._fast.util.buffer cimport add, release

cdef enum:
    SWITCHED = 101              # what a tunnel is counted as


cdef class Relay(Exchange):
    """One client's connection. In the place of a head stands the name that its hello asks for, which no parser takes for one."""

    cdef bytes host_name(self):
        return self.head.data[:self.head.end]

    cdef int read_hello(self, size_t size) except -1:
        """Take the hello, and no more, out of the socket. 1: it is here; 0: the client has gone."""
        cdef Py_ssize_t n = self.down.raw().receive(self.worker.scratch, size)
        if n <= 0 or <size_t>n < size:
            self.abort()
            return 0
        self.record.received = n
        add(&self.kept, self.worker.scratch, n)
        return 1

    cdef int on_connected(self) except -1:
        self.state = step(self.state, State.SEND)
        self.record.t_connected = clock_ns() if self.record.told or self.route.picker.timed else 0
        self.up.open_raw(self.kept.data, self.kept.end)
        self.down.open_raw()
        return self.send_early()

    cdef int body_ready(self) except -1:
        """The client says more, which has its time: or that it has gone, for nobody ends behind a hello."""
        return self.abort() if self.down.raw().hung_up and self.state < State.TUNNEL else 0

    cdef int send_early(self) except -1:
        """What the client sends before the endpoint has said anything. It can't be sent again: it may have an effect (RFC 8446, 2.3)."""
        cdef int64_t before = self.record.received
        if self.down.raw().hung_up:
            return self.abort()
        if not self.down.carry_up(self.up, &self.record.received):
            return self.abort()
        if self.record.received != before:
            self.retries.body_sent = True
            release(&self.kept)
        return 0

    cdef int on_first(self, const char *data, size_t size) except -1:
        if self.record.told:
            self.record.t_first = clock_ns()
        self.record.status = SWITCHED
        self.count_answer(SWITCHED)
        release(&self.kept)
        self.state = step(self.state, State.TUNNEL)
        self.record.sent += <int64_t>size
        self.down.raw().send(data, size)
        self.tunnel_down()
        return self.tunnel_up() if self.state == State.TUNNEL else 0

    cdef int tunnel_up(self) except -1:
        if self.state == State.TUNNEL:
            return Exchange.tunnel_up(self)
        return self.send_early() if self.state == State.SEND else self.body_ready()

    cdef int on_upstream_room(self) except -1:
        return self.tunnel_up() if self.state >= State.SEND else 0

    cdef int fail(self, int status, const char *error, bytes detail) except -1:
        note_failure(self, self.member)
        self.worker.erred(error, status)
        self.detail = detail
        self.detach(False)
        self.record.status, self.record.error = status, error
        self.down.answer(status, error, detail, Form.TEXT, b"")
        return self.completed(False)

    cdef bint is_raw(self) noexcept:
        return True


cdef int relay(WorkerState worker, DownLeg leg, Route route, bytes name, size_t size) except -1:
    """Lead a client to an endpoint of this route. size: of its hello, which asks for this name, and is in its socket still."""
    cdef Relay x = Relay()
    cdef Peer *peer = leg.peer()
    x.begin(worker, leg)
    add(&x.head, <const char *>name, len(name))
    x.route = route
    x.request.method = Method.OTHER_METHOD
    x.request.rights = peer.rights
    x.retries = RetryState(True, False, False, True, 0)
    x.record.told = worker.told(route)
    x.record.t_routed = clock_ns() if x.record.told else x.record.t_start
    x.candidates.key = address_key(route, peer.address, peer.address_size)
    if peer.rights & <int>Right.INSIDE:
        worker.clients.callers.note(peer.address, peer.address_size, route.service, worker.poller.now)
    return begin_dispatch(x) if x.read_hello(size) else 0
