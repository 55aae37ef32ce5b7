"""A request that comes on a client's HTTP/1 connection, and its response: bodies in their framing, heads as they go down.

The connection reads heads and says when the next message may come (http1_server.pyx). RFC 9112 sections 6 and 7.1.
"""
from libc.stdint cimport int64_t
from libc.string cimport memcmp, memmove

from haystack._fast.connection.leg cimport Peer, UpLeg
from haystack._fast.connection.own_fields cimport add_own_fields
from haystack._fast.connection.tunnel cimport shuttle
from haystack._fast.endpoint.endpoint cimport Member, Route
from haystack._fast.http1.body cimport SPLICED, Framing, begin as begin_body, feed
from haystack._fast.http1.flaw cimport Flaw
from haystack._fast.http1.head cimport Head
from haystack._fast.http1.local_reply cimport write_answer
from haystack._fast.http1.serialize cimport flaw_of_trailer, write_last_chunk, write_response, write_switch
from haystack._fast.http1.written cimport send_written, write_run
from haystack._fast.net.transport cimport Transport
from haystack._fast.util.buffer cimport Buffer, add, pending, release, reserve, take
from haystack._fast.worker.worker_state cimport SCRATCH

cdef enum:
    BURST = 16              # reads in a row before others have their turn


cdef class Http1Connection(ServerConnection):
    """What a leg uses of its connection. Http1Server is the one kind there is."""

    cdef int next(self) except -1:
        """The message has been answered: get ready for the next one, or for the end."""
        raise NotImplementedError

    cdef int reset(self) except -1:
        """Close at once; where only the end of the connection ends the body, with a reset, or it would seem whole."""
        raise NotImplementedError


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
        cdef Http1Connection connection = self.connection
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
        cdef Http1Connection connection = self.connection
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
        cdef Http1Connection connection = self.connection
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
        cdef Http1Connection connection = self.connection
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
        cdef Http1Connection connection = self.connection
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
