"""An exchange: one request from a client, one response from an endpoint, and every way it can go wrong.

Downstream holds the exchange, for it outlives the endpoints that are tried; Upstream is a connection to one endpoint, pooled between
exchanges. Bytes go on as they come: a side that can't send stops the other from being read. Retries follow design rule 4: any method
while nothing was sent, afterwards only an idempotent one without body, never once a response byte went down.
Time in milliseconds of the poller's clock, phases in nanoseconds. Status and error words: RFC 9110 section 15, RFC 9209 section 2.3.
"""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport EINPROGRESS, errno
from libc.stdint cimport uint32_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, memcpy
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from haystack._fast.body cimport Framing, begin, feed
from haystack._fast.buffer cimport add, pending, release, take
from haystack._fast.cells cimport Cell, Member, let_go, take_on
from haystack._fast.chance cimport next_random
from haystack._fast.head cimport Head, Kind, parse_request, parse_response, same, MAX_HEAD
from haystack._fast.plane cimport SCRATCH
from haystack._fast.poller cimport Stream, clock_ns
from haystack._fast.rewrite cimport Client, write_answer, write_chunk_size, write_request, write_response
from haystack._fast.plane import BadHostError

cdef extern from "sys/epoll.h" nogil:
    enum:
        EPOLLIN
        EPOLLOUT
        EPOLLERR
        EPOLLHUP
        EPOLLRDHUP
        EPOLLET
cdef extern from "sys/socket.h" nogil:
    enum:
        AF_UNIX
        SOCK_STREAM
        SOCK_NONBLOCK
        SOCK_CLOEXEC
        SOL_SOCKET
        SO_ERROR
        SO_LINGER
        SHUT_WR
        MSG_PEEK
        MSG_DONTWAIT
    struct sockaddr:
        pass
    struct linger:
        int l_onoff
        int l_linger
    int socket(int, int, int)
    int connect(int, const sockaddr *, unsigned int)
    int getsockopt(int, int, int, void *, unsigned int *)
    int setsockopt(int, int, int, const void *, unsigned int)
    int shutdown(int, int)
    ssize_t recv(int, void *, size_t, int)
cdef extern from "netinet/in.h" nogil:
    enum:
        IPPROTO_TCP
cdef extern from "netinet/tcp.h" nogil:
    enum:
        TCP_NODELAY

cdef enum:
    EVENTS = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET
    BURST = 16              # reads in a row before others have their turn
    LINGER_MS = 2000
    POOLED = 256            # idle connections an endpoint

cdef const char *DONE = b"0\r\n\r\n"


