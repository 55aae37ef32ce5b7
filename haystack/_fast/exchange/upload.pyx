"""What a client sends behind its head, on its way up: the request's body, or a tunnel's raw bytes.

A small body is read whole before an endpoint is asked, so that a slow client holds none; a larger one goes on as it comes, at no less than
the least rate. Chunks are made anew. Finds no endpoint and writes no answer: Dispatcher below and Downstream above it do.
"""
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from haystack._fast.exchange.exchange cimport State
from haystack._fast.exchange.dispatch cimport Dispatcher
from haystack._fast.exchange.tunnel cimport shuttle
from haystack._fast.exchange.upgrade cimport keeps_to
from haystack._fast.exchange.upstream cimport Upstream
from haystack._fast.exchange.worker_state cimport SCRATCH
from haystack._fast.http1.body cimport SPLICED, Framing, feed
from haystack._fast.http1.flaw cimport Flaw, said
from haystack._fast.http1.head cimport Head
from haystack._fast.http1.serialize cimport write_last_chunk
from haystack._fast.util.buffer cimport add, pending, release, reserve, take
from haystack._fast.util.digits cimport write_chunk_size

cdef enum:
    BURST = 16              # reads in a row before others have their turn
    SLICE_MS = 10000        # over which the rate of a body is judged


cdef class Upload(Dispatcher):
    """Base of Downstream."""

    def __dealloc__(self):
        release(&self.trailer)

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
        cdef bint excused = held or self.answered or self.is_expectant()
        if self.body.done:
            self.deadline = 0
            return 0
        if not excused and (self.received - self.judged) * 1000 < max(1, self.plane.body_rate * self.slice()):
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
            if self.up is not None and self.up.held:
                return self.let_switch()
        return 0

    cdef int spliced(self, Py_ssize_t n) except -1:
        """So many bytes of the body went up without being seen."""
        self.retries.body_sent = True
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
        cdef int flaw
        cdef Upstream up = self.up
        up.deadline = self.poller.now + self.route.timeout_ms
        while at < size and not self.body.done:
            used = feed(&self.body, data + at, size - at, &part, &part_size)
            if used < 0:
                return self.bad_chunks(self.body.flaw)
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
            flaw = write_last_chunk(&self.plane.work, &self.trailer, self.drop_trailer) if self.body.done else 0
            if flaw:
                return self.bad_chunks(<Flaw>flaw)
            self.keep(self.plane.work.data, self.plane.work.end)
            up.send(self.plane.work.data, self.plane.work.end)
            take(&self.plane.work, self.plane.work.end)
        return <Py_ssize_t>at

    cdef Py_ssize_t bad_chunks(self, Flaw flaw) except -2:
        take(&self.plane.work, self.plane.work.end)
        self.keep_alive = False
        self.fail(400, b"http_request_error", said(b"the request's chunks are refused", flaw))
        return -1

    cdef bint asked_for(self, Head *h) except -1:
        return keeps_to(self.request.data, self.request.end, h)

    cdef int let_switch(self) except -1:
        """The body has gone up whole: the endpoint's 101 that waits for it may go down."""
        cdef Upstream up = self.up
        cdef size_t size = pending(&up.input)
        up.held = False
        memcpy(self.plane.scratch, up.input.data + up.input.start, size)
        take(&up.input, size)
        up.handle(self.plane.scratch, size)
        return up.read() if up.exchange is not None and up.fd >= 0 else 0

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
