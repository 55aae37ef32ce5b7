"""The endpoint's side in HTTP/1: a connection that is made, carries one exchange after another, and waits in the pool in between.

Bytes go on as they come; a client that does not take them stops the endpoint from being read, but for a last stretch that is kept so that
a slow client does not hold the endpoint. Never chooses an endpoint and never retries: it tells its exchange what happened.
"""
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy

from haystack._fast.connection.client cimport ClientConnection
from haystack._fast.connection.slow_readers cimport relieve
from haystack._fast.endpoint.endpoint cimport Protocol
from haystack._fast.http1.body cimport SPLICED, Framing, begin as begin_body, feed
from haystack._fast.http1.flaw cimport Flaw, said
from haystack._fast.http1.head cimport Head, MAX_HEAD, parse_response
from haystack._fast.http1.serialize cimport Client, flaw_of_trailer, write_last_chunk, write_request
from haystack._fast.http1.written cimport WHOLE, send_written, write_run
from haystack._fast.net.epoll cimport EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP
from haystack._fast.net.tcp cimport untouched
from haystack._fast.net.transport cimport Transport, mark_readable
from haystack._fast.util.buffer cimport Buffer, add, pending, release, reserve, take
from haystack._fast.worker.worker_state cimport SCRATCH, WorkerState

cdef extern from "sys/socket.h" nogil:
    enum:
        AF_UNIX

cdef enum:
    BURST = 16              # reads in a row before others have their turn
    SPARE = 65536           # bytes that are kept for a client that does not take them, so that the endpoint is free again
    MAX_INTERIM = 32        # 1xx responses before the one that counts
    HELD = 32768            # a body up to this is held until it is whole: with the largest head it fits into scratch,
    HELD_MS = 50            # and for so long, and until the next tick; on from there where it could be had elsewhere
    LATE_MS = 250           # without an answer, and others are asked how they do


cdef class Http1Client(ClientConnection):
    """A connection to one endpoint."""

    def __cinit__(self):
        self.leg = Http1ClientLeg()
        self.leg.connection = self      # till it is closed

    cdef int on_insecure(self, const char *error) except -1:
        return self.leg.user.on_lost(True, error, 502)

    cdef int on_closed(self) except -1:
        ClientConnection.on_closed(self)
        if self.leg.user is not None:
            self.leg.user.close()       # closed by somebody else than its exchange
        self.leg.connection = None      # else each would keep the other
        return 0

    cdef int on_event(self, uint32_t events) except -1:
        cdef Transport transport = self.transport
        cdef Http1ClientLeg leg = self.leg
        if self.connecting:
            if not events & (EPOLLOUT | EPOLLERR | EPOLLHUP):
                return 0
            if not self.on_connect_event(events):
                return 0
        if leg.user is None:
            if events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR) and transport.fd >= 0 and not transport.is_still():
                return self.leave_pool()        # a pooled connection that says anything is of no more use
            transport.writable = True
            return 0
        mark_readable(transport, events)
        if events & EPOLLOUT:
            if transport.unsent():
                transport.flush()
            else:
                transport.writable = True
            if transport.unsent() == 0:
                leg.user.on_upstream_room()
        if transport.readable and leg.user is not None:
            return leg.read()
        return 0

    cdef int on_connect_event(self, uint32_t events) except -1:
        """1: it is connected; 0: that failed."""
        if not self.has_connected(events):
            self.leg.user.on_lost(True, b"connection_refused", 502)
            return 0
        self.say_greeting()
        self.leg.before = self.transport.given()        # a handshake's, and that, which nobody acts on
        self.leg.user.on_connected()
        return 1

    cdef int on_again(self) except -1:
        return 0 if self.leg.user is None else self.leg.read()

    cdef int on_deadline(self) except -1:
        if self.leg.user is None:
            return self.leave_pool()
        if self.connecting:
            return self.leg.user.on_lost(True, b"connection_timeout", 504)
        return self.leg.on_deadline()

    cdef int on_failure(self) except -1:
        self.worker.forget()
        return self.close() if self.leg.user is None else self.leg.user.abort()

    cdef int capacity(self) noexcept:
        """Exchanges that it can carry beside those it does."""
        cdef Transport transport = self.transport
        if transport.fd < 0 or transport.readable or transport.hung_up or self.leg.user is not None or self.endpoint.gone:
            return 0
        if self.target is not self.endpoint.tls or self.endpoint.protocol not in (Protocol.HTTP1, Protocol.HTTPS):
            return 0                    # it is spoken to another way by now
        return not self.is_old()


