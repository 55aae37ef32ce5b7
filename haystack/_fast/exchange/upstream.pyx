"""The endpoint's side: a connection that is made, carries responses one after another, and waits in its cell's pool between them.

Bytes go on to the client as they come; a client that does not take them stops the endpoint from being read, but for a last stretch that is
kept so that a slow client does not hold the endpoint. Never chooses an endpoint and never retries: it tells its exchange what happened.
"""
from libc.errno cimport EAGAIN, EINPROGRESS, errno
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy

from haystack._fast.balance.affinity cimport write_cookie
from haystack._fast.endpoint.endpoint cimport speak
from haystack._fast.endpoint.outlier cimport Fault
from haystack._fast.exchange.exchange cimport Exchange, State
from haystack._fast.exchange.slow_readers cimport relieve
from haystack._fast.exchange.tunnel cimport shuttle
from haystack._fast.exchange.worker_state cimport SCRATCH
from haystack._fast.http1.body cimport SPLICED, Framing, begin as begin_body, feed
from haystack._fast.http1.flaw cimport Flaw, said
from haystack._fast.http1.head cimport Head, MAX_HEAD, parse_response
from haystack._fast.http1.serialize cimport write_date, write_last_chunk, write_response, write_switch
from haystack._fast.net.poller cimport Stream, clock_ns, mark_readable
from haystack._fast.net.tcp cimport is_own, untouched
from haystack._fast.util.buffer cimport add, pending, release, reserve, take
from haystack._fast.util.digits cimport write_chunk_size
from haystack._fast.util.linked_list cimport join

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
        SOL_SOCKET
        SO_ERROR
        MSG_PEEK
        MSG_DONTWAIT
    struct sockaddr:
        pass
    int connect(int, const sockaddr *, unsigned int)
    int getsockopt(int, int, int, void *, unsigned int *)
    int setsockopt(int, int, int, const void *, unsigned int)
    ssize_t recv(int, void *, size_t, int)
cdef extern from "netinet/in.h" nogil:
    enum:
        IPPROTO_TCP
cdef extern from "linux/tcp.h" nogil:
    enum:
        TCP_NODELAY

cdef enum:
    EVENTS = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET
    BURST = 16              # reads in a row before others have their turn
    SPARE = 65536           # bytes that are kept for a client that does not take them, so that the endpoint is free again
    WHOLE = 16384           # a run of the body from here on is sent from where it was read
    MAX_INTERIM = 32        # 1xx responses before the one that counts
    HELD = 32768            # a body up to this is held until it is whole: with the largest head it fits into scratch,
    HELD_MS = 50            # and for so long, and until the next tick
    LATE_MS = 250           # without an answer, and others are asked how they do


