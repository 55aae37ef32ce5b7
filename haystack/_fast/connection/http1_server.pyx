"""A client's connection in HTTP/1: reads heads and bodies of requests, writes responses, and ends in the way that RFC 9112 wants.

It hands each request to the exchange that its handler makes, and knows no route and no endpoint. RFC 9112 sections 2, 6, 7.1 and 9.
"""
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memchr, memcmp, memcpy, memmove

from haystack._fast.connection.http2_server cimport take_over
from haystack._fast.connection.leg cimport LegUser, UpLeg
from haystack._fast.connection.lingering cimport close_in_order, drop_input
from haystack._fast.connection.own_fields cimport add_own_fields
from haystack._fast.connection.server cimport ServerConnection
from haystack._fast.connection.tunnel cimport shuttle
from haystack._fast.endpoint.endpoint cimport Member, Route
from haystack._fast.http1.body cimport SPLICED, Framing, begin as begin_body, feed
from haystack._fast.http1.flaw cimport Flaw, said
from haystack._fast.http1.head cimport Head, MAX_HEAD, parse_request
from haystack._fast.http1.local_reply cimport write_answer
from haystack._fast.http1.serialize cimport flaw_of_trailer, write_last_chunk, write_response, write_switch
from haystack._fast.http1.written cimport send_written, write_run
from haystack._fast.net.tls_server cimport TlsServerTransport
from haystack._fast.net.transport cimport ConnectionState, Transport, mark_readable
from haystack._fast.util.buffer cimport Buffer, add, pending, release, reserve, take
from haystack._fast.util.linked_list cimport leave
from haystack._fast.worker.worker_state cimport SCRATCH

cdef extern from "sys/epoll.h" nogil:
    enum:
        EPOLLOUT
        EPOLLERR
        EPOLLHUP
cdef extern from "sys/socket.h" nogil:
    enum:
        MSG_PEEK
        MSG_DONTWAIT
    ssize_t recv(int, void *, size_t, int)

cdef const char *PREFACE = b"PRI * HTTP/2.0\r\n"

cdef enum:
    PREFACE_LINE = 16
    BURST = 16              # reads in a row before others have their turn
    IDLE_KEPT = 4096        # capacity that an idle connection's buffer may keep