cdef class Http1ClientLeg(UpLeg):
    """A request on its way to an endpoint, and the response as it comes."""

    def __dealloc__(self):
        release(&self.input)
        release(&self.trailer)

    cdef bint is_connecting(self) noexcept:
        return self.connection.connecting

    cdef bint is_waiting(self) noexcept:
        return not self.connection.connecting and not self.started and (pending(&self.input) == 0 or self.lasting)

    cdef size_t unsent(self) noexcept:
        return self.connection.transport.unsent()

    cdef Transport raw(self):
        return self.connection.transport

    cdef int extend(self, int64_t ms) except -1:
        self.connection.transport.deadline = self.connection.worker.poller.now + ms
        return 0

    cdef bint begin(self, Head *h, Client *client, tuple upgrade) except -1:
        self.started = self.held = self.hurried = self.tunnel = False
        self.interim = 0
        self.missing = 0
        self.chunked = h.chunked
        self.begun = self.connection.worker.poller.now
        self.taken = self.connection.transport.written
        self.connection.transport.deadline = self.begun + min(<int64_t>LATE_MS, self.user.timeout())
        self.offers = write_request(&self.connection.worker.work, h, client, upgrade)
        return self.offers

    cdef int introduce(self, const char *data, size_t size) except -1:
        return self.connection.introduce(data, size)

    cdef int open_raw(self, const char *data, size_t size) except -1:
        self.started = self.held = False
        self.tunnel = True
        self.interim = 0
        self.missing = 0
        self.begun = self.connection.worker.poller.now
        self.taken = self.connection.transport.written
        self.connection.transport.deadline = self.begun + min(<int64_t>LATE_MS, self.user.timeout())
        return self.connection.transport.send(data, size)

    cdef int read_first(self) except -1:
        """Read the first raw bytes; what goes up may be sent elsewhere until they are there."""
        cdef char *scratch = self.connection.worker.scratch
        cdef Py_ssize_t n = self.connection.transport.receive(scratch, SCRATCH)
        if n == -1:
            return 0
        if n <= 0:
            return self.user.on_lost(self.unseen(n == 0), b"connection_terminated", 502)
        self.answered()
        self.started = True
        return self.user.on_first(scratch, n)

    cdef int send_body(self, const char *data, size_t size) except -1:
        return write_run(&self.connection.worker.work, self.connection.transport, self.chunked, data, size)

    cdef int end_body(self, Buffer *trailer, bint drop) except -1:
        return write_last_chunk(&self.connection.worker.work, trailer, drop) if self.chunked else 0

    cdef int flush(self) except -1:
        return send_written(&self.connection.worker.work, self.connection.transport)

    cdef void forget(self) noexcept:
        take(&self.connection.worker.work, self.connection.worker.work.end)

    cdef int detach(self, bint reusable) except -1:
        cdef Http1Client connection = self.connection
        cdef Transport transport = connection.transport
        self.user = None
        self.before = transport.given()
        self.trailer.start = self.trailer.end = 0
        self.answered()
        if reusable and transport.readable and transport.is_still():
            transport.readable = False  # its last read took exactly what was there
        reusable = reusable and connection.endpoint.introduces == 0         # else its next client would be taken for this one
        if reusable and connection.capacity() and connection.endpoint.idle.count < connection.worker.limits.pool_size:
            return connection.rest()
        return connection.close()

    cdef int answered(self) noexcept:
        """It waits no more."""
        if self.late:
            self.late = False
            self.connection.endpoint.outlier.late -= 1
        return 0

    cdef bint unseen(self, bint clean) noexcept:
        """Whether nobody can have acted on this exchange's request, now that the connection has ended. clean: with a FIN."""
        cdef int fd = self.connection.transport.fd
        return self.connection.endpoint.sockaddr.family != AF_UNIX and fd >= 0 and untouched(fd, self.before, clean)

    cdef int on_deadline(self) except -1:
        cdef int64_t now = self.connection.worker.poller.now
        if self.tunnel and self.started:
            return self.user.end_with(b"connection_read_timeout")
        if self.missing:
            return self.overdue()
        if not self.started and now < self.begun + self.user.timeout():
            return self.hesitate()
        # a client that does not read is slow_readers.pyx's affair
        if self.user.down.unsent() or self.connection.transport.takes(&self.taken):
            return self.extend(self.user.timeout())
        return self.user.on_timeout()

    cdef int hesitate(self) except -1:
        """It has its time still, but should have answered: outliers.pyx looks at what others do meanwhile."""
        self.connection.transport.deadline = self.begun + self.user.timeout()
        return self.doubt()

    cdef int doubt(self) except -1:
        """It should have answered: that counts against its endpoint."""
        if not self.late and self.unsent() == 0:
            self.late = self.user.on_late(self.begun)
        return 0

    cdef bint has_to_wait(self, bint pressed) noexcept:
        """Whether the client has to take something before more of the response is read."""
        cdef size_t unsent = self.user.down.unsent()
        return unsent > 0 and (
            pressed or unsent >= SPARE or (self.body.framing == Framing.LENGTH and <int64_t>unsent + self.body.left > SPARE))

    cdef int read(self) except -1:
        """Read the response as far as the client takes it."""
        cdef Http1Client connection = self.connection
        cdef Transport transport = connection.transport
        cdef WorkerState worker = connection.worker
        cdef Transport sink
        cdef char *data = worker.scratch
        cdef size_t have
        cdef Py_ssize_t n
        cdef int burst = 0
        cdef bint pressed
        while self.user is not None and transport.readable and transport.fd >= 0:
            pressed = worker.is_pressed()
            if pressed and worker.poller.kept > worker.limits.max_kept:
                relieve(worker, self.user)
            if self.held or self.tunnel:
                # let_switch goes on where it is held
                return 0 if self.held else self.user.tunnel_down() if self.started else self.read_first()
            if self.has_to_wait(pressed):
                return 0                # goes on when the client has taken that
            burst += 1
            if burst > BURST:
                return worker.poller.later(transport)
            if self.missing:
                self.read_held()
                continue
            sink = self.user.down.raw() if self.is_long() and self.user.down.unsent() == 0 else None
            if sink is not None:
                n = transport.splice_to(sink, <size_t>self.body.left)
                if n > 0:
                    self.spliced(n)
                    continue
                if n == -1:
                    return 0
            have = pending(&self.input)
            if have:
                memcpy(data, self.input.data + self.input.start, have)
            n = transport.receive(data + have, WHOLE if pressed else SCRATCH - have)
            if n == -1:
                return 0
            if n <= 0:
                return self.ended(n == 0)
            take(&self.input, have)
            self.extend(self.user.timeout())
            self.handle(data, have + n)
        return 0

    cdef bint is_long(self) noexcept:
        """True where the rest of the body is worth a pipe."""
        return self.started and self.body.framing == Framing.LENGTH and self.body.left >= SPLICED and self.connection.worker.work.end == 0

    cdef int spliced(self, Py_ssize_t n) except -1:
        """So many bytes of the body went down without being seen."""
        self.body.left -= n
        self.extend(self.user.timeout())
        self.user.on_data_spliced(<size_t>n)
        if self.body.left:
            return 0
        self.body.done = True
        return self.user.on_data_end(&self.trailer, self.drop_trailer, self.may_be_reused())

    cdef bint may_be_reused(self) noexcept:
        """Whether the connection can carry another message: a request that is not sent whole leaves it in a state of its own."""
        return self.keep and self.user.down.body_done() and self.unsent() == 0

    cdef int handle(self, const char *data, size_t size) except -1:
        """Handle bytes of the response."""
        cdef Head h
        cdef int used
        while not self.started:
            used = parse_response(&h, data, size)
            if used == 0:
                return add(&self.input, data, size)
            if used < 0 or used > MAX_HEAD or (h.status == 101 and not self.offers):
                return self.refuse(used, h.flaw or (Flaw.LARGE_HEAD if used > MAX_HEAD else Flaw.UNASKED_SWITCH))
            if h.status == 101 and not self.user.down.body_done():
                self.held = True        # a client speaks the new protocol only behind its whole request (RFC 9110, section 7.8)
                return add(&self.input, data, size)
            data += used
            size -= used
            if h.status == 101:
                self.answered()
                self.tunnel = self.started = True
                return self.user.on_switch(&h, data, size)
            if h.status >= 200:
                if <int64_t>size < h.length <= HELD and self.holds(&h):
                    return self.hold(data - used, size + used, h.length - <int64_t>size)
                if not self.begin_response(&h):
                    return 0
                break
            self.interim += 1
            if self.interim > MAX_INTERIM:
                return self.user.on_flaw(502, b"http_protocol_error", b"the endpoint sends too many interim responses", False)
            self.user.on_interim(&h)
            if size == 0:
                return 0
        return self.relay(data, size)

    cdef bint holds(self, Head *h) noexcept:
        """Whether a small response of which a part is there waits for the rest: while nothing of it went down, it can be had elsewhere."""
        return not self.hurried and self.framing_of(h) == Framing.LENGTH

    cdef int hold(self, const char *data, size_t size, int64_t missing) except -1:
        """Keep a response, from its head on, of which so much is missing."""
        self.missing = missing
        self.extend(HELD_MS)
        return add(&self.input, data, size)

    cdef int overdue(self) except -1:
        """The rest of a response that is held does not come. It goes on with the next bytes of it, or can be had elsewhere till then."""
        if self.lasting:
            return self.user.on_timeout()
        if self.interim or self.connection.worker.is_pressed() or not self.user.may_leave():
            return self.let_through()
        self.lasting = True
        self.extend(self.user.timeout())
        return self.doubt()

    cdef int read_held(self) except -1:
        """Read what is missing of the response that is held."""
        cdef Py_ssize_t n
        reserve(&self.input, <size_t>self.missing)
        n = self.connection.transport.receive(self.input.data + self.input.end, <size_t>self.missing)
        if n == -1:
            return 0
        if n <= 0:
            return self.ended(n == 0)
        self.input.end += n
        self.missing -= n
        return 0 if self.missing and not self.lasting else self.let_through()

    cdef int let_through(self) except -1:
        """The response that is held is whole, or has been held for long enough: it goes on."""
        cdef char *scratch = self.connection.worker.scratch
        cdef size_t have = pending(&self.input)
        self.missing = 0
        self.lasting = False
        self.hurried = True
        self.extend(self.user.timeout())
        memcpy(scratch, self.input.data + self.input.start, have)
        release(&self.input)
        return self.handle(scratch, have)

    cdef int let_switch(self) except -1:
        cdef char *scratch = self.connection.worker.scratch
        cdef size_t size = pending(&self.input)
        if not self.held:
            return 0
        self.held = False
        memcpy(scratch, self.input.data + self.input.start, size)
        take(&self.input, size)
        self.handle(scratch, size)
        return 0 if self.user is None else self.read()

    cdef int refuse(self, int used, Flaw flaw) except -1:
        """The head is bad in the way that parse_response says, or is too large, or answers what was not asked."""
        cdef const char *error = b"http_protocol_error"
        if used > MAX_HEAD or used == -431:
            error = b"http_response_header_section_size"
        elif used == -501:
            error = b"http_response_transfer_coding"
        return self.user.on_flaw(502, error, said(b"the response's head is refused", flaw), True)

    cdef Framing framing_of(self, Head *h) noexcept:
        """Of the response on this side (RFC 9112, section 6.3)."""
        if self.user.is_head_only() or h.status == 204 or h.status == 304:
            return Framing.NONE
        if h.chunked:
            return Framing.CHUNKED
        return Framing.LENGTH if h.length >= 0 else Framing.UNTIL_CLOSE

    cdef bint begin_response(self, Head *h) except -1:
        """Hand the head on; False: the exchange has gone elsewhere, or has ended."""
        cdef Framing framing = self.framing_of(h)
        self.answered()
        if not self.user.on_response(h, framing, self.interim == 0):
            return False
        begin_body(&self.body, framing, h.length)
        self.started = True
        self.keep = not h.close and (h.minor == 1 or h.keep_alive) and framing != Framing.UNTIL_CLOSE
        self.drop_trailer = h.names_hops
        return True

    cdef int relay(self, const char *data, size_t size) except -1:
        """Tell the user of the body that is in these bytes; at its end, finish."""
        cdef const char *part
        cdef size_t part_size, at = 0
        cdef Py_ssize_t used
        cdef Flaw flaw = Flaw.NO_FLAW
        while at < size and not self.body.done:
            used = feed(&self.body, data + at, size - at, &part, &part_size)
            if used < 0:
                flaw = self.body.flaw
                break
            at += used
            if self.body.trailing:
                add(&self.trailer, part, part_size)
            elif part_size:
                self.user.on_data(part, part_size)
        if self.body.done and self.user.down.takes_trailer():
            flaw = flaw_of_trailer(&self.trailer)
        if flaw:
            return self.user.on_flaw(502, b"http_response_transfer_coding", said(b"the response's chunks are refused", flaw), True)
        if not self.body.done:
            return self.user.on_data_run()
        # bytes after the response leave the connection in a state that is nobody's to guess
        return self.user.on_data_end(&self.trailer, self.drop_trailer, at == size and self.may_be_reused())

    cdef int ended(self, bint clean) except -1:
        """The endpoint sends no more."""
        if not self.started and self.interim == 0:
            if pending(&self.input):
                self.reused = False     # it has begun to answer: this is no old connection that had been closed
                return self.user.on_lost(False, b"http_response_incomplete", 502)
            return self.user.on_lost(self.unseen(clean), b"connection_terminated", 502)
        if self.started and self.body.framing == Framing.UNTIL_CLOSE and clean:
            self.body.done = True
            return self.user.on_data_end(&self.trailer, self.drop_trailer, False)
        return self.user.on_flaw(502, b"http_response_incomplete", b"the endpoint's connection broke within its response", True)