cdef class Upstream(Stream):
    """A connection to one endpoint."""

    def __cinit__(self):
        self.urgent = True      # a pooled connection's end must be seen before a client of the same batch is given it

    def __dealloc__(self):
        release(&self.input)
        release(&self.trailer)

    cdef Dial connect(self, int fd, int64_t patience) except? REFUSED:
        """Begin to connect this socket, which is this stream's from here on."""
        cdef int one = 1, error
        self.connecting = self.heeds_room = True
        self.plane.endpoints += self.cell.family != AF_UNIX
        try:
            self.plane.poller.watch(self, fd, EVENTS)
        except OSError:
            return SHORT                # the kernel watches no more; the descriptor is closed already
        if self.cell.family != AF_UNIX:
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
        if connect(fd, <sockaddr *>self.cell.sockaddr, self.cell.sockaddr_size) < 0 and errno != EINPROGRESS:
            error = errno
            self.close()
            return SHORT if is_own(error) else REFUSED
        self.born = self.poller.now
        self.deadline = self.poller.now + patience
        return UNDER_WAY

    cdef int close(self) except -1:
        if self.fd >= 0:
            self.plane.endpoints -= self.cell.family != AF_UNIX
        return Stream.close(self)

    cdef int begin(self, const char *data, size_t size) except -1:
        """Send a request, or the first part of one."""
        self.started = self.held = self.hurried = False
        self.interim = 0
        self.missing = 0
        self.begun = self.poller.now
        self.taken = self.written
        self.deadline = self.begun + min(<int64_t>LATE_MS, self.exchange.route.timeout_ms)
        return self.send(data, size)

    cdef int detach(self, bint reusable) except -1:
        """Leave the exchange: into the pool, or closed."""
        cdef int64_t written = self.written
        cdef char byte
        self.exchange = None
        self.sent = written
        if self.late:
            self.late = False
            self.cell.outlier.late -= 1
        if reusable and self.readable and recv(self.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 and errno == EAGAIN:
            self.readable = False       # its last read took exactly what was there
        if not reusable or self.fd < 0 or self.readable or self.hung_up or self.cell.gone or len(self.cell.idle) >= self.plane.pool_size:
            return self.close()
        if self.plane.pool_age_ms and self.poller.now - self.born >= self.plane.pool_age_ms:
            return self.close()
        self.deadline = self.poller.now + self.plane.pool_ms
        self.cell.idle.append(self)
        join(&self.plane.resting, &self.link)
        return 0

    cdef bint unseen(self, bint clean) noexcept:
        """Whether nobody can have acted on this exchange's request, now that the connection has ended. clean: with a FIN."""
        return self.cell.family != AF_UNIX and self.fd >= 0 and untouched(self.fd, self.sent, clean)

    cdef int on_event(self, uint32_t events) except -1:
        cdef int error = 0
        cdef unsigned int size = sizeof(error)
        if self.connecting:
            if not events & (EPOLLOUT | EPOLLERR | EPOLLHUP):
                return 0
            getsockopt(self.fd, SOL_SOCKET, SO_ERROR, &error, &size)
            if error or events & EPOLLERR:
                return self.exchange.lost(True, b"connection_refused", 502)
            self.connecting = False
            self.writable = True
            self.exchange.connected()
        if self.exchange is None:
            if events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR) and self.fd >= 0:
                return self.leave_pool()        # a pooled connection that says anything is of no more use
            self.writable = True
            return 0
        mark_readable(self, events)
        if events & EPOLLOUT:
            if self.unsent():
                self.flush()
            else:
                self.writable = True
            if self.unsent() == 0 and (not self.exchange.body.done or self.exchange.state == State.TUNNEL):
                self.exchange.pump()
        if self.readable and self.exchange is not None:
            return self.read()
        return 0

    cdef int leave_pool(self) except -1:
        if self in self.cell.idle:
            self.cell.idle.remove(self)
        return self.close()

    cdef int on_again(self) except -1:
        return self.read() if self.exchange is not None else 0

    cdef int on_deadline(self) except -1:
        cdef Exchange exchange = self.exchange
        if exchange is None:
            return self.leave_pool()
        if self.connecting:
            return exchange.lost(True, b"connection_timeout", 504)
        if exchange.state == State.TUNNEL:
            exchange.error = b"connection_read_timeout"
            return exchange.abort()
        if self.missing:
            return self.let_through()
        if not self.started and self.poller.now < self.begun + exchange.route.timeout_ms:
            return self.hesitate()
        if exchange.unsent() or self.takes(&self.taken):    # a client that does not read is slow_readers.pyx's affair
            self.deadline = self.poller.now + exchange.route.timeout_ms
            return 0
        if not exchange.body.done and self.unsent() == 0 and not exchange.is_expectant():
            return exchange.fail(408, b"connection_read_timeout", b"the request's body took too long")
        self.plane.reports.fault(exchange.member, exchange.route.queue, Fault.TIMEOUT, self.poller.now)
        exchange.route.picker.failed(exchange.member)
        return exchange.fail(504, b"http_response_timeout", b"the endpoint did not answer in time")

    cdef int hesitate(self) except -1:
        """It has its time still, but should have answered: outliers.pyx looks at what others do meanwhile."""
        cdef Exchange exchange = self.exchange
        self.deadline = self.begun + exchange.route.timeout_ms
        # who was moved here once already is slow anywhere, and speaks against nobody
        if self.late or exchange.retries.repeats or not exchange.body.done or self.unsent():
            return 0
        self.late = True
        return self.plane.hesitates(exchange.member, exchange.route, self.begun)

    cdef int on_failure(self) except -1:
        take(&self.plane.work, self.plane.work.end)     # what was half written is nobody else's
        return self.close() if self.exchange is None else self.exchange.abort()

    cdef int read(self) except -1:
        """Read the response as far as the client takes it."""
        cdef char *data = self.plane.scratch
        cdef size_t have, held
        cdef Py_ssize_t n
        cdef int burst = 0
        cdef bint pressed
        while self.exchange is not None and self.readable and self.fd >= 0:
            pressed = self.plane.is_pressed()
            if pressed and self.poller.kept > self.plane.max_kept:
                relieve(self.plane, self.exchange)
            if self.held or self.exchange.state == State.TUNNEL:
                return 0 if self.held else self.tunnelled()     # Upload.let_switch goes on
            held = self.exchange.unsent()
            if held and (pressed or held >= SPARE or (self.body.framing == Framing.LENGTH and <int64_t>held + self.body.left > SPARE)):
                return 0                # goes on when the client has taken that
            burst += 1
            if burst > BURST:
                return self.poller.later(self)
            if self.missing:
                self.read_held()
                continue
            if self.is_long() and held == 0:
                n = self.splice_to(self.exchange, <size_t>self.body.left)
                if n > 0:
                    self.spliced(n)
                    continue
                if n == -1:
                    return 0
            have = pending(&self.input)
            if have:
                memcpy(data, self.input.data + self.input.start, have)
            n = self.receive(data + have, WHOLE if pressed else SCRATCH - have)
            if n == -1:
                return 0
            if n <= 0:
                return self.ended(n == 0)
            take(&self.input, have)
            self.deadline = self.poller.now + self.exchange.route.timeout_ms
            self.handle(data, have + n)
        return 0

    cdef bint is_long(self) noexcept:
        """True where the rest of the body is worth a pipe."""
        return self.started and self.body.framing == Framing.LENGTH and self.body.left >= SPLICED and self.plane.work.end == 0

    cdef int spliced(self, Py_ssize_t n) except -1:
        """So many bytes of the body went down without being seen."""
        self.body.left -= n
        self.exchange.sent += n
        self.deadline = self.poller.now + self.exchange.route.timeout_ms
        if self.body.left:
            return 0
        self.body.done = True
        return self.finish(self.keep and self.exchange.body.done and self.unsent() == 0)

    cdef int tunnelled(self) except -1:
        """Raw bytes for the client; at the endpoint's end, the client's side is closed too, and the other way goes on."""
        self.deadline = self.poller.now + self.plane.tunnel_ms
        if shuttle(self, self.exchange, self.plane.scratch, &self.exchange.sent) == 0:
            return self.exchange.completed(False)
        return 0

    cdef int handle(self, const char *data, size_t size) except -1:
        """Handle bytes of the response."""
        cdef Head h
        cdef int used
        while not self.started:
            used = parse_response(&h, data, size)
            if used == 0:
                return add(&self.input, data, size)
            if used < 0 or used > MAX_HEAD or (h.status == 101 and not self.exchange.upgrade):
                return self.refuse(used, h.flaw or (Flaw.LARGE_HEAD if used > MAX_HEAD else Flaw.UNASKED_SWITCH))
            if h.status == 101 and not self.exchange.body.done:
                self.held = True        # a client speaks the new protocol only behind its whole request (RFC 9110, section 7.8)
                return add(&self.input, data, size)
            data += used
            size -= used
            if h.status == 101:
                return self.switch(&h, data, size)
            if h.status >= 200:
                if <int64_t>size < h.length <= HELD and self.holds(&h):
                    return self.hold(data - used, size + used, h.length - <int64_t>size)
                self.answers(h.status)
                if h.status >= 500 and self.interim == 0 and self.exchange.retry(h.status):
                    return 0
                self.begin_response(&h)
                break
            self.interim += 1
            if self.interim > MAX_INTERIM:
                return self.exchange.fail(502, b"http_protocol_error", b"the endpoint sends too many interim responses")
            self.interim_response(&h)
            if size == 0:
                return 0
        return self.relay(data, size)

    cdef bint holds(self, Head *h) noexcept:
        """Whether a small response of which a part is there waits for the rest: while nothing of it went down, it can be had elsewhere."""
        return not self.hurried and not h.chunked and not self.exchange.head_only and h.status != 204 and h.status != 304

    cdef int hold(self, const char *data, size_t size, int64_t missing) except -1:
        """Keep a response, from its head on, of which so much is missing."""
        self.missing = missing
        self.deadline = self.poller.now + HELD_MS
        return add(&self.input, data, size)

    cdef int read_held(self) except -1:
        """Read what is missing of the response that is held."""
        cdef Py_ssize_t n
        reserve(&self.input, <size_t>self.missing)
        n = self.receive(self.input.data + self.input.end, <size_t>self.missing)
        if n == -1:
            return 0
        if n <= 0:
            return self.ended(n == 0)
        self.input.end += n
        self.missing -= n
        return 0 if self.missing else self.let_through()

    cdef int let_through(self) except -1:
        """The response that is held is whole, or has been held for long enough: it goes on."""
        cdef size_t have = pending(&self.input)
        self.missing = 0
        self.hurried = True
        self.deadline = self.poller.now + self.exchange.route.timeout_ms
        memcpy(self.plane.scratch, self.input.data + self.input.start, have)
        release(&self.input)
        return self.handle(self.plane.scratch, have)

    cdef int refuse(self, int used, Flaw flaw) except -1:
        """The head is bad in the way that parse_response says, or is too large, or answers what was not asked."""
        cdef const char *error = b"http_protocol_error"
        if used > MAX_HEAD or used == -431:
            error = b"http_response_header_section_size"
        elif used == -501:
            error = b"http_response_transfer_coding"
        self.plane.reports.fault(self.exchange.member, self.exchange.route.queue, Fault.RESET, self.poller.now)
        return self.exchange.fail(502, error, said(b"the response's head is refused", flaw))

    cdef int interim_response(self, Head *h) except -1:
        """A 1xx goes on at once, but to no HTTP/1.0 client (RFC 9110, section 15.2)."""
        speak(self.cell, self.exchange.route.queue.pace, self.poller.now, self.begun)
        self.exchange.informed(h.status)
        if self.exchange.minor == 0:
            return 0
        write_response(&self.plane.work, h, False, False, False, 1)
        add(&self.plane.work, b"\r\n", 2)
        if self.exchange.ahead:
            self.exchange.skip_ahead()
        return self.flush_work()

    cdef int switch(self, Head *h, const char *data, size_t size) except -1:
        """The endpoint accepted the upgrade: what follows are raw bytes (RFC 9110, section 7.8)."""
        cdef Exchange exchange = self.exchange
        if not h.upgrade or not exchange.asked_for(h):
            return exchange.fail(502, b"http_upgrade_failed", b"the endpoint's 101 names no protocol that was asked for")
        exchange.status = 101
        exchange.answered = True
        self.answers(101)
        if exchange.note.end:
            exchange.t_first = clock_ns()
        write_switch(&self.plane.work, h)
        if exchange.ahead:
            exchange.skip_ahead()
        add(&self.plane.work, data, size)
        exchange.sent += size
        self.flush_work()
        return exchange.switched()

    cdef int answers(self, int status) except -1:
        """The head of its answer is there: count it, for the endpoint or against it."""
        cdef Exchange exchange = self.exchange
        speak(self.cell, exchange.route.queue.pace, self.poller.now, self.begun)
        if self.late:
            self.late = False
            self.cell.outlier.late -= 1
        self.plane.count(exchange.member)
        exchange.route.queue.ended += 1
        if exchange.accused is not None and exchange.accused is not exchange.member:
            exchange.acquit_or_confirm(status >= 500)
        if status in (500, 502, 503, 504):
            exchange.route.picker.failed(exchange.member)   # a quick error is no reason to come again
            return self.plane.reports.fault(exchange.member, exchange.route.queue, Fault.ERROR, self.poller.now)
        if exchange.t_connected and exchange.route.picker.timed:
            exchange.route.picker.answered(exchange.member, clock_ns() - exchange.t_connected)
        return self.plane.reports.fine(exchange.member)

    cdef int begin_response(self, Head *h) except -1:
        """Settle the framing on both sides (RFC 9112, section 6.3) and write the client's head into work."""
        cdef Exchange exchange = self.exchange
        cdef Framing framing = Framing.UNTIL_CLOSE
        cdef bint with_length = h.length >= 0 and h.status != 204
        if exchange.head_only or h.status == 204 or h.status == 304:
            framing = Framing.NONE
        elif h.chunked:
            framing = Framing.CHUNKED
        elif h.length >= 0:
            framing = Framing.LENGTH
        begin_body(&self.body, framing, h.length)
        self.started = True
        self.keep = not h.close and (h.minor == 1 or h.keep_alive) and framing != Framing.UNTIL_CLOSE
        self.drop_trailer = h.names_hops
        self.chunk_out = framing in (Framing.CHUNKED, Framing.UNTIL_CLOSE) and exchange.minor == 1
        if framing in (Framing.CHUNKED, Framing.UNTIL_CLOSE) and exchange.minor == 0:
            exchange.keep_alive = False
            exchange.bare = True
        if not exchange.body.done or self.plane.draining:
            exchange.keep_alive = False
        exchange.answered = True
        exchange.status = h.status
        if exchange.t_connected:
            exchange.t_first = clock_ns()
        self.head_at = exchange.written
        write_response(&self.plane.work, h, with_length, self.chunk_out, not exchange.keep_alive, exchange.minor)
        self.skipped = exchange.skip_ahead() if exchange.ahead else 0
        if not h.dated:
            write_date(&self.plane.work)
        if exchange.route.sticky is not None and exchange.member is not exchange.named:
            write_cookie(&self.plane.work, exchange.route, exchange.member)
        return add(&self.plane.work, b"\r\n", 2)

    cdef int relay(self, const char *data, size_t size) except -1:
        """Send body bytes down behind what stands in work already; at the body's end, finish."""
        cdef const char *part
        cdef size_t part_size, at = 0
        cdef Py_ssize_t used
        while at < size and not self.body.done:
            used = feed(&self.body, data + at, size - at, &part, &part_size)
            if used < 0:
                return self.broken(self.body.flaw)
            at += used
            if self.body.trailing:
                add(&self.trailer, part, part_size)
            elif part_size:
                self.emit(part, part_size)
        if not self.body.done:
            return self.flush_work()
        # bytes after the response, or a request that is not sent whole: the connection's state is nobody's to guess
        return self.finish(self.keep and at == size and self.exchange.body.done and self.unsent() == 0)

    cdef int broken(self, Flaw flaw) except -1:
        """The body's framing is bad: 502 where the head still stands in work, else the client sees that the response is cut."""
        self.plane.reports.fault(self.exchange.member, self.exchange.route.queue, Fault.RESET, self.poller.now)
        if self.exchange.written == self.head_at:
            self.exchange.answered = False
            self.exchange.ahead = self.skipped
            take(&self.plane.work, self.plane.work.end)
        self.flush_work()
        return self.exchange.fail(502, b"http_response_transfer_coding", said(b"the response's chunks are refused", flaw))

    cdef int emit(self, const char *part, size_t size) except -1:
        """A run of the body goes into work, or from where it is to the client when it is long."""
        self.exchange.sent += size
        if self.chunk_out:
            write_chunk_size(&self.plane.work, size)
            add(&self.plane.work, part, size)
            return add(&self.plane.work, b"\r\n", 2)
        if size < WHOLE:
            return add(&self.plane.work, part, size)
        self.exchange.send_both(self.plane.work.data, self.plane.work.end, part, size)
        take(&self.plane.work, self.plane.work.end)
        return 0

    cdef int flush_work(self) except -1:
        if self.plane.work.end:
            self.exchange.send(self.plane.work.data, self.plane.work.end)
            take(&self.plane.work, self.plane.work.end)
        return 0

    cdef int finish(self, bint reusable) except -1:
        """The body is whole: send its end, and tell the exchange."""
        cdef size_t whole = self.plane.work.end
        cdef int flaw = write_last_chunk(&self.plane.work, &self.trailer, self.drop_trailer) if self.chunk_out else 0
        if flaw:
            self.plane.work.end = whole
            return self.broken(<Flaw>flaw)
        take(&self.trailer, self.trailer.end)
        self.exchange.last = not self.exchange.keep_alive
        self.flush_work()
        return self.exchange.completed(reusable)

    cdef int ended(self, bint clean) except -1:
        """The endpoint sends no more."""
        cdef Exchange exchange = self.exchange
        if not self.started and self.interim == 0:
            if pending(&self.input):
                self.reused = False     # it has begun to answer: this is no old connection that had been closed
                return exchange.lost(False, b"http_response_incomplete", 502)
            return exchange.lost(self.unseen(clean), b"connection_terminated", 502)
        if self.started and self.body.framing == Framing.UNTIL_CLOSE and clean:
            self.body.done = True
            return self.finish(False)
        self.plane.reports.fault(exchange.member, exchange.route.queue, Fault.RESET, self.poller.now)
        return exchange.fail(502, b"http_response_incomplete", b"the endpoint's connection broke within its response")