cdef class Http1Server(ServerConnection):
    """A client's connection, and what came on it that was not used yet."""

    def __cinit__(self):
        self.leg = Http1ServerLeg()

    def __dealloc__(self):
        release(&self.input)

    cdef int on_closed(self) except -1:
        ServerConnection.on_closed(self)
        if self.leg.user is not None:
            self.leg.user.close()       # closed by somebody else than its exchange
        self.leg.connection = None      # else each would keep the other
        release(&self.input)
        return self.worker.clients.leave(self.peer.origin)

    cdef bint is_at_rest(self) noexcept:
        """Whether it has no request, not even one that was not read yet: it may be closed (RFC 9112, section 9.5)."""
        cdef char byte
        return self.state == ConnectionState.OPEN and self.leg.user is None and pending(&self.input) == 0 and (
            self.transport.unsent() == 0 and not self.transport.readable and not self.transport.holds()) and (
            recv(self.transport.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)

    cdef int rest(self) noexcept:
        """It has no request from now on, and has taken every answer."""
        self.transport.shrink(IDLE_KEPT)
        return ServerConnection.rest(self)

    cdef bint carries(self, LegUser user) noexcept:
        return self.leg.user is user

    cdef bint is_excused(self) noexcept:
        return self.leg.tunnel

    cdef int cut_off(self, const char *error) except -1:
        self.transport.reset_at_close()
        self.worker.erred(error, self.leg.status)
        return self.close() if self.leg.user is None else self.leg.user.end_with(error)

    cdef int on_secure(self) except -1:
        cdef TlsServerTransport transport = <TlsServerTransport>self.transport
        transport.deadline = self.worker.poller.now + self.worker.limits.idle_ms
        self.peer.shown = <void *>transport.credential
        self.peer.asked = <void *>transport.name
        return take_over(self.handed_over(), NULL, 0) if transport.speaks_http2() else self.rest()

    cdef Http1Server handed_over(self):
        """Let go of the transport's owner's place: it is another one's from now on, and this one lives to the end of the batch."""
        self.worker.poller.graveyard.append(self)
        self.leg.connection = None      # else each would keep the other
        self.silence.watched = True     # by nobody: it is no client any more
        leave(&self.link)
        return self

    cdef int on_event(self, uint32_t events) except -1:
        cdef Transport transport = self.transport
        if events & EPOLLERR or (events & EPOLLHUP and not self.leg.tunnel):
            return self.break_off()
        mark_readable(transport, events)
        if events & EPOLLOUT:
            if transport.unsent():
                self.drained()
            else:
                transport.writable = True
        if transport.readable and transport.fd >= 0:
            self.proceed()
        if transport.hung_up and transport.fd >= 0 and not self.silence.watched:
            self.silence.watched = True
            self.worker.clients.leaving.append(self)
        return 0

    cdef int on_again(self) except -1:
        return self.proceed()

    cdef int on_failure(self) except -1:
        self.worker.forget()
        return self.break_off()

    cdef int on_deadline(self) except -1:
        cdef bint unsent = self.transport.unsent() > 0
        if unsent and self.leg.user is None and self.state != ConnectionState.LINGERING:
            self.transport.deadline = self.worker.poller.now + self.worker.limits.idle_ms
            return 0                    # slow_readers.pyx judges by what it has taken: our kernel may tell of no room for minutes
        if self.state == ConnectionState.OPEN and pending(&self.input):
            self.leg.open_headless()
            return self.handler.on_bad_request(self.leg, 408, b"connection_read_timeout", b"the request's head took too long")
        return close_in_order(self) if self.state == ConnectionState.DRAINING and not unsent else self.break_off()

    cdef int proceed(self) except -1:
        """The client has sent something, or what it sent before can be looked at now."""
        if self.state == ConnectionState.LINGERING:
            return drop_input(self)
        if self.state != ConnectionState.OPEN:
            return 0
        if self.leg.user is None:
            return self.read_head()
        return self.leg.user.tunnel_up() if self.leg.tunnel else self.leg.user.body_ready()

    cdef int drained(self) except -1:
        """The client takes bytes again."""
        cdef Transport transport = self.transport
        transport.flush()
        if self.leg.user is not None:
            self.leg.user.on_room()
        if transport.deadline:
            transport.deadline = self.worker.poller.now + self.worker.limits.idle_ms
        if transport.unsent():
            return 0
        leave(&self.link)
        if self.state == ConnectionState.DRAINING:
            return close_in_order(self)
        if self.leg.user is not None:
            return self.leg.user.on_drained()
        self.rest()
        return self.proceed()

    cdef int read_head(self) except -1:
        """Read until a head is whole, and hand it on. What follows it stays in input."""
        cdef char *data = self.worker.scratch
        cdef Transport transport = self.transport
        cdef size_t size
        cdef Py_ssize_t n
        cdef int used
        cdef Head h
        while True:
            if transport.unsent():
                return 0                # a client that does not read its answers is not read either
            size = pending(&self.input)
            if size:
                memcpy(data, self.input.data + self.input.start, size)
            if self.unparsed:
                self.unparsed = False
            else:
                if not transport.readable:
                    return 0
                # an incomplete head of MAX_HEAD bytes was refused, so there is room
                n = transport.receive(data + size, MAX_HEAD - size)
                if n == -1:
                    return 0
                if n <= 0:
                    return self.break_off()
                size += n
            leave(&self.link)
            used = parse_request(&h, data, size)
            if used == -505 and self.begins_http2(data, size):
                take(&self.input, pending(&self.input))
                return take_over(self.handed_over(), data, size)
            used = self.within_limits(&h, used, data, size)
            if used:
                break
            take(&self.input, pending(&self.input))
            add(&self.input, data, size)
            if not self.in_head:
                self.in_head = True
                transport.deadline = self.worker.poller.now + self.worker.limits.head_ms
        take(&self.input, pending(&self.input))
        self.in_head = False
        transport.deadline = 0
        if used < 0:
            return self.refuse_head(-used, h.flaw)
        if <size_t>used < size:
            add(&self.input, data + used, size - used)
            self.unparsed = True
        self.leg.open(&h)
        return self.handler.on_request(self.leg, &h, data + used - h.method)

    cdef bint begins_http2(self, const char *data, size_t size) noexcept:
        """Whether these are the first bytes of a client that speaks HTTP/2 and knows that this side does (RFC 9113, section 3.3)."""
        return self.worker.limits.h2c and self.peer.shown == NULL and self.transport.written == 0 and (
            size >= PREFACE_LINE and memcmp(data, PREFACE, PREFACE_LINE) == 0)

    cdef int within_limits(self, Head *h, int used, const char *data, size_t size) noexcept:
        """`used` as it is, or minus 414 or 431 where the head, or what there is of it, is longer than it may be."""
        cdef int64_t limit = self.worker.limits.max_head
        if used < 0 or (used == 0 and <int64_t>size < limit) or (0 < used <= limit and h.count <= self.worker.limits.max_headers):
            return used
        if memchr(data, c'\n', min(<int64_t>size, limit)) == NULL:
            h.flaw = Flaw.LONG_LINE     # which has a status of its own (RFC 9112, section 3)
            return -414
        h.flaw = Flaw.LARGE_HEAD if used > limit or used == 0 else Flaw.MANY_FIELDS
        return -431

    cdef int refuse_head(self, int status, Flaw flaw) except -1:
        self.leg.open_headless()
        self.leg.body.done = False      # nothing is known of where it ends
        return self.handler.on_bad_request(self.leg, status, b"http_request_error", said(b"the request's head is refused", flaw))

    cdef int next(self) except -1:
        """The message has been answered: get ready for the next one, or for the end."""
        if self.transport.fd < 0:
            return 0
        self.transport.deadline = self.worker.poller.now + self.worker.limits.idle_ms
        if not self.keep_alive:
            self.state = ConnectionState.DRAINING
            return 0 if self.transport.unsent() else close_in_order(self)
        if self.transport.unsent() == 0:
            self.rest()
        if pending(&self.input) or self.transport.readable:
            return self.worker.poller.later(self.transport)
        return 0

    cdef int break_off(self) except -1:
        """End it, with the exchange that it is in."""
        return self.reset() if self.leg.user is None else self.leg.user.abort()

    cdef int reset(self) except -1:
        """Close at once; where only the end of the connection ends the body, with a reset, or it would seem whole."""
        if self.leg.bare and self.state != ConnectionState.LINGERING:
            self.transport.reset_at_close()
        return self.close()


cdef class Http1ServerLeg(DownLeg):
    """A request that comes on a client's connection, and its response."""

    def __dealloc__(self):
        release(&self.trailer)

    cdef int open(self, Head *h) except -1:
        """A request begins."""
        self.minor = h.minor
        self.status = 0
        self.drop_trailer = h.names_hops
        self.head_only = h.method_size == 4 and memcmp(h.method, b"HEAD", 4) == 0
        self.connection.keep_alive = not h.close and (h.minor == 1 or h.keep_alive)
        self.bare = False
        begin_body(&self.body, Framing.CHUNKED if h.chunked else Framing.LENGTH if h.length >= 0 else Framing.NONE, h.length)
        return 0

    cdef int open_headless(self) except -1:
        """One begins whose head can't be read."""
        self.minor = 1
        self.status = 0
        self.head_only = self.bare = self.connection.keep_alive = False
        return 0

    cdef Peer *peer(self) noexcept:
        return &self.connection.peer

    cdef bint body_done(self) noexcept:
        return self.body.done

    cdef bint is_head_only(self) noexcept:
        return self.head_only

    cdef bint takes_trailer(self) noexcept:
        return self.chunked

    cdef size_t unsent(self) noexcept:
        return self.connection.transport.unsent()

    cdef Transport raw(self):
        return self.connection.transport

    cdef int later(self) except -1:
        return self.connection.worker.poller.later(self.connection.transport)

    cdef int fill(self, Buffer *into) except -1:
        cdef Http1Server connection = self.connection
        cdef size_t have
        cdef Py_ssize_t n
        while self.body.left:
            have = min(<size_t>self.body.left, pending(&connection.input))
            if have:
                add(into, connection.input.data + connection.input.start, have)
                take(&connection.input, have)
            else:
                if not connection.transport.readable:
                    connection.unparsed = False
                    return 0
                reserve(into, <size_t>self.body.left)
                n = connection.transport.receive(into.data + into.end, <size_t>self.body.left)
                if n == -1:
                    connection.unparsed = False
                    return 0
                if n <= 0:
                    return -2
                have = <size_t>n
                into.end += have
            self.body.left -= have
        if pending(&connection.input) == 0:
            connection.unparsed = False
        self.body.done = True
        return 1

    cdef int read_body(self) except -1:
        cdef Http1Server connection = self.connection
        cdef Transport transport = connection.transport
        cdef char *scratch = connection.worker.scratch
        cdef Transport sink
        cdef Py_ssize_t n, used
        cdef int burst = 0
        if self.body.done:
            return 0                    # and was told of before
        while not self.body.done and self.user is not None and self.user.takes_body():
            if pending(&connection.input):
                used = self.relay(connection.input.data + connection.input.start, pending(&connection.input))
                if used < 0:
                    return 0
                take(&connection.input, used)
                continue
            if not transport.readable:
                connection.unparsed = False
                return self.user.on_body_late()
            burst += 1
            if burst > BURST:
                return self.later()
            n = -2
            if self.body.framing == Framing.LENGTH and self.body.left >= SPLICED:
                sink = self.user.up.raw()
                n = -2 if sink is None else transport.splice_to(sink, <size_t>self.body.left)
                if n > 0:
                    self.spliced(n)
                    continue
            if n == -2:
                n = transport.receive(scratch, SCRATCH)
            if n == -1:
                connection.unparsed = False
                return self.user.on_body_late()
            if n <= 0:
                return self.user.abort()    # the client broke off in its body
            used = self.relay(scratch, n)
            if used < 0:
                return 0
            if used < n:
                add(&connection.input, scratch + used, n - used)
                connection.unparsed = True
        # only now, for the 101 that may have waited for it lets what stands in input go up
        return self.user.on_body_end() if self.body.done and self.user is not None else 0

    cdef int pass_end(self, UpLeg up) except -1:
        return up.end_body(&self.trailer, self.drop_trailer)

    cdef int spliced(self, size_t size) except -1:
        self.body.left -= size
        self.body.done = self.body.left == 0
        return self.user.on_body_spliced(size)

    cdef int relay(self, const char *data, size_t size) except -1:
        """Tell the user of the body that is in these bytes; how many were used, or -2: its framing is bad, or the exchange has ended."""
        cdef const char *part
        cdef size_t part_size, at = 0
        cdef Py_ssize_t used
        cdef Flaw flaw
        while at < size and not self.body.done:
            used = feed(&self.body, data + at, size - at, &part, &part_size)
            flaw = self.body.flaw if used < 0 else Flaw.NO_FLAW
            if used >= 0:
                at += used
                if self.body.trailing:
                    add(&self.trailer, part, part_size)
                elif part_size:
                    self.user.on_body(part, part_size)
            if used >= 0 and self.body.done:
                flaw = flaw_of_trailer(&self.trailer)
            if flaw:
                self.user.on_body_flaw(flaw)
                return -2
        if not self.body.done:
            self.user.on_body_run()
        return <int>at

    cdef int skip_ahead(self) noexcept:
        """A head stands in work, and the client has its first bytes: how many."""
        cdef Buffer *work = &self.connection.worker.work
        cdef int skipped = self.ahead
        work.end -= skipped
        memmove(work.data, work.data + skipped, work.end)
        self.ahead = 0
        return skipped

    cdef int interim(self, Head *h) except -1:
        """To no HTTP/1.0 client (RFC 9110, section 15.2)."""
        if self.minor == 0:
            return 0
        write_response(&self.connection.worker.work, h, False, False, False, 1)
        add(&self.connection.worker.work, b"\r\n", 2)
        if self.ahead:
            self.skip_ahead()
        return self.flush()

    cdef int begin_response(self, Head *h, Framing framing, Route route, Member remembered) except -1:
        """Settle the framing on the client's side (RFC 9112, section 6.3), and write its head into work."""
        cdef Http1Server connection = self.connection
        cdef Buffer *work = &connection.worker.work
        cdef bint with_length = h.length >= 0 and h.status != 204
        cdef bint open_end = framing in (Framing.CHUNKED, Framing.UNTIL_CLOSE)
        self.chunked = open_end and self.minor == 1
        if open_end and self.minor == 0:
            connection.keep_alive = False
            self.bare = True
        if not self.body.done or connection.worker.draining:
            connection.keep_alive = False
        self.head_at = connection.transport.written
        self.status = h.status
        write_response(work, h, with_length, self.chunked, not connection.keep_alive, self.minor)
        self.skipped = self.skip_ahead() if self.ahead else 0
        add_own_fields(work, h, &connection.peer, route, remembered)
        return add(work, b"\r\n", 2)

    cdef int data(self, const char *data, size_t size) except -1:
        return write_run(&self.connection.worker.work, self.connection.transport, self.chunked, data, size)

    cdef int end(self, Buffer *trailer, bint drop) except -1:
        if self.chunked:
            write_last_chunk(&self.connection.worker.work, trailer, drop)
        self.connection.transport.last = not self.connection.keep_alive
        return self.flush()

    cdef int flush(self) except -1:
        return send_written(&self.connection.worker.work, self.connection.transport)

    cdef bint take_back(self) except -1:
        if self.connection.transport.written != self.head_at:
            self.flush()
            return False
        self.ahead = self.skipped
        take(&self.connection.worker.work, self.connection.worker.work.end)
        return True

    cdef int answer(self, int status, const char *error, bytes detail, int form, bytes identity) except -1:
        cdef Http1Server connection = self.connection
        cdef Buffer *work = &connection.worker.work
        cdef int size
        self.status = status
        if not self.body.done or connection.worker.draining:
            connection.keep_alive = False
        size = write_answer(work, status, error, detail, form, identity, self.head_only, not connection.keep_alive)
        if self.ahead:
            self.skip_ahead()
        connection.transport.last = not connection.keep_alive
        self.flush()
        return size

    cdef Py_ssize_t switch_protocols(self, Head *h, const char *data, size_t size) except -1:
        cdef Http1Server connection = self.connection
        cdef size_t early = pending(&connection.input)
        write_switch(&connection.worker.work, h)
        if self.ahead:
            self.skip_ahead()
        add(&connection.worker.work, data, size)
        self.flush()
        self.tunnel = True
        connection.keep_alive = connection.unparsed = False
        self.user.up.raw().send(connection.input.data + connection.input.start, early)
        release(&connection.input)
        return <Py_ssize_t>early

    cdef bint carry_up(self, UpLeg up, int64_t *moved) except -1:
        return shuttle(self.connection.transport, up.raw(), self.connection.worker.scratch, moved) != 0

    cdef bint carry_down(self, UpLeg up, int64_t *moved) except -1:
        return shuttle(up.raw(), self.connection.transport, self.connection.worker.scratch, moved) != 0

    cdef void no_more(self) noexcept:
        self.connection.keep_alive = False

    cdef int cut(self) except -1:
        self.connection.keep_alive = False
        self.connection.torn = True
        return self.finish()

    cdef int finish(self) except -1:
        self.user = None
        self.tunnel = False
        self.ahead = 0
        self.trailer.start = self.trailer.end = 0
        return 0 if self.connection is None else self.connection.next()

    cdef int reset(self) except -1:
        self.user = None
        return 0 if self.connection is None else self.connection.reset()
