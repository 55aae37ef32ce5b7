"""A client's connection in HTTP/1: reads heads of requests, one after another, and ends in the way that RFC 9112 wants.

It hands each request to the exchange that its handler makes, and knows no route and no endpoint; its leg (http1_leg.pyx) has the bodies and
the responses. RFC 9112 sections 2, 3 and 9.
"""
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memchr, memcmp, memcpy

from haystack._fast.connection.http1_leg cimport Http1ServerLeg
from haystack._fast.connection.http2_server cimport take_over
from haystack._fast.connection.leg cimport LegUser
from haystack._fast.connection.lingering cimport close_in_order, drop_input
from haystack._fast.connection.passthrough cimport pass_on
from haystack._fast.connection.server cimport ServerConnection
from haystack._fast.connection.spares cimport keep
from haystack._fast.http1.flaw cimport Flaw, said
from haystack._fast.http1.head cimport Head, MAX_HEAD, parse_request
from haystack._fast.net.epoll cimport EPOLLERR, EPOLLHUP, EPOLLOUT
from haystack._fast.net.tls_server cimport TlsServerTransport
from haystack._fast.net.transport cimport ConnectionState, Transport, mark_readable, step
from haystack._fast.util.buffer cimport add, pending, release, take
from haystack._fast.util.linked_list cimport leave

cdef const char *PREFACE = b"PRI * HTTP/2.0\r\n"

cdef enum:
    PREFACE_LINE = 16
    IDLE_KEPT = 4096        # capacity that an idle connection's buffer may keep


cdef class Http1Server(Http1Connection):
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
        self.worker.clients.leave(self.peer.origin)
        return 0 if self.silence.watched else keep(self)        # the list of those that are watched has it for a while

    cdef bint is_at_rest(self) noexcept:
        """Whether it has no request, not even one that was not read yet: it may be closed (RFC 9112, section 9.5)."""
        return self.state == ConnectionState.OPEN and self.leg.user is None and pending(&self.input) == 0 and (
            self.transport.unsent() == 0 and not self.transport.readable and not self.transport.holds()) and self.transport.is_empty()

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
        if transport.tls.client != NULL:
            subject, identity = <tuple>transport.tls.client
            self.peer.subject, self.peer.identity = <void *>subject, <void *>identity
        return take_over(self.handed_over(), NULL, 0) if transport.speaks_http2() else self.rest()

    cdef Http1Server handed_over(self):
        """Let go of the transport's owner's place: it is another one's from now on, and this one lives to the end of the batch."""
        self.worker.poller.deferred_delete.append(self)
        self.leg.connection = None      # else each would keep the other
        self.silence.watched = True     # by nobody: it is no client any more
        leave(&self.link)
        return self

    cdef bint asks_name(self) noexcept:
        return self.worker.router.passing is not None

    cdef bint on_name(self, bytes name, size_t size) except -1:
        return pass_on(self, name, size)

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
        if self.transport.fd < 0:
            return 0
        self.transport.deadline = self.worker.poller.now + self.worker.limits.idle_ms
        if not self.keep_alive:
            self.state = step(self.state, ConnectionState.DRAINING)
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
        if self.leg.bare and self.state != ConnectionState.LINGERING:
            self.transport.reset_at_close()
        return self.close()
