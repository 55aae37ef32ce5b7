"""A stream to an endpoint: its request on the way, and its response, which goes on as far as the client takes it.

What came was noted by http2_client_events.pyx; `settle` does what follows. A small response is held until it is whole, as with HTTP/1:
while nothing of it went down, it can be had elsewhere. RFC 9113, section 8.
"""
from libc.stdint cimport int64_t

from haystack._fast.connection.http2_client_events cimport reader
from haystack._fast.connection.slow_readers cimport relieve
from haystack._fast.endpoint.endpoint cimport Protocol
from haystack._fast.http1.body cimport Framing
from haystack._fast.http1.flaw cimport Flaw, said
from haystack._fast.http1.head cimport Head, parse_response
from haystack._fast.http1.serialize cimport Client, flaw_of_trailer, write_last_chunk, write_request
from haystack._fast.http1.written cimport WHOLE
from haystack._fast.http2.fields cimport MAX_PAIRS, OVERHEAD
from haystack._fast.http2.nghttp2 cimport (
    NGHTTP2_CANCEL, NGHTTP2_FLAG_NONE, NGHTTP2_HTTP_1_1_REQUIRED, nghttp2_data_provider, nghttp2_nv, nghttp2_session_consume,
    nghttp2_session_resume_data, nghttp2_session_set_stream_user_data, nghttp2_submit_request, nghttp2_submit_rst_stream,
)
from haystack._fast.http2.request_head cimport pairs_of_request
from haystack._fast.net.tcp cimport untouched
from haystack._fast.net.transport cimport Transport
from haystack._fast.util.buffer cimport Buffer, add, pending, release, take
from haystack._fast.util.linked_list cimport join, leave

cdef extern from "sys/socket.h" nogil:
    enum:
        AF_UNIX

cdef enum:
    SPARE = 65536           # bytes that are kept for a client that does not take them, so that the endpoint is free again
    MAX_INTERIM = 32        # 1xx responses before the one that counts
    HELD = 32768            # a body up to this is held until it is whole,
    HELD_MS = 50            # and for so long, and until the next tick; on from there where it could be had elsewhere
    LATE_MS = 250           # without an answer, and others are asked how they do
    KEPT = 16384            # capacity that a buffer without bytes may keep
    NO_STREAM = -1          # its request is not sent

cdef nghttp2_nv[MAX_PAIRS + 4] pairs


cdef int64_t section_size(nghttp2_nv *pairs, size_t count) noexcept:
    """Of a field section, as its limit counts it (RFC 9113, section 6.5.2)."""
    cdef int64_t size = 0
    cdef size_t i
    for i in range(count):
        size += <int64_t>(pairs[i].namelen + pairs[i].valuelen) + OVERHEAD
    return size


