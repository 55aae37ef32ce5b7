"""A stream of HTTP/2 as a leg: what came of a request, and what is to go down, until nghttp2 asks for it.

A head goes down with the pairs of the HTTP/1 head that says the same (http2/fields.pyx); a body as far as its window and the client's
socket allow, and what is not taken counts as kept. A request's body is asked for again by what went on to the endpoint (RFC 9113, 5.2).
"""
from cpython.ref cimport Py_DECREF
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memchr, memcmp

from haystack._fast.connection.http2_server_events cimport reader
from haystack._fast.connection.leg cimport Peer, UpLeg
from haystack._fast.connection.own_fields cimport add_own_fields
from haystack._fast.endpoint.endpoint cimport Member, Route
from haystack._fast.http1.body cimport Framing
from haystack._fast.http1.flaw cimport Flaw, said
from haystack._fast.http1.head cimport Head, parse_request, parse_response
from haystack._fast.http1.local_reply cimport write_answer
from haystack._fast.http1.serialize cimport flaw_of_trailer, write_last_chunk, write_response
from haystack._fast.http2.fields cimport MAX_PAIRS, accepts_key, pairs_of
from haystack._fast.http2.nghttp2 cimport *
from haystack._fast.net.transport cimport Transport
from haystack._fast.util.buffer cimport Buffer, add, pending, release, take
from haystack._fast.util.linked_list cimport join, leave

cdef enum:
    IDLE_KEPT = 4096        # capacity that a buffer at rest may keep
    SPARES = 256            # legs that are kept for new requests
    RUN = 65536             # bytes of a body that are handed on at once

cdef nghttp2_nv[MAX_PAIRS + 1] pairs
cdef list spare_legs = []


cdef class Streams(ServerConnection):
    """What a leg uses of its connection. Http2Server is the one kind there is."""

    def __cinit__(self):
        self.noted = []
        self.sending.owner = <void *>self

    cdef void open_window(self) noexcept:
        """Bytes of bodies have gone on, and may be asked for again: note whether clients could not send until now."""
        if nghttp2_session_get_local_window_size(self.session) <= 0:
            self.bodies.freed = self.worker.poller.now

    cdef int hold(self, int64_t size) noexcept:
        """So many bytes more of requests' bodies are held; below 0: fewer."""
        self.bodies.held += size
        self.worker.clients.held += size
        self.worker.poller.kept += size
        if self.bodies.held <= 0:
            leave(&self.sending)
        elif self.sending.ring == NULL:
            join(&self.worker.clients.senders, &self.sending)
        return 0

    cdef int wants(self) except -1:
        """Send or read something once this batch of the poller is done."""
        return self.worker.poller.later(self.transport) if self.transport.fd >= 0 else 0