cdef class Downstream(Stream):
    """A client's connection, and the exchange it is in."""

    def __dealloc__(self):
        release(&self.input)
        release(&self.request)

    cdef int on_event(self, uint32_t events) except -1:
        if events & (EPOLLERR | EPOLLHUP):
            return self.abort()
        if events & EPOLLRDHUP:
            self.hung_up = self.readable = True
        if events & EPOLLIN:
            self.readable = True
        if events & EPOLLOUT:
            if pending(&self.out):
                self.flush()
                if self.up is not None and not self.up.connecting:
                    self.up.deadline = self.poller.now + self.route.timeout_ms
                if self.deadline:
                    self.deadline = self.poller.now + self.plane.idle_ms
                if pending(&self.out) == 0:
                    if self.state == State.CLOSING:
                        return self.end()
                    if self.state == State.IDLE:
                        return self.proceed()
                    if self.up is not None and self.up.readable:
                        self.up.read()
            else:
                self.writable = True
        if self.readable and self.fd >= 0:
            return self.proceed()
        return 0

    cdef int on_again(self) except -1:
        return self.proceed()

    cdef int on_deadline(self) except -1:
        if self.state == State.IDLE and pending(&self.input):
            self.keep_alive = False
            return self.fail(408, b"connection_read_timeout", b"the request's head took too long")
        return self.abort()

    cdef int proceed(self) except -1:
        cdef Py_ssize_t n
        cdef int burst = 0
        if self.state == State.IDLE:
            return self.read_head()
        if self.state == State.EXCHANGING:
            return self.pump()
        if self.state == State.LINGERING:
            while self.readable:
                burst += 1
                if burst > BURST:
                    return self.poller.later(self)
                n = self.receive(self.plane.scratch, SCRATCH)
                if n == 0 or n == -2:
                    return self.close()
        return 0

    cdef int read_head(self) except -1:
        """Read until a head is whole, and begin its exchange. What follows the head stays in input."""
        cdef char *data = self.plane.scratch
        cdef size_t size
        cdef Py_ssize_t n
        cdef int used
        cdef Head h
        while True:
            if pending(&self.out):
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
            if used > MAX_HEAD or (used == 0 and size >= MAX_HEAD):
                used = -431
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
        self.keep_alive = False
        self.head_only = False
        self.minor = 1
        if used < 0:
            self.body.done = False
            return self.fail(-used, b"http_request_error", b"the request's head breaks HTTP/1.1")
        if <size_t>used < size:
            add(&self.input, data + used, size - used)
            self.unparsed = True
        return self.begin_exchange(&h)

    cdef int begin_exchange(self, Head *h) except -1:
        """Route the request whose head is h (in scratch), write its new head, and send it to an endpoint."""
        cdef Client client
        cdef char identity[36]
        cdef int at
        cdef int path = 0
        client.absolute = False
        self.t_start = clock_ns()
        self.t_routed = self.t_connected = self.t_first = 0
        self.route = None
        self.tries = self.status = self.failure = 0
        self.error = b""
        self.received = self.sent = 0
        self.answered = self.body_sent = self.fresh_only = False
        self.told = self.candidates = None
        self.minor = h.minor
        self.chunked = h.chunked
        self.keep_alive = not h.close and (h.minor == 1 or h.keep_alive)
        self.head_only = h.method_size == 4 and h.method[0] == c'H' and same(h.method, b"head", 4)
        self.idempotent = is_idempotent(h.method, h.method_size)
        begin(&self.body, Framing.CHUNKED if h.chunked else Framing.LENGTH if h.length >= 0 else Framing.NONE, h.length)
        if h.target[0] != c'/' and not (h.target_size == 1 and h.target[0] == c'*'):
            if h.target_size < 8 or not same(h.target, b"http://", 7):
                # CONNECT's authority form is for proxies that tunnel (RFC 9110, section 9.3.6): this one does not
                self.keep_alive = False
                at = 501 if h.method_size == 7 and same(h.method, b"connect", 7) else 400
                return self.fail(at, b"http_request_error", b"the request's target is not one this proxy serves")
            at = 7
            while at < h.target_size and h.target[at] != c'/' and h.target[at] != c'?':
                at += 1
            h.host = h.target + 7
            h.host_size = at - 7
            path = at
            client.absolute = True
        try:
            self.route = self.plane.find(self.listener, h.host, max(h.host_size, 0), h.target + path, h.target_size - path)
        except BadHostError:
            self.keep_alive = False
            return self.fail(400, b"http_request_error", b"Host is not a host name")
        snprintf(identity, 36, b"%016llx%016llx", next_random(), next_random())
        if self.plane.traced(self.route):
            self.told = tell(h, identity)
            self.candidates = []
        self.t_routed = clock_ns() if self.told is not None else self.t_start
        if self.route is None:
            return self.fail(404, b"destination_not_found", b"no service has this host name")
        if len(self.route.members) == 0:
            return self.fail(503, b"destination_unavailable", b"the service has no endpoint that is ready")
        client.address = self.address
        client.address_size = self.address_size
        client.port = self.plane.ports[self.listener]
        client.trusted = self.trusted
        client.request_id = identity
        write_request(&self.request, h, &client)
        return self.dispatch()

    cdef int dispatch(self) except -1:
        """Take the next candidate: a pooled connection to it, or a new one. None left: say what went wrong with the last."""
        cdef Member member
        cdef Upstream up
        while True:
            member = self.route.picker.pick(0, self.tried, self.tries)
            if member is None:
                return self.exhausted()
            self.tried[self.tries] = <void *>member
            self.tries += 1
            if self.candidates is not None:
                self.candidates.append(member.cell.label)
            self.member = member
            take_on(member.cell)
            up = None if self.fresh_only else self.pooled(member.cell)
            if up is None:
                up = Upstream()
                up.plane = self.plane
                up.cell = member.cell
                if up.connect() < 1:
                    let_go(member.cell)
                    member.cell.failures += 1
                    self.member = None
                    self.failure = 502
                    self.error = b"connection_refused"
                    continue
                up.down = self
                self.up = up
                self.reused = False
                self.state = State.WAITING
                return 0
            up.down = self
            up.reused = self.reused = True
            self.up = up
            return self.send_request(up)

    cdef int exhausted(self) except -1:
        if self.failure == 504:
            return self.fail(504, self.error, b"no endpoint answered in time")
        return self.fail(502, self.error, b"no endpoint could be reached")

    cdef Upstream pooled(self, Cell cell):
        """The pooled connection used last, still whole; None: there is none."""
        cdef Upstream up
        cdef char byte
        while cell.idle:
            up = <Upstream>cell.idle.pop()
            if up.fd < 0:
                continue
            # a request that can't be repeated must not meet a connection that was closed a moment ago
            if not self.idempotent and recv(up.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0:
                up.close()
                continue
            return up
        return None

    cdef int send_request(self, Upstream up) except -1:
        """up is connected: send the head, and of the body what is there."""
        self.state = State.EXCHANGING
        self.t_connected = clock_ns() if self.told is not None else 0
        up.started = False
        up.deadline = self.poller.now + self.route.timeout_ms
        up.send(self.request.data, self.request.end)
        if not self.body.done:
            return self.pump()
        return 0

    cdef int pump(self) except -1:
        """Send on the request's body as far as it is there and the endpoint takes it."""
        cdef Py_ssize_t n, used
        cdef int burst = 0
        while not self.body.done and self.state == State.EXCHANGING and self.up is not None:
            if pending(&self.up.out):
                return 0                # goes on when the endpoint has taken that
            if pending(&self.input):
                used = self.relay(self.input.data + self.input.start, pending(&self.input))
                if used < 0:
                    return 0
                take(&self.input, used)
                continue
            if not self.readable:
                return 0
            burst += 1
            if burst > BURST:
                return self.poller.later(self)
            n = self.receive(self.plane.scratch, SCRATCH)
            if n == -1:
                return 0
            if n <= 0:
                return self.abort()     # the client broke off in its body
            used = self.relay(self.plane.scratch, n)
            if used < 0:
                return 0
            if used < n:
                add(&self.input, self.plane.scratch + used, n - used)
                self.unparsed = True
        return 0

    cdef Py_ssize_t relay(self, const char *data, size_t size) except -2:
        """Send body bytes up, chunked anew where the body is chunked. The count used; -1: bad framing, and it was answered."""
        cdef const char *part
        cdef size_t part_size, at = 0
        cdef Py_ssize_t used
        cdef Upstream up = self.up
        self.body_sent = True
        up.deadline = self.poller.now + self.route.timeout_ms
        while at < size and not self.body.done:
            used = feed(&self.body, data + at, size - at, &part, &part_size)
            if used < 0:
                self.keep_alive = False
                self.fail(400, b"http_request_error", b"the body's chunks break HTTP/1.1")
                return -1
            at += used
            self.received += part_size
            if part_size == 0:
                continue
            if not self.chunked:
                up.send(part, part_size)
                continue
            write_chunk_size(&self.plane.work, part_size)
            add(&self.plane.work, part, part_size)
            add(&self.plane.work, b"\r\n", 2)
        if self.chunked:
            if self.body.done:
                add(&self.plane.work, DONE, 5)
            up.send(self.plane.work.data, self.plane.work.end)
            take(&self.plane.work, self.plane.work.end)
        return <Py_ssize_t>at

    cdef int detach(self, bint reusable) except -1:
        """Let go of the endpoint's connection: back into its pool, or closed."""
        cdef Upstream up = self.up
        if up is None:
            return 0
        self.up = None
        up.down = None
        let_go(up.cell)
        if reusable and up.fd >= 0 and not up.readable and not up.hung_up and not up.cell.gone and len(up.cell.idle) < POOLED:
            up.deadline = self.poller.now + self.plane.pool_ms
            up.cell.idle.append(up)
            return 0
        return up.close()

    cdef int lost(self, bint untouched, const char *error, int status) except -1:
        """The connection to the endpoint broke before a response. untouched: nothing of the request was sent on it."""
        cdef bint stale = self.up is not None and self.up.reused
        if not untouched and not stale:
            self.member.cell.failures += 1
        self.detach(False)
        self.error = error
        self.failure = status
        if not untouched and (not self.idempotent or self.body_sent):
            return self.fail(status, error, b"the endpoint broke off, and the request can't be sent twice")
        if stale:
            self.tries -= 1             # an old connection's end says nothing of its endpoint: it may be tried afresh
            self.fresh_only = True
        return self.dispatch()

    cdef int fail(self, int status, const char *error, bytes detail) except -1:
        """Answer with an error of Haystack's own, or break off where a response has begun."""
        if self.answered:
            return self.abort()
        self.detach(False)
        if not self.body.done or self.plane.draining:
            self.keep_alive = False
        self.status = status
        self.error = error
        self.answered = True
        write_answer(&self.plane.work, status, error, detail, self.head_only, not self.keep_alive)
        self.sent = self.plane.work.end
        self.send(self.plane.work.data, self.plane.work.end)
        take(&self.plane.work, self.plane.work.end)
        return self.finish()

    cdef int finish(self) except -1:
        """The response is on its way: count it, and get ready for the next request or for the end."""
        self.plane.exchanges += 1
        self.plane.statuses[min(self.status // 100, 5)] += 1
        if self.told is not None:
            self.record()
        self.route = None
        self.member = None
        self.answered = False
        self.error = b""
        take(&self.request, self.request.end)
        if self.fd < 0:
            return 0
        if not self.keep_alive or self.plane.draining:
            self.state = State.CLOSING
            self.deadline = self.poller.now + self.plane.idle_ms
            return 0 if pending(&self.out) else self.end()
        self.state = State.IDLE
        self.deadline = self.poller.now + self.plane.idle_ms
        if pending(&self.input) or self.readable:
            return self.poller.later(self)
        return 0

    cdef int record(self) except -1:
        cdef int64_t now = clock_ns()
        cdef timespec wall
        clock_gettime(CLOCK_REALTIME, &wall)
        self.plane.traces.append((
            wall.tv_sec + wall.tv_nsec / 1e9, self.plane.ports[self.listener], self.address[:self.address_size], self.told, self.candidates,
            self.route.service if self.route is not None else "", self.member.cell.label if self.member is not None else "",
            bool(self.reused), self.status, self.received, self.sent,
            (self.t_routed - self.t_start) / 1e6, (self.t_connected - self.t_routed) / 1e6 if self.t_connected else -1.0,
            (self.t_first - self.t_connected) / 1e6 if self.t_first else -1.0, (now - self.t_start) / 1e6, self.error,
        ))
        self.told = None
        return 0

    cdef int end(self) except -1:
        """Close; where the client may still be sending, only after it has read the answer (RFC 9112, section 9.6)."""
        if self.body.done and not self.readable:
            return self.close()
        shutdown(self.fd, SHUT_WR)
        self.state = State.LINGERING
        self.deadline = self.poller.now + LINGER_MS
        return self.proceed()

    cdef int on_failure(self) except -1:
        return self.abort()

    cdef int abort(self) except -1:
        """Break off both sides; where only the end of the connection ends the body, with a reset, or it would seem whole."""
        cdef linger at_once
        if self.answered and self.minor == 0 and self.fd >= 0:
            at_once.l_onoff = 1
            at_once.l_linger = 0
            setsockopt(self.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once))
        self.detach(False)
        if self.told is not None:
            if self.error[0] == 0:
                self.error = b"connection_terminated"
            self.record()
        self.route = None
        self.member = None
        return self.close()


cdef class Upstream(Stream):
    """A connection to one endpoint: in an exchange, or idle in its cell's pool."""

    def __cinit__(self):
        self.urgent = True      # a pooled connection's end must be seen before a client of the same batch is given it

    def __dealloc__(self):
        release(&self.input)

    cdef int connect(self) except -1:
        """Begin to connect: 1, or 0 when it failed at once."""
        cdef int one = 1
        cdef int fd = socket(self.cell.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
        if fd < 0:
            return 0
        self.connecting = True
        try:
            self.plane.poller.watch(self, fd, EVENTS)
        except OSError:
            return 0                    # the kernel watches no more; the descriptor is closed already
        if self.cell.family != AF_UNIX:
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
        if connect(fd, <sockaddr *>self.cell.sockaddr, self.cell.sockaddr_size) < 0 and errno != EINPROGRESS:
            self.close()
            return 0
        self.deadline = self.poller.now + self.plane.connect_ms
        return 1

    cdef int on_event(self, uint32_t events) except -1:
        cdef int error = 0
        cdef unsigned int size = sizeof(error)
        if self.connecting:
            if not events & (EPOLLOUT | EPOLLERR | EPOLLHUP):
                return 0
            getsockopt(self.fd, SOL_SOCKET, SO_ERROR, &error, &size)
            if error or events & EPOLLERR:
                return self.failed(b"connection_refused", 502)
            self.connecting = False
            self.writable = True
            if self.down is not None:
                self.down.send_request(self)
        if self.down is None:
            if events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR) and self.fd >= 0:
                if self in self.cell.idle:
                    self.cell.idle.remove(self)
                return self.close()     # a pooled connection that says anything is of no more use
            self.writable = True
            return 0
        if events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR):
            self.hung_up = self.readable = True
        if events & EPOLLIN:
            self.readable = True
        if events & EPOLLOUT:
            if pending(&self.out):
                self.flush()
            else:
                self.writable = True
            if not self.down.body.done and pending(&self.out) == 0:
                self.down.pump()
        if self.readable and self.down is not None:
            return self.read()
        return 0

    cdef int on_again(self) except -1:
        return self.read() if self.down is not None else 0

    cdef int on_deadline(self) except -1:
        if self.down is None:
            if self in self.cell.idle:
                self.cell.idle.remove(self)
            return self.close()
        if self.connecting:
            return self.failed(b"connection_timeout", 504)
        if pending(&self.down.out):
            self.down.error = b"connection_write_timeout"
            return self.down.abort()    # the client stopped reading: not the endpoint's fault
        if not self.down.body.done and pending(&self.out) == 0:
            return self.down.fail(408, b"connection_read_timeout", b"the request's body took too long")
        self.cell.failures += 1
        return self.down.fail(504, b"http_response_timeout", b"the endpoint did not answer in time")

    cdef int on_failure(self) except -1:
        return self.close() if self.down is None else self.down.abort()

    cdef int failed(self, const char *error, int status) except -1:
        """The connection could not be made: nothing was sent, so any request may try another endpoint."""
        cdef Downstream down = self.down
        self.cell.failures += 1
        if down is None:
            return self.close()
        return down.lost(True, error, status)

    cdef int read(self) except -1:
        """Read the response as far as the client takes it."""
        cdef char *data = self.plane.scratch
        cdef size_t have
        cdef Py_ssize_t n
        cdef int burst = 0
        while self.down is not None and self.readable and self.fd >= 0:
            if pending(&self.down.out):
                return 0                # goes on when the client has taken that
            burst += 1
            if burst > BURST:
                return self.poller.later(self)
            have = pending(&self.input)
            if have:
                memcpy(data, self.input.data + self.input.start, have)
            n = self.receive(data + have, SCRATCH - have)
            if n == -1:
                return 0
            if n <= 0:
                return self.ended(n == 0)
            take(&self.input, have)
            self.deadline = self.poller.now + self.down.route.timeout_ms
            self.handle(data, have + n)
        return 0

    cdef int handle(self, const char *data, size_t size) except -1:
        """Handle bytes of the response."""
        cdef Head h
        cdef int used
        while not self.started:
            used = parse_response(&h, data, size)
            if used == 0:
                return add(&self.input, data, size)
            if used < 0 or used > MAX_HEAD or h.status == 101:
                return self.down.fail(502, b"http_protocol_error", b"the endpoint's response breaks HTTP/1.1")
            data += used
            size -= used
            if h.status < 200:
                if self.down.minor == 1:
                    write_response(&self.plane.work, &h, False, False, False, 1)
                    self.down.send(self.plane.work.data, self.plane.work.end)
                    take(&self.plane.work, self.plane.work.end)
                if size == 0:
                    return 0
                continue
            self.begin_response(&h)
        return self.relay(data, size)

    cdef int begin_response(self, Head *h) except -1:
        """Settle the framing on both sides (RFC 9112, section 6.3) and write the client's head into work."""
        cdef Downstream down = self.down
        cdef Framing framing = Framing.UNTIL_CLOSE
        cdef bint with_length = h.length >= 0 and h.status != 204
        if down.head_only or h.status == 204 or h.status == 304:
            framing = Framing.NONE
        elif h.chunked:
            framing = Framing.CHUNKED
        elif h.length >= 0:
            framing = Framing.LENGTH
        begin(&self.body, framing, h.length)
        self.started = True
        self.keep = not h.close and (h.minor == 1 or h.keep_alive) and framing != Framing.UNTIL_CLOSE
        self.chunk_out = framing in (Framing.CHUNKED, Framing.UNTIL_CLOSE) and down.minor == 1
        if framing in (Framing.CHUNKED, Framing.UNTIL_CLOSE) and down.minor == 0:
            down.keep_alive = False
        if not down.body.done or self.plane.draining:
            down.keep_alive = False
        down.answered = True
        down.status = h.status
        down.member.requests += 1
        if down.told is not None:
            down.t_first = clock_ns()
        return write_response(&self.plane.work, h, with_length, self.chunk_out, not down.keep_alive, down.minor)

    cdef int relay(self, const char *data, size_t size) except -1:
        """Send body bytes down behind what stands in work already; at the body's end, finish."""
        cdef Downstream down = self.down
        cdef const char *part
        cdef size_t part_size, at = 0
        cdef Py_ssize_t used
        while at < size and not self.body.done:
            used = feed(&self.body, data + at, size - at, &part, &part_size)
            if used < 0:
                take(&self.plane.work, self.plane.work.end)
                return down.fail(502, b"http_protocol_error", b"the endpoint's chunks break HTTP/1.1")
            at += used
            down.sent += part_size
            if part_size == 0:
                continue
            if self.chunk_out:
                write_chunk_size(&self.plane.work, part_size)
            if part_size > 16384 and not self.chunk_out:
                if self.plane.work.end:
                    down.send(self.plane.work.data, self.plane.work.end)
                    take(&self.plane.work, self.plane.work.end)
                down.send(part, part_size)
                continue
            add(&self.plane.work, part, part_size)
            if self.chunk_out:
                add(&self.plane.work, b"\r\n", 2)
        if self.body.done and self.chunk_out:
            add(&self.plane.work, DONE, 5)
        if self.plane.work.end:
            down.send(self.plane.work.data, self.plane.work.end)
            take(&self.plane.work, self.plane.work.end)
        if not self.body.done:
            return 0
        # bytes after the response, or a request that is not sent whole: the connection's state is nobody's to guess
        down.detach(self.keep and at == size and down.body.done and pending(&self.out) == 0)
        return down.finish()

    cdef int ended(self, bint clean) except -1:
        """The endpoint sends no more."""
        cdef Downstream down = self.down
        if not self.started:
            if pending(&self.input):
                return down.fail(502, b"http_response_incomplete", b"the endpoint broke off in its response's head")
            return down.lost(False, b"connection_terminated", 502)
        if self.body.framing == Framing.UNTIL_CLOSE and clean:
            self.body.done = True
            self.keep = False
            return self.relay(NULL, 0)
        down.error = b"http_response_incomplete"
        return down.abort()


cdef bint is_idempotent(const char *method, int size) noexcept:
    """RFC 9110, section 9.2.2. Methods are case-sensitive: an unknown one may do anything."""
    if size == 3:
        return memcmp(method, b"GET", 3) == 0 or memcmp(method, b"PUT", 3) == 0
    return (size == 4 and memcmp(method, b"HEAD", 4) == 0) or (size == 6 and memcmp(method, b"DELETE", 6) == 0) or (
        size == 7 and memcmp(method, b"OPTIONS", 7) == 0) or (size == 5 and memcmp(method, b"TRACE", 5) == 0)


cdef object tell(Head *h, const char *identity):
    """(method, host, target, request id, version) for a trace."""
    cdef int i
    told_id = identity[:32]
    for i in range(h.count):
        if h.fields[i].kind == Kind.REQUEST_ID:
            told_id = h.fields[i].value[:h.fields[i].value_size]
    host = h.host[:h.host_size] if h.host_size > 0 else b""
    return h.method[:h.method_size], host, PyBytes_FromStringAndSize(h.target, h.target_size), told_id, b"1.1" if h.minor else b"1.0"