cdef class Http2ClientLeg(UpLeg):
    """One stream. It may wait for a connection first."""

    def __cinit__(self):
        self.place.owner = self.touch.owner = self.room.owner = <void *>self
        self.request.head_at = -1

    def __dealloc__(self):
        release(&self.request.output)
        release(&self.request.ending)
        release(&self.response.heads)
        release(&self.response.input)
        release(&self.response.trailer)

    cdef bint is_connecting(self) noexcept:
        return self.stream == 0

    cdef bint is_waiting(self) noexcept:
        return self.stream != 0 and not self.started and (pending(&self.response.heads) == 0 or self.response.lasting)

    cdef Transport raw(self):
        return None

    cdef size_t unsent(self) noexcept:
        return pending(&self.request.output) - min(self.request.fresh, pending(&self.request.output))

    cdef int extend(self, int64_t ms) except -1:
        self.deadline = self.worker.poller.now + ms
        if self.connection is not None:
            self.connection.heed(self.deadline)
        return 0

    # the request

    cdef bint begin(self, Head *h, Client *client, tuple upgrade) except -1:
        """HTTP/2 has no Upgrade: a request for another protocol goes up as one without (RFC 9110, section 7.8: it may be ignored)."""
        cdef Buffer *work = &self.worker.work
        cdef size_t start = work.end, count
        cdef nghttp2_data_provider body
        write_request(work, h, client, upgrade)
        count = pairs_of_request(work.data + start, work.end - start, self.endpoint.protocol != Protocol.H2C, pairs)
        work.end = start
        self.begun = self.worker.poller.now
        if self.endpoint.http2.section and section_size(pairs, count) > self.endpoint.http2.section:
            self.stream = NO_STREAM     # who gets more than it takes may close the connection, which others share (RFC 9113, 10.5.1)
            return self.give_up(Fate.UNSENT)
        self.request.finished = not h.chunked and h.length <= 0
        body.source.ptr = NULL
        body.read_callback = reader()
        self.stream = nghttp2_submit_request(
            self.connection.session, NULL, pairs, count, NULL if self.request.finished else &body, <void *>self)
        self.extend(min(<int64_t>LATE_MS, self.user.timeout()))
        if self.stream < 0:             # the connection has had all streams that it can have
            self.connection.going = True
            return self.give_up(Fate.REFUSED)
        self.connection.schedule()
        return False

    cdef int introduce(self, const char *data, size_t size) except -1:
        return self.connection.introduce(data, size)

    cdef int send_body(self, const char *data, size_t size) except -1:
        self.request.fresh += size
        return add(&self.request.output, data, size)

    cdef int end_body(self, Buffer *trailer, bint drop) except -1:
        cdef Buffer *work = &self.worker.work
        cdef size_t start = work.end
        if self.request.finished:
            return 0
        self.request.finished = True
        if trailer != NULL and trailer.end > 2:
            write_last_chunk(work, trailer, drop)
            add(&self.request.ending, work.data + start + 3, work.end - start - 5)      # without `0 CRLF` and the empty line
            work.end = start
        return 0

    cdef int flush(self) except -1:
        self.request.fresh = 0
        if self.closed or self.connection is None:
            return 0
        if self.request.deferred and (self.request.finished or pending(&self.request.output)):
            self.request.deferred = False
            nghttp2_session_resume_data(self.connection.session, self.stream)
        return self.connection.schedule()

    cdef int let_switch(self) except -1:
        return 0

    # its time

    cdef int on_deadline(self) except -1:
        cdef int64_t now = self.worker.poller.now, looked = self.request.looked
        if self.stream == 0:
            return self.user.on_lost(True, b"connection_timeout", 504)
        if self.held:
            return self.overdue()
        if not self.started and now < self.begun + self.user.timeout():
            return self.hesitate()
        self.request.looked = self.request.moved
        # a client that does not read is slow_readers.pyx's affair
        if self.user.down.unsent() or looked < self.request.moved:
            return self.extend(self.user.timeout())
        return self.user.on_timeout()

    cdef int hesitate(self) except -1:
        """It has its time still, but should have answered: outliers.pyx looks at what others do meanwhile."""
        self.extend(self.begun + self.user.timeout() - self.worker.poller.now)
        if self.connection.times.heard < self.begun:
            self.connection.suspect()
        return self.doubt()

    cdef int doubt(self) except -1:
        """It should have answered: that counts against its endpoint."""
        if not self.late and self.unsent() == 0:
            self.late = self.user.on_late(self.begun)
        return 0

    cdef int overdue(self) except -1:
        """The rest of a response that is held does not come. It goes on with the next bytes of it, or can be had elsewhere till then."""
        if self.response.lasting:
            return self.user.on_timeout()
        self.extend(self.user.timeout())
        if self.interim or self.worker.is_pressed() or not self.user.may_leave():
            self.held = False
            self.hurried = True
            return self.settle()
        self.response.lasting = True
        self.response.had = pending(&self.response.input)
        return self.doubt()

    cdef int answered(self) noexcept:
        """It waits no more."""
        if self.late:
            self.late = False
            self.endpoint.outlier.late -= 1
        return 0

    # the response

    cdef int settle(self) except -1:
        """Tell the user of what has come, as far as the client takes it."""
        cdef bint first = not self.started
        if self.user is None or (first and not self.read_heads()):
            return 0
        if not self.relay(first):
            return 0
        if self.ended and self.fate == Fate.NO_FATE:
            return self.finish()
        if self.fate != Fate.NO_FATE:
            return self.broken()
        return self.user.on_data_run()

    cdef bint read_heads(self) except -1:
        """Tell of the heads that are there; whether the last one has gone on."""
        cdef Head h
        cdef int used
        if self.fate == Fate.MALFORMED or self.fate == Fate.LARGE:
            self.broken()
            return False
        while pending(&self.response.heads):
            used = parse_response(&h, self.response.heads.data + self.response.heads.start, pending(&self.response.heads))
            if used == 0:
                break
            if used < 0:
                self.user.on_flaw(502, b"http_protocol_error", said(b"the response's head is refused", h.flaw), True)
                return False
            if h.status >= 200:
                return self.begin_response(&h)
            self.interim += 1
            if self.interim > MAX_INTERIM:
                self.user.on_flaw(502, b"http_protocol_error", b"the endpoint sends too many interim responses", False)
                return False
            self.user.on_interim(&h)
            if self.user is None:
                return False
            take(&self.response.heads, used)
        if self.fate != Fate.NO_FATE:
            self.broken()
        return False

    cdef bint begin_response(self, Head *h) except -1:
        """Hand the head on; False: not yet, or the exchange has gone elsewhere or has ended."""
        cdef bint bodyless = self.user.is_head_only() or h.status == 204 or h.status == 304
        if self.response.bare and h.length < 0 and not bodyless:
            h.length = 0                # nothing follows, not even trailers, which is worth telling
        self.framing = Framing.NONE if bodyless else Framing.LENGTH if h.length >= 0 else Framing.CHUNKED
        if self.holds(h):
            if self.fate != Fate.NO_FATE:
                self.reused = False     # it has begun to answer: this is no old connection that had been closed
                self.broken()
            elif not self.held:
                self.held = True
                self.extend(HELD_MS)
            return False
        self.held = False
        self.left = h.length
        self.connection.proven = True
        self.answered()
        self.extend(self.user.timeout())
        if not self.user.on_response(h, self.framing, self.interim == 0):
            return False
        self.started = True
        return self.user is not None

    cdef bint holds(self, Head *h) noexcept:
        """Whether a small response of which a part is there waits for the rest."""
        cdef size_t have = pending(&self.response.input)
        if self.hurried or self.ended or self.framing != Framing.LENGTH or (self.response.lasting and have > self.response.had):
            return False
        return <int64_t>have < h.length <= HELD

    cdef bint has_to_wait(self, bint pressed) noexcept:
        """Whether the client has to take something before more of the response goes on."""
        cdef size_t unsent = self.user.down.unsent()
        return unsent > 0 and (
            pressed or unsent >= SPARE or (self.framing == Framing.LENGTH and <int64_t>unsent + self.left > SPARE))

    cdef bint relay(self, bint first) except -1:
        """Tell the user of the body; whether all that is there has gone on. first: its head is written and waits for what is sent now."""
        cdef size_t size, went = 0
        cdef bint pressed
        while pending(&self.response.input) and self.user is not None:
            pressed = self.worker.is_pressed()
            if pressed and self.worker.poller.kept > self.worker.limits.max_kept:
                relieve(self.worker, self.user)
            if not first and self.has_to_wait(pressed):
                break                   # goes on when the client has taken that
            first = False
            size = pending(&self.response.input)
            if pressed:
                size = min(size, <size_t>WHOLE)
            self.left -= <int64_t>size
            self.user.on_data(self.response.input.data + self.response.input.start, size)
            take(&self.response.input, size)
            went += size
            if self.user is not None and (pending(&self.response.input) or not self.ended):
                self.user.on_data_run()
        if went and self.user is not None:
            self.went_on(went)
        return self.user is not None and pending(&self.response.input) == 0

    cdef int went_on(self, size_t size) except -1:
        """So many bytes have gone on to the client: as many more may come."""
        if not self.ended:
            self.extend(self.user.timeout())
        if self.response.input.capacity > KEPT and pending(&self.response.input) == 0:
            self.worker.poller.kept -= <int64_t>self.response.input.capacity
            release(&self.response.input)
        if self.connection.transport.fd >= 0:
            nghttp2_session_consume(self.connection.session, self.stream, size)
            return self.connection.schedule()
        return 0

    cdef int finish(self) except -1:
        """The response is whole."""
        cdef Flaw flaw = Flaw.NO_FLAW
        if pending(&self.response.trailer):
            add(&self.response.trailer, b"\r\n", 2)
            flaw = flaw_of_trailer(&self.response.trailer)
        if flaw:
            return self.user.on_flaw(502, b"http_protocol_error", said(b"the response's trailer section is refused", flaw), True)
        return self.user.on_data_end(&self.response.trailer, False, True)

    cdef int give_up(self, Fate fate) except -1:
        """It gets no stream."""
        self.closed = True
        self.fate = fate
        join(&self.connection.touched, &self.touch)
        self.connection.schedule()
        return 0

    cdef int lose(self, Fate fate) except -1:
        """Its connection is about to end. What has come whole stays good."""
        cdef bint unseen = self.request.head_at < 0
        if self.closed:
            return 0
        self.closed = True
        if not self.ended and self.fate == Fate.NO_FATE:
            if fate != Fate.MALFORMED and not unseen and self.endpoint.sockaddr.family != AF_UNIX and self.connection.transport.fd >= 0:
                unseen = untouched(self.connection.transport.fd, self.request.head_at, fate == Fate.LOST_CLEANLY)
            self.fate = Fate.REFUSED if unseen and fate != Fate.MALFORMED else fate
        if self.touch.ring == NULL:
            join(&self.connection.touched, &self.touch)
        return 0

    cdef int broken(self) except -1:
        """The stream has ended before its response was whole."""
        cdef const char *error = b"http_protocol_error"
        if self.fate == Fate.LARGE:
            error = b"http_response_header_section_size"
            return self.user.on_flaw(502, error, b"the response's head or trailer section is too large", True)
        if self.fate == Fate.UNSENT:
            return self.user.on_flaw(431, b"http_request_error", b"the request's head is larger than the endpoint takes", False)
        if self.fate == Fate.MALFORMED:
            return self.user.on_flaw(502, error, (
                b"the endpoint breaks the rules of HTTP/2" if self.connection.greeted else b"the endpoint does not speak HTTP/2"), True)
        if self.fate == Fate.RESET and self.code == NGHTTP2_HTTP_1_1_REQUIRED:
            return self.user.on_flaw(502, error, b"the endpoint wants to be spoken to in HTTP/1.1", False)
        if self.started or self.interim:
            return self.user.on_flaw(502, b"http_response_incomplete", b"the endpoint broke off within its response", True)
        if self.fate == Fate.REFUSED and self.connection.going:
            # a connection that has done its work says nothing of its endpoint, which goes on; one that never did, or is too much, does
            self.reused = (self.reused or self.connection.proven) and not self.connection.calm
        if self.fate == Fate.RESET:
            self.reused = False         # the endpoint means this request, however old the connection is
        if pending(&self.response.heads):
            return self.user.on_lost(False, b"http_response_incomplete", 502)
        return self.user.on_lost(self.fate == Fate.REFUSED, b"connection_terminated", 502)

    cdef int read(self) except -1:
        return self.settle()

    # its end

    cdef int detach(self, bint reusable) except -1:
        cdef Http2Client connection = self.connection
        self.user = None
        self.answered()
        leave(&self.place)
        leave(&self.touch)
        leave(&self.room)
        self.worker.poller.kept -= <int64_t>self.response.input.capacity
        if connection is None:
            return 0
        if connection.transport.fd >= 0 and self.stream > 0:
            self.reset()
        release(&self.response.input)
        return connection.freed()

    cdef int reset(self) except -1:
        """The stream is nobody's any more. Bytes that have come and went nowhere give their room back all the same."""
        cdef Http2Client connection = self.connection
        if pending(&self.response.input):
            nghttp2_session_consume(connection.session, self.stream, pending(&self.response.input))
        if self.closed:
            return 0
        nghttp2_session_set_stream_user_data(connection.session, self.stream, NULL)
        nghttp2_submit_rst_stream(connection.session, NGHTTP2_FLAG_NONE, self.stream, NGHTTP2_CANCEL)
        return 0

    cdef int failed(self, object error) except -1:
        """An exception came out of its exchange, which ends with that."""
        self.worker.forget()
        self.worker.poller.on_error(error)
        return 0 if self.user is None else self.user.abort()