cdef class Http2ServerLeg(DownLeg):
    """A stream: a request, and its response."""

    def __cinit__(self):
        self.link.owner = <void *>self

    def __dealloc__(self):
        release(&self.head)
        release(&self.input)
        release(&self.trailer)
        release(&self.out)
        release(&self.tail)

    cdef int note(self) except -1:
        """Note that something has happened to it: `attend` follows."""
        if not self.noted and self.connection is not None:
            self.noted = True
            self.connection.noted.append(self)
        return 0

    cdef int attend(self) except -1:
        """Do what follows from what was noted."""
        cdef bint drained = self.drained
        self.drained = False
        if self.connection is None:
            return 0                    # the connection has ended meanwhile
        if self.closed:
            if self.user is not None and self.tunnel and self.ended and self.finished:
                self.user.tunnel_up()   # both sides have said all, and the endpoint has not heard it
                if self.user is not None:
                    return 0            # `finish` comes back here
            if self.user is not None:
                self.user.abort()       # the client does not want it any more
            return self.retire()
        if self.fresh:
            self.fresh = False
            return self.open()
        if drained and self.out.capacity > RUN and pending(&self.out) == 0:
            self.forget_out()           # one that was slow for a while holds no memory for that
        if self.user is not None and drained:
            self.user.on_room()
            if self.user is not None and not self.closed:
                self.user.on_drained()
        if self.user is not None and not self.closed and (pending(&self.input) or self.ended) and (self.tunnel or not self.done):
            return self.user.tunnel_up() if self.tunnel else self.user.body_ready()
        return 0

    cdef int open(self) except -1:
        """Hand the request on."""
        cdef Streams connection = self.connection
        cdef Head h
        cdef int used = parse_request(&h, self.head.data, self.head.end)
        self.status = 0
        self.arriving.missing = h.length - self.arriving.missing if used > 0 and h.length >= 0 else -1
        self.done = self.connects or (self.ended and pending(&self.input) == 0)
        self.head_only = used > 0 and h.method_size == 4 and memcmp(h.method, b"HEAD", 4) == 0
        if self.arriving.refusal:
            used = -self.arriving.refusal
            if self.arriving.refusal == 431:
                h.flaw = Flaw.MANY_FIELDS if self.arriving.crowded else Flaw.LARGE_HEAD
        if used > 0:
            return connection.handler.on_request(self, &h, used)
        return connection.handler.on_bad_request(
            self, -used if used else 400, b"http_request_error", said(b"the request's head is refused", h.flaw))

    cdef bint is_slow(self, int64_t passed) noexcept:
        """Whether the client opens its window too slowly. A tunnel may be silent for long."""
        cdef bint slow = False
        self.taking.stalled += passed
        if (pending(&self.out) or self.arriving.ending) and (not self.tunnel or self.user is None):
            if self.taking.stalled < self.connection.worker.limits.idle_ms:
                return False
            slow = self.taking.taken * 1000 < max(<int64_t>1, self.connection.worker.limits.read_rate * self.taking.stalled)
        self.taking = Taking(0, 0)
        return slow

    cdef int retire(self) except -1:
        """The stream is closed and its exchange has ended: keep its memory for the next one."""
        self.forget_out()
        self.ended_down()
        if self.arriving.held:
            self.connection.hold(-self.arriving.held)
            self.arriving.held = 0
        # what did not go on of its body is asked for again on the other streams (RFC 9113, section 6.9)
        self.connection.open_window()
        nghttp2_session_consume_connection(self.connection.session, pending(&self.input))
        self.connection.wants()
        self.connection = None
        leave(&self.link)
        recycle(self)
        Py_DECREF(self)                 # the ring's reference
        return 0

    # the request

    cdef Peer *peer(self) noexcept:
        return &self.connection.peer

    cdef int version(self) noexcept:
        return 2

    cdef bint body_done(self) noexcept:
        return self.done

    cdef bint is_held_up(self, int64_t since) noexcept:
        return self.connection is not None and (
            self.connection.transport.unsent() > 0      # so nothing is read of it (http2_server.pyx)
            or 0 < since <= self.connection.bodies.freed or nghttp2_session_get_local_window_size(self.connection.session) <= 0)

    cdef int make_room(self) except -1:
        return self.connection.make_room()

    cdef bint is_head_only(self) noexcept:
        return self.head_only

    cdef bint takes_trailer(self) noexcept:
        return True

    cdef int consumed(self, size_t size) except -1:
        """So many bytes of the body went on: open the window by as many."""
        take(&self.input, size)
        self.arriving.moved = self.connection.worker.poller.now
        if self.input.capacity > <size_t>(IDLE_KEPT if self.connection.worker.is_pressed() else 2 * RUN) and pending(&self.input) == 0:
            release(&self.input)
        self.connection.open_window()
        nghttp2_session_consume(self.connection.session, self.number, size)
        return self.connection.wants()

    cdef int count_held(self) noexcept:
        """Count the memory that the body takes: in this leg, on its way to an endpoint, and kept for a retry."""
        cdef int64_t held = <int64_t>self.input.capacity
        if self.user is not None:
            held += min(self.arriving.handed, self.connection.worker.limits.kept_body)
            held += <int64_t>self.user.up.unsent() if self.user.up is not None else 0
        if held != self.arriving.held:
            self.connection.hold(held - self.arriving.held)
            self.arriving.held = held
        return 0

    cdef int drop_body(self) except -1:
        """Drop the rest of the body: its exchange has ended."""
        self.consumed(pending(&self.input))
        release(&self.input)
        return self.count_held()

    cdef int went_on(self, size_t size) except -1:
        """So much of the body has been handed on."""
        self.arriving.handed += <int64_t>size
        self.consumed(size)
        if self.connection.sending.ring != NULL:
            join(&self.connection.worker.clients.senders, &self.connection.sending)     # as its newest
        return 0

    cdef int fill(self, Buffer *into) except -1:
        cdef size_t size = pending(&self.input)
        if self.closed or self.arriving.refusal:
            return -2                   # it was reset, or its trailer section is too long
        if size:
            add(into, self.input.data + self.input.start, size)
            self.arriving.handed += <int64_t>size
            self.consumed(size)
            self.count_held()
        self.done = self.ended
        return self.done

    cdef int read_body(self) except -1:
        cdef size_t size
        if self.done:
            return 0                    # and was told of before
        while self.user is not None and not self.closed and self.user.takes_body():
            size = min(pending(&self.input), <size_t>RUN)
            if size:
                self.user.on_body(self.input.data + self.input.start, size)
                self.went_on(size)
                if self.user is None:
                    return 0
                if not self.ended or pending(&self.input):
                    self.user.on_body_run()
                    continue
            elif not self.ended:
                self.count_held()
                return self.user.on_body_late()
            self.count_held()
            self.done = True            # told with the last bytes: nobody would flush those, and whoever waits for room would wait for ever
            return self.end_body()
        if self.connection is not None:
            self.count_held()
        return 0

    cdef int end_body(self) except -1:
        cdef Flaw flaw = Flaw.LONG_TRAILER if self.arriving.refusal else flaw_of_trailer(&self.trailer)
        return self.user.on_body_flaw(flaw) if flaw else self.user.on_body_end()

    cdef int pass_end(self, UpLeg up) except -1:
        return up.end_body(&self.trailer, False)

    cdef int later(self) except -1:
        self.drained = True
        self.note()
        return self.connection.wants()

    # the response

    cdef size_t unsent(self) noexcept:
        return pending(&self.out)

    cdef Transport raw(self):
        return None

    cdef int keep_out(self, const char *data, size_t size) except -1:
        cdef size_t before = self.out.capacity
        if self.closed or self.connection is None or size == 0:
            return 0                    # nobody takes it
        self.connection.waiting += pending(&self.out) == 0
        add(&self.out, data, size)
        self.connection.worker.poller.kept += <int64_t>(self.out.capacity - before)
        return 0

    cdef int forget_out(self) except -1:
        """Drop what was kept for the client."""
        if self.connection is None:
            return 0
        self.connection.waiting -= pending(&self.out) > 0
        self.connection.worker.poller.kept -= <int64_t>self.out.capacity
        release(&self.out)
        return 0

    cdef int interim(self, Head *h) except -1:
        cdef Buffer *work = &self.connection.worker.work
        cdef size_t count
        if self.closed:
            return 0
        write_response(work, h, False, False, False, 2)
        count = section_of(work)
        nghttp2_submit_headers(self.connection.session, NGHTTP2_FLAG_NONE, self.number, NULL, pairs, count, NULL)
        take(work, work.end)
        return self.connection.wants()

    cdef int begin_response(self, Head *h, Framing framing, Route route, Member remembered) except -1:
        cdef Buffer *work = &self.connection.worker.work
        self.status = h.status
        self.written = True
        write_response(work, h, h.length >= 0 and h.status != 204, False, False, 2)
        if self.connects and 200 <= h.status < 300:
            self.status = 502           # no tunnel was made, and a 2xx would tell of one (RFC 8441, section 5)
            work.data[9], work.data[10], work.data[11] = c"5", c"0", c"2"
        add_own_fields(work, h, &self.connection.peer, route, remembered)
        return add(work, b"\r\n", 2)

    cdef int data(self, const char *data, size_t size) except -1:
        return self.keep_out(data, size)

    cdef int end(self, Buffer *trailer, bint drop) except -1:
        self.finished = True
        if trailer != NULL and pending(trailer) > 2:
            write_last_chunk(&self.tail, trailer, drop)
        return self.flush()

    cdef int flush(self) except -1:
        if self.closed or self.connection is None:
            return self.forget_written()
        if self.written:
            self.submit()
        elif self.submitted and (self.finished or pending(&self.out)):
            nghttp2_session_resume_data(self.connection.session, self.number)
        return self.connection.wants()

    cdef int forget_written(self) except -1:
        if self.written:
            self.written = False
            take(&self.connection.worker.work, self.connection.worker.work.end)
        return 0

    cdef int submit(self) except -1:
        """Give the head that stands in work to nghttp2."""
        cdef Buffer *work = &self.connection.worker.work
        cdef nghttp2_data_provider provider
        cdef size_t count = section_of(work)
        cdef bint bare = self.finished and pending(&self.out) == 0 and self.tail.end <= EMPTY_TAIL and not self.torn
        provider.source.ptr = <void *>self
        provider.read_callback = reader()
        nghttp2_submit_response(self.connection.session, self.number, pairs, count, NULL if bare else &provider)
        take(work, work.end)
        self.written = False
        self.submitted = True
        return 0

    cdef bint take_back(self) except -1:
        if not self.written:
            self.flush()
            return False
        self.forget_written()
        self.forget_out()
        self.finished = False
        self.tail.end = 0
        return True

    cdef int answer(self, int status, const char *error, bytes detail, int form, bytes identity) except -1:
        cdef Buffer *work = &self.connection.worker.work
        cdef Head h
        cdef int used, size
        self.status = status
        size = write_answer(work, status, error, detail, form, identity, self.head_only, False)
        used = parse_response(&h, work.data, work.end)
        self.keep_out(work.data + used, work.end - used)
        work.end = used
        self.written = self.finished = True
        self.flush()
        return size

    cdef bint may_switch(self, Head *h) except -1:
        """The endpoint has to answer the key that was made here (RFC 6455, section 4.1)."""
        return not self.connects or accepts_key(&self.head, h)

    cdef Py_ssize_t switch_protocols(self, Head *h, const char *data, size_t size) except -1:
        """For HTTP/2 it is a 200 (RFC 8441, section 5)."""
        cdef Buffer *work = &self.connection.worker.work
        self.status = 200
        write_response(work, h, False, False, False, 2)
        work.data[9], work.data[10], work.data[11] = c"2", c"0", c"0"
        self.written = self.tunnel = True
        self.keep_out(data, size)
        self.flush()
        return 0                        # carry_up takes what came of the client's

    cdef bint carry_up(self, UpLeg up, int64_t *moved) except -1:
        cdef Transport sink = up.raw()
        cdef size_t size
        while pending(&self.input) and sink.unsent() == 0:
            size = min(pending(&self.input), <size_t>RUN)
            sink.send(self.input.data + self.input.start, size)
            moved[0] += <int64_t>size
            self.went_on(size)
        self.count_held()
        if self.ended and pending(&self.input) == 0 and sink.unsent() == 0 and not sink.shut:
            sink.shut = True
            sink.end_output()
        return not (sink.shut and self.finished)

    cdef bint carry_down(self, UpLeg up, int64_t *moved) except -1:
        cdef Transport source = up.raw()
        cdef char *scratch = self.connection.worker.scratch
        cdef Py_ssize_t n
        while source.readable and not source.over and pending(&self.out) < RUN:
            n = source.receive(scratch, RUN)
            if n == -2:
                self.torn = True
                return False
            if n == -1:
                break                   # nothing now, or it has had its turn
            moved[0] += n
            self.keep_out(scratch, n)
            source.over = n == 0
        if source.over:
            self.finished = True
        self.flush()
        return not (source.shut and self.finished)

    # its end

    cdef int cut(self) except -1:
        self.torn = self.finished = True
        return self.finish()

    cdef int finish(self) except -1:
        """What is kept for the client goes down still; what comes of the request is dropped."""
        self.user = None
        if self.connection is None:
            return 0
        if self.closed:
            self.note()
            return self.connection.wants()
        if pending(&self.input):
            self.consumed(pending(&self.input))
        if self.arriving.held:
            self.count_held()
        self.finished = True            # a tunnel was not yet
        if not self.arriving.ending:
            self.arriving.ending = True     # a frame without a byte waits for a window too: nghttp2 sends none into a full one
            self.connection.waiting += 1
        return self.flush()

    cdef void ended_down(self) noexcept:
        """Its end has gone, or never will."""
        if self.arriving.ending:
            self.arriving.ending = False
            self.connection.waiting -= 1

    cdef int reset(self) except -1:
        self.user = None
        if self.connection is None:
            return 0
        self.forget_written()
        return 0 if self.closed else self.reset_stream(NGHTTP2_INTERNAL_ERROR)

    cdef int reset_stream(self, unsigned int code) except -1:
        nghttp2_submit_rst_stream(self.connection.session, NGHTTP2_FLAG_NONE, self.number, code)
        return self.connection.wants()


