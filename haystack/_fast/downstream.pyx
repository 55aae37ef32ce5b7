"""The client's side of an exchange: reads requests and their bodies, finds their route, sends on what the endpoint takes, and answers where
no endpoint can.

Bytes go on as they come; a small body is read whole first, so that a slow client holds no endpoint. seek.pyx finds the endpoint. Status and
error words: RFC 9110 section 15, RFC 9209 section 2.3.
"""
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memchr, memcmp, memcpy

from haystack._fast.affinity cimport recalled, request_key
from haystack._fast.body cimport SPLICED, Framing, begin, feed
from haystack._fast.buffer cimport add, pending, release, reserve, take
from haystack._fast.chance cimport next_random
from haystack._fast.exchange cimport State, is_idempotent
from haystack._fast.head cimport Head, MAX_HEAD, parse_request, same
from haystack._fast.plane cimport SCRATCH
from haystack._fast.seek cimport Seeker
from haystack._fast.poller cimport Stream, clock_ns
from haystack._fast.rewrite cimport Client, write_answer, write_chunk_size, write_hex, write_last_chunk, write_request
from haystack._fast.tunnel cimport shuttle
from haystack._fast.upstream cimport Upstream
from haystack._fast.route import BadHostError

cdef extern from "sys/epoll.h" nogil:
    enum:
        EPOLLIN
        EPOLLOUT
        EPOLLERR
        EPOLLHUP
        EPOLLRDHUP
cdef extern from "sys/socket.h" nogil:
    enum:
        SOL_SOCKET
        SO_LINGER
        SHUT_WR
    struct linger:
        int l_onoff
        int l_linger
    int setsockopt(int, int, int, const void *, unsigned int)
    int shutdown(int, int)

cdef enum:
    BURST = 16              # reads in a row before others have their turn
    LINGER_MS = 2000
    SLICE_MS = 10000        # over which the rate of a body is judged
    IDLE_KEPT = 4096        # capacity that an idle connection's buffer may keep