cdef Http2ServerLeg spare_leg():
    """One for a new request."""
    return <Http2ServerLeg>spare_legs.pop() if spare_legs else Http2ServerLeg()


def forget_spares():
    """Free those that are kept for new requests, whose memory would look as if it had leaked."""
    spare_legs.clear()


cdef int recycle(Http2ServerLeg leg) except -1:
    """Its memory is for the next one."""
    if leg.noted or leg.user is not None or len(spare_legs) >= SPARES:
        return 0
    for_next(&leg.head)
    for_next(&leg.input)
    for_next(&leg.trailer)
    for_next(&leg.tail)
    leg.arriving.refusal = leg.status = 0
    leg.arriving.handed = leg.arriving.held = leg.arriving.missing = 0
    leg.fresh = leg.ended = leg.done = leg.connects = leg.head_only = leg.tunnel = leg.arriving.trails = leg.written = leg.submitted = False
    leg.finished = leg.torn = leg.arriving.ending = leg.arriving.crowded = leg.drained = leg.closed = False
    leg.taking = Taking(0, 0)
    spare_legs.append(leg)
    return 0


cdef void for_next(Buffer *buffer) noexcept:
    buffer.start = buffer.end = 0
    if buffer.capacity > IDLE_KEPT:
        release(buffer)


cdef size_t section_of(Buffer *work) noexcept:
    """Make pairs of the head in work; how many."""
    cdef char *fields = <char *>memchr(work.data, c"\n", work.end) + 1
    pairs[0] = nghttp2_nv(<uint8_t *>b":status", <uint8_t *>(work.data + 9), 7, 3, NGHTTP2_NV_FLAG_NONE)
    return 1 + pairs_of(fields, work.end - (fields - work.data), &pairs[1])