cdef class Downstream(Seeker):
    """A client's connection."""

    def __dealloc__(self):
        release(&self.trailer)

    cdef int close(self) except -1:
        if self.fd >= 0:
            self.plane.leave(self.origin)
        return Stream.close(self)

    cdef int on_event(self, uint32_t events) except -1:
        if events & EPOLLERR or (events & EPOLLHUP and self.state != State.TUNNEL):
            return self.abort()
        if events & (EPOLLRDHUP | EPOLLHUP):
            self.hung_up = self.readable = True
        if events & EPOLLIN:
            self.readable = True
        if events & EPOLLOUT:
            if self.unsent():
                self.drained()
            else:
                self.writable = True
        if self.readable and self.fd >= 0:
            return self.proceed()
        return 0

    cdef int on_again(self) except -1:
        if self.state == State.QUEUED:
            return self.look_again() if self.roused else 0
        return self.proceed()

    cdef int on_failure(self) except -1:
        take(&self.plane.work, self.plane.work.end)     # what was half written is nobody else's
        return self.abort()

    cdef int on_deadline(self) except -1:
        if self.state == State.IDLE and pending(&self.input):
            self.keep_alive = self.head_only = False
            self.begin_headless()
            return self.fail(408, b"connection_read_timeout", b"the request's head took too long")
        if self.state == State.GATHERING or self.state == State.EXCHANGING:
            return self.check_rate()
        if self.state == State.QUEUED:
            return self.waited()
        return self.abort()

    cdef int proceed(self) except -1:
        """The client has sent something, or what it sent before can be looked at now."""
        if self.state == State.IDLE:
            return self.read_head()
        if self.state == State.GATHERING:
            return self.gather()
        if self.state == State.EXCHANGING:
            return self.pump()
        if self.state == State.TUNNEL:
            return self.tunnelled()
        if self.state == State.LINGERING:
            return self.drop_input()
        return 0

    cdef int drained(self) except -1:
        """The client takes bytes again."""
        self.flush()
        if self.up is not None and not self.up.connecting:
            self.up.deadline = self.poller.now + (self.plane.tunnel_ms if self.state == State.TUNNEL else self.route.timeout_ms)
        if self.deadline:
            self.deadline = self.poller.now + self.plane.idle_ms
        if self.unsent():
            return 0
        if self.state == State.CLOSING:
            return self.end()
        if self.state == State.IDLE:
            return self.proceed()
        if self.up is not None and (self.up.readable or self.state == State.TUNNEL):
            return self.up.read()
        return 0

    cdef int read_head(self) except -1:
        """Read until a head is whole, and begin its exchange. What follows the head stays in input."""
        cdef char *data = self.plane.scratch
        cdef size_t size
        cdef Py_ssize_t n
        cdef int used
        cdef Head h
        while True:
            if self.unsent():
                return 0                # a client that does not read its answers is not read either
            size = pending(&self.input)
            if size:
                memcpy(data, self.input.data + self.input.start, size)
            if self.unparsed:
                self.unparsed = False
            else:
                if not self.readable:
                    return 0
                # an incomplete head of MAX_HEAD bytes was refused, so there is room
                n = self.receive(data + size, MAX_HEAD - size)
                if n == -1:
                    return 0
                if n <= 0:
                    return self.abort()
                size += n
            used = parse_request(&h, data, size)
            used = self.within_limits(&h, used, data, size)
            if used:
                break
            take(&self.input, pending(&self.input))
            add(&self.input, data, size)
            if not self.in_head:
                self.in_head = True
                self.deadline = self.poller.now + self.plane.head_ms
        take(&self.input, pending(&self.input))
        self.in_head = False
        self.deadline = 0
        if used < 0:
            return self.refuse_head(-used)
        if <size_t>used < size:
            add(&self.input, data + used, size - used)
            self.unparsed = True
        return self.begin_exchange(&h)

    cdef int within_limits(self, Head *h, int used, const char *data, size_t size) noexcept:
        """`used` as it is, or minus 414 or 431 where the head, or what there is of it, is longer than it may be."""
        cdef int64_t limit = self.plane.max_head
        if used < 0 or (used == 0 and <int64_t>size < limit) or (0 < used <= limit and h.count <= self.plane.max_headers):
            return used
        # RFC 9112, section 3: a request line that is too long has a status of its own
        return -431 if memchr(data, c'\n', min(<int64_t>size, limit)) != NULL else -414

    cdef int refuse_head(self, int status) except -1:
        self.keep_alive = self.head_only = False
        self.minor = 1
        self.body.done = False
        self.begin_headless()
        return self.fail(status, b"http_request_error", b"the request's head breaks HTTP/1.1")

    cdef int reset(self, Head *h) except -1:
        """Begin the exchange of the request whose head is h."""
        self.t_start = clock_ns()
        self.t_routed = self.t_connected = self.t_first = 0
        self.route = None
        self.tries = self.status = self.failure = 0
        self.error = b""
        self.received = self.sent = 0
        self.answered = self.body_sent = self.fresh_only = self.hoping = False
        self.queue = None
        self.minor = h.minor
        self.chunked = h.chunked
        self.drop_trailer = h.names_hops
        self.keep_alive = not h.close and (h.minor == 1 or h.keep_alive)
        self.head_only = h.method_size == 4 and memcmp(h.method, b"HEAD", 4) == 0
        self.idempotent = is_idempotent(h.method, h.method_size)
        self.upgrade = h.upgrade and h.minor == 1 and not h.chunked and h.length <= 0 and (
            h.method_size == 3 and memcmp(h.method, b"GET", 3) == 0)
        begin(&self.body, Framing.CHUNKED if h.chunked else Framing.LENGTH if h.length >= 0 else Framing.NONE, h.length)
        return 0

    cdef int find_route(self, Head *h, bint *absolute) except -1:
        """Set route; 0: answered already. An absolute target's host is the Host (RFC 9112, section 3.2.2)."""
        cdef int path = 0
        absolute[0] = False
        if h.method_size == 7 and memcmp(h.method, b"CONNECT", 7) == 0:
            # for proxies that tunnel (RFC 9110, section 9.3.6); and an origin must not take it for one
            return self.refuse(h, 501, b"this proxy makes no tunnels to other hosts")
        if h.target[0] == c'*':
            if h.target_size > 1 or h.method_size != 7 or memcmp(h.method, b"OPTIONS", 7) != 0:
                return self.refuse(h, 400, b"only OPTIONS may ask for *")      # RFC 9112, section 3.2.4
        elif h.target[0] != c'/':
            path = authority_end(h)
            absolute[0] = True
            if path <= 7:
                return self.refuse(h, 400, b"the request's target is not one this proxy serves")
        try:
            if absolute[0]:
                if h.host_size >= 0:
                    self.plane.find(self.listener, h.host, h.host_size, NULL, 0)    # not used, but it has to be a good one
                h.host = h.target + 7
                h.host_size = path - 7
            self.route = self.plane.find(self.listener, h.host, max(h.host_size, 0), h.target + path, h.target_size - path)
        except BadHostError:
            return self.refuse(h, 400, b"Host is not a host name")
        return 1

    cdef int begin_headless(self) except -1:
        """Tell of a request whose head could not be read, where every exchange is told of."""
        return self.begin_record(NULL, NULL) if self.plane.told(None) else 0

    cdef int refuse(self, Head *h, int status, bytes detail) except -1:
        """Answer a request that is not one for this proxy, and close; 0."""
        if self.plane.told(None):
            self.begin_record(h, NULL)
            self.t_routed = self.t_start
        self.keep_alive = False
        self.fail(status, b"http_request_error", detail)
        return 0

    cdef int begin_exchange(self, Head *h) except -1:
        """Route the request whose head is h (in scratch), write its new head, and send it to an endpoint."""
        cdef Client client
        cdef char identity[32]
        self.reset(h)
        if not self.find_route(h, &client.absolute):
            return 0
        write_hex(identity, next_random())
        write_hex(identity + 16, next_random())
        if self.plane.told(self.route):
            self.begin_record(h, identity)
        self.t_routed = clock_ns() if self.note.end else self.t_start
        if self.route is None:
            return self.fail(404, b"destination_not_found", b"no service has this host name and path")
        self.key = request_key(self.route, h, self.address, self.address_size)
        self.named = recalled(self.route, h)
        client.address = self.address
        client.address_size = self.address_size
        client.port = self.plane.ports[self.listener]
        client.trusted = self.trusted
        client.upgrade = self.upgrade
        client.request_id = identity
        write_request(&self.request, h, &client)
        if self.body.framing == Framing.LENGTH and not self.body.done and self.body.left <= self.plane.kept_body and not h.expect:
            self.state = State.GATHERING
            return self.gather()
        return self.seek()

    cdef int gather(self) except -1:
        """Read a small body behind its head in request; once it is whole, choose an endpoint."""
        cdef size_t have
        cdef Py_ssize_t n
        while self.body.left:
            have = min(<size_t>self.body.left, pending(&self.input))
            if have:
                add(&self.request, self.input.data + self.input.start, have)
                take(&self.input, have)
            else:
                if not self.readable:
                    return self.await_body()
                reserve(&self.request, <size_t>self.body.left)
                n = self.receive(self.request.data + self.request.end, <size_t>self.body.left)
                if n == -1:
                    return self.await_body()
                if n <= 0:
                    return self.abort()     # the client broke off in its body
                have = <size_t>n
                self.request.end += have
            self.body.left -= have
            self.received += have
        if pending(&self.input) == 0:
            self.unparsed = False
        self.body.done = True
        self.deadline = 0
        return self.seek()

    cdef int await_body(self) except -1:
        """More of the body has to come: from here on the client must keep up its rate."""
        self.unparsed = False
        if self.deadline == 0:
            self.judged = self.received
            self.deadline = self.poller.now + self.slice()
        return 0

    cdef int64_t slice(self) noexcept:
        """Milliseconds over which the rate of the body is judged."""
        return self.route.timeout_ms if self.plane.body_rate == 0 else min(SLICE_MS, self.route.timeout_ms)

    cdef int check_rate(self) except -1:
        """A client that could have sent, and sent less than the least rate in the last slice, is answered 408."""
        cdef bint held = self.up is not None and self.up.unsent() > 0
        if self.body.done:
            self.deadline = 0
            return 0
        if not held and not self.answered and (self.received - self.judged) * 1000 < max(1, self.plane.body_rate * self.slice()):
            self.keep_alive = False
            return self.fail(408, b"connection_read_timeout", b"the request's body comes too slowly")
        self.judged = self.received
        self.deadline = self.poller.now + self.slice()
        return 0

    cdef int pump(self) except -1:
        """Send on the request's body as far as it is there and the endpoint takes it."""
        cdef Py_ssize_t n, used
        cdef int burst = 0
        if self.state == State.TUNNEL:
            return self.tunnelled()
        while not self.body.done and self.state == State.EXCHANGING and self.up is not None:
            if self.up.unsent():
                return 0                # goes on when the endpoint has taken that
            if pending(&self.input):
                used = self.relay(self.input.data + self.input.start, pending(&self.input))
                if used < 0:
                    return 0
                take(&self.input, used)
                continue
            if not self.readable:
                return self.await_body()
            burst += 1
            if burst > BURST:
                return self.poller.later(self)
            if self.body.framing == Framing.LENGTH and self.body.left >= SPLICED:
                n = self.splice_to(self.up, <size_t>self.body.left)
                if n > 0:
                    self.spliced(n)
                    continue
            else:
                n = -2
            if n == -2:
                n = self.receive(self.plane.scratch, SCRATCH)
            if n == -1:
                return self.await_body()
            if n <= 0:
                return self.abort()     # the client broke off in its body
            used = self.relay(self.plane.scratch, n)
            if used < 0:
                return 0
            if used < n:
                add(&self.input, self.plane.scratch + used, n - used)
                self.unparsed = True
        if self.body.done:
            self.deadline = 0
        return 0

    cdef int spliced(self, Py_ssize_t n) except -1:
        """So many bytes of the body went up without being seen."""
        self.body_sent = True
        self.received += n
        self.body.left -= n
        self.body.done = self.body.left == 0
        self.up.deadline = self.poller.now + self.route.timeout_ms
        return 0

    cdef Py_ssize_t relay(self, const char *data, size_t size) except -2:
        """Send body bytes up, chunked anew where the body is chunked. The count used; -1: bad framing, and it was answered."""
        cdef const char *part
        cdef size_t part_size, at = 0
        cdef Py_ssize_t used
        cdef Upstream up = self.up
        up.deadline = self.poller.now + self.route.timeout_ms
        while at < size and not self.body.done:
            used = feed(&self.body, data + at, size - at, &part, &part_size)
            if used < 0:
                return self.bad_chunks()
            at += used
            if self.body.trailing:
                add(&self.trailer, part, part_size)
                continue
            self.received += part_size
            if part_size == 0:
                continue
            if not self.chunked:
                self.keep(part, part_size)
                up.send(part, part_size)
                continue
            write_chunk_size(&self.plane.work, part_size)
            add(&self.plane.work, part, part_size)
            add(&self.plane.work, b"\r\n", 2)
        if self.chunked:
            if self.body.done and write_last_chunk(&self.plane.work, &self.trailer, self.drop_trailer) == 0:
                return self.bad_chunks()
            self.keep(self.plane.work.data, self.plane.work.end)
            up.send(self.plane.work.data, self.plane.work.end)
            take(&self.plane.work, self.plane.work.end)
        return <Py_ssize_t>at

    cdef Py_ssize_t bad_chunks(self) except -2:
        take(&self.plane.work, self.plane.work.end)
        self.keep_alive = False
        self.fail(400, b"http_request_error", b"the body's chunks break HTTP/1.1")
        return -1

    cdef int switched(self) except -1:
        """The endpoint's 101 has gone down: what the client sent behind its request may go up now."""
        self.state = State.TUNNEL
        self.keep_alive = False
        self.unparsed = False
        self.up.send(self.input.data + self.input.start, pending(&self.input))
        self.received += pending(&self.input)
        release(&self.input)
        return self.tunnelled()

    cdef int tunnelled(self) except -1:
        """Raw bytes for the endpoint, until both sides have ended."""
        self.up.deadline = self.poller.now + self.plane.tunnel_ms
        if shuttle(self, self.up, self.plane.scratch, &self.received) == 0:
            return self.completed(False)
        return 0

    cdef int fail(self, int status, const char *error, bytes detail) except -1:
        self.plane.erred(error, self.status if self.answered else status)
        if self.answered:
            self.error = error
            return self.abort()
        self.detach(False)
        if self.state == State.QUEUED:
            self.queue.leave(self)
        if not self.body.done or self.plane.draining:
            self.keep_alive = False
        self.status = status
        self.error = error
        self.answered = True
        write_answer(&self.plane.work, status, error, detail, self.head_only, not self.keep_alive)
        self.sent = self.plane.work.end
        self.last = not self.keep_alive
        self.send(self.plane.work.data, self.plane.work.end)
        take(&self.plane.work, self.plane.work.end)
        return self.finish()

    cdef int completed(self, bint reusable) except -1:
        self.detach(reusable)
        return self.finish()

    cdef int finish(self) except -1:
        """The response is on its way: count it, and get ready for the next request or for the end."""
        self.plane.exchanges += 1
        self.plane.statuses[min(self.status // 100, 5)] += 1
        if self.note.end:
            self.record()
        self.route = None
        self.member = self.named = None
        self.answered = False
        self.error = b""
        take(&self.request, self.request.end)
        if self.request.capacity > IDLE_KEPT:
            release(&self.request)
        if self.fd < 0:
            return 0
        self.deadline = self.poller.now + self.plane.idle_ms
        if not self.keep_alive or self.plane.draining:
            self.state = State.CLOSING
            return 0 if self.unsent() else self.end()
        self.state = State.IDLE
        if pending(&self.input) or self.readable:
            return self.poller.later(self)
        return 0

    cdef int end(self) except -1:
        """Close; where the client may still be sending, only after it has read the answer (RFC 9112, section 9.6)."""
        if self.body.done and not self.readable:
            return self.close()
        shutdown(self.fd, SHUT_WR)
        self.state = State.LINGERING
        self.deadline = self.poller.now + LINGER_MS
        return self.drop_input()

    cdef int drop_input(self) except -1:
        cdef Py_ssize_t n
        cdef int burst = 0
        while self.readable:
            burst += 1
            if burst > BURST:
                return self.poller.later(self)
            n = self.receive(self.plane.scratch, SCRATCH)
            if n == 0 or n == -2:
                return self.close()
        return 0

    cdef int abort(self) except -1:
        """Break off both sides; where only the end of the connection ends the body, with a reset, or it would seem whole."""
        cdef linger at_once
        if self.answered and self.minor == 0 and self.fd >= 0:
            at_once.l_onoff = 1
            at_once.l_linger = 0
            setsockopt(self.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once))
        self.detach(False)
        if self.state == State.QUEUED:
            self.queue.leave(self)
        if (State.GATHERING <= self.state <= State.TUNNEL or self.note.end) and self.error[0] == 0:
            self.error = b"connection_terminated"
            self.plane.erred(self.error, self.status)
        if self.note.end:
            self.record()
        self.route = None
        self.member = self.named = None
        return self.close()


cdef int authority_end(Head *h) noexcept:
    """Where the authority of an absolute http target ends; 0: it is no such target, 7: an empty one (RFC 9110, section 4.2.1)."""
    cdef int at = 7
    if h.target_size < 8 or not same(h.target, b"http://", 7) or h.target[7] == c':':
        return 0
    while at < h.target_size and h.target[at] != c'/' and h.target[at] != c'?':
        at += 1
    return at
