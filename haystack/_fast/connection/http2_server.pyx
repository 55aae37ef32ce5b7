"""A client's connection in HTTP/2 (RFC 9113): nghttp2 has the frames, HPACK and windows; here are streams as legs of exchanges.

nghttp2's callbacks only note what has come. What follows from that is done once it has returned, and what is to be sent is gathered and
sent once for all that happened in a batch of the poller. A request is told of as the HTTP/1 head that says the same (http2/fields.pyx).
"""
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memchr, memcmp

from haystack._fast.connection.leg cimport LegUser, Peer, UpLeg
from haystack._fast.connection.lingering cimport drop_input
from haystack._fast.connection.own_fields cimport add_own_fields
from haystack._fast.endpoint.endpoint cimport Member, Route
from haystack._fast.http1.body cimport Framing
from haystack._fast.http1.flaw cimport Flaw, said
from haystack._fast.http1.head cimport Head, parse_request, parse_response
from haystack._fast.http1.local_reply cimport write_answer
from haystack._fast.http1.serialize cimport flaw_of_trailer, write_last_chunk, write_response
from haystack._fast.http2.fields cimport (
    MAX_PAIRS, OVERHEAD, Pseudo, accepts_key, begin, drop, end_request, pairs_of, take_field, take_trailer,
)
from haystack._fast.http2.flood cimport OF_EMPTY, OF_RESET, OF_SETTINGS, earn, overflows
from haystack._fast.http2.nghttp2 cimport *
from haystack._fast.net.transport cimport ConnectionState, Transport, mark_readable
from haystack._fast.util.buffer cimport Buffer, add, pending, release, take
from haystack._fast.util.linked_list cimport Link, join, leave
from haystack._fast.worker.worker_state cimport SCRATCH

cdef extern from "sys/epoll.h" nogil:
    enum:
        EPOLLOUT
        EPOLLERR
        EPOLLHUP

cdef enum:
    BURST = 16              # reads in a row before others have their turn
    WINDOW = 262144         # bytes of a body that may come before they are asked for, on a stream
    ALL_WINDOW = 1048576    # and on all of a connection's
    WRITE = 65536           # bytes that are gathered before they are sent
    IDLE_KEPT = 4096        # capacity that a buffer at rest may keep
    SPARES = 256            # legs that are kept for new requests
    NOTICE_MS = 1000        # for the client to hear that the connection ends
    LINGER_MS = 2000        # for it to read the last bytes
    RUN = 65536             # bytes of a body that are handed on at once
    FRAME_HEAD = 9          # bytes (RFC 9113, section 4.1)
    LAST_CHUNK = 3          # bytes before the trailer section, as HTTP/1 has it,
    EMPTY_TAIL = 5          # and of one without a field

cdef nghttp2_session_callbacks *callbacks = NULL
cdef nghttp2_option *options = NULL
cdef nghttp2_nv[MAX_PAIRS + 1] pairs
cdef list spare_legs = []


cdef int prepare() except -1:
    """What all sessions have in common, made once."""
    global callbacks, options
    if callbacks != NULL:
        return 0
    if nghttp2_session_callbacks_new(&callbacks) or nghttp2_option_new(&options):
        raise MemoryError
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers)
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header)
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame)
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame)
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame)
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data)
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close)
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data)
    nghttp2_option_set_no_auto_window_update(options, 1)
    nghttp2_option_set_no_closed_streams(options, 1)
    return 0


cdef int take_over(ServerConnection before, const char *data, size_t size) except -1:
    """The client speaks HTTP/2: its connection goes on as one, with these bytes, which came already. `before` is of no more use."""
    cdef Http2Server after = Http2Server()
    cdef Transport transport = before.transport
    after.worker, after.handler, after.transport, after.peer = before.worker, before.handler, transport, before.peer
    transport.owner = after
    after.start()
    return after.feed(data, size) if size else 0


cdef class Http2Server(ServerConnection):
    """A client's connection, and its streams."""

    def __cinit__(self):
        self.noted = []

    def __dealloc__(self):
        drop(&self.section)
        if self.session != NULL:
            nghttp2_session_del(self.session)

    cdef int start(self) except -1:
        """Say what this side holds to (RFC 9113, section 3.4)."""
        cdef nghttp2_settings_entry[5] settings
        prepare()
        if nghttp2_session_server_new2(&self.session, callbacks, <void *>self, options):
            raise MemoryError
        settings[0] = nghttp2_settings_entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, <uint32_t>self.worker.limits.max_streams)
        settings[1] = nghttp2_settings_entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW)
        settings[2] = nghttp2_settings_entry(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, <uint32_t>self.worker.limits.max_head)
        settings[3] = nghttp2_settings_entry(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1)
        settings[4] = nghttp2_settings_entry(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1)
        if nghttp2_submit_settings(self.session, NGHTTP2_FLAG_NONE, settings, 5) or (
                nghttp2_session_set_local_window_size(self.session, NGHTTP2_FLAG_NONE, 0, ALL_WINDOW)):
            raise MemoryError
        self.transport.deadline = self.worker.poller.now + self.worker.limits.head_ms
        return self.wants()

    cdef int on_closed(self) except -1:
        cdef Http2ServerLeg leg
        ServerConnection.on_closed(self)
        while self.legs.newest != NULL:
            leg = <Http2ServerLeg>self.legs.newest.owner
            leave(&leg.link)
            leg.closed = True
            if leg.user is not None:
                leg.user.close()
            leg.forget_out()
            leg.connection = None       # else each would keep the other
            Py_DECREF(leg)              # the ring's reference
        self.coming = None
        self.noted = []
        nghttp2_session_del(self.session)
        self.session = NULL
        drop(&self.section)
        return self.worker.clients.leave(self.peer.origin)

    cdef bint is_at_rest(self) noexcept:
        return self.state == ConnectionState.OPEN and self.legs.count == 0 and self.coming is None and self.transport.unsent() == 0 and (
            not self.transport.readable and not self.transport.holds() and self.leaving == Leaving.STAYS)

    cdef bint carries(self, LegUser user) noexcept:
        cdef Link *at = self.legs.oldest
        while at != NULL:
            if (<Http2ServerLeg>at.owner).user is user:
                return True
            at = at.newer
        return False

    cdef int cut_off(self, const char *error) except -1:
        self.transport.reset_at_close()
        self.worker.erred(error, 0)
        return self.close()

    cdef int judge(self, int64_t passed) except -1:
        """Streams for which the client opens no window, while others go on."""
        cdef Link *at = self.legs.oldest
        cdef Http2ServerLeg leg
        cdef list slow = []
        while at != NULL:
            leg = <Http2ServerLeg>at.owner
            at = at.newer
            if pending(&leg.out) == 0 or leg.connects:
                leg.taking = Taking(0, 0)
                continue
            leg.taking.stalled += passed
            if leg.taking.stalled >= self.worker.limits.idle_ms:
                if leg.taking.taken * 1000 < max(<int64_t>1, self.worker.limits.read_rate * leg.taking.stalled):
                    slow.append(leg)
                leg.taking = Taking(0, 0)
        for leg in slow:
            if leg.user is None:
                leg.reset_stream(NGHTTP2_CANCEL)
            else:
                self.worker.erred(b"connection_write_timeout", leg.status)
                leg.user.end_with(b"connection_write_timeout")
        return 0

    # what happens

    cdef int on_event(self, uint32_t events) except -1:
        cdef Transport transport = self.transport
        if events & (EPOLLERR | EPOLLHUP):
            return self.close()
        mark_readable(transport, events)
        if events & EPOLLOUT:
            if transport.unsent():
                transport.flush()
            else:
                transport.writable = True
            if transport.unsent() == 0:
                self.wants()
        return self.read()

    cdef int on_again(self) except -1:
        return self.on_event_again()

    cdef int on_event_again(self) except -1:
        """What was put off: the rest of what was noted and read, and what is to be sent."""
        self.settle()
        if self.transport.readable:
            self.read()
        return self.pump()

    cdef int on_failure(self) except -1:
        self.worker.forget()
        return self.close()

    cdef int on_deadline(self) except -1:
        if self.state == ConnectionState.LINGERING:
            return self.close()
        if self.leaving == Leaving.NOTICED:
            return self.leave_for_good()
        if self.transport.unsent() or self.legs.count:
            self.transport.deadline = 0 if self.coming is None else self.worker.poller.now + self.worker.limits.idle_ms
            if self.coming is None or self.transport.unsent():
                return 0                # slow_readers.pyx judges these, or their exchanges do
        return self.leave_for_good()

    cdef int read(self) except -1:
        """Read what has come, and do what follows from it."""
        cdef Transport transport = self.transport
        cdef char *scratch = self.worker.scratch
        cdef Py_ssize_t n
        cdef int burst = 0
        if self.state == ConnectionState.LINGERING:
            return drop_input(self)
        # a client that does not take what is sent to it is not read either
        while transport.readable and transport.fd >= 0 and transport.unsent() == 0:
            burst += 1
            if burst > BURST:
                return self.wants()
            n = transport.receive(scratch, SCRATCH)
            if n == -1:
                return 0
            if n <= 0:
                return self.close()
            self.feed(scratch, n)
        return 0

    cdef int feed(self, const char *data, size_t size) except -1:
        """Bytes of the client's."""
        cdef ssize_t used
        leave(&self.link)
        used = nghttp2_session_mem_recv(self.session, <const uint8_t *>data, size)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        if self.flooded and self.leaving != Leaving.TOLD:
            self.leaving = Leaving.TOLD
            self.worker.erred(b"http_request_denied", 0)
            nghttp2_session_terminate_session(self.session, NGHTTP2_ENHANCE_YOUR_CALM)
        self.settle()
        if self.session == NULL:
            return 0
        if used < 0:
            return self.close()         # that was no HTTP/2
        return self.wants()

    cdef int settle(self) except -1:
        """Do what follows from what was noted; what that notes has its turn with the next call."""
        cdef list noted = self.noted
        cdef Http2ServerLeg leg
        if not noted:
            return 0
        self.noted = []
        for leg in noted:
            leg.noted = False
            leg.attend()
        return 0

    cdef int wants(self) except -1:
        """Something is to be sent, or read: once this batch is done."""
        return self.worker.poller.later(self.transport) if self.transport.fd >= 0 else 0

    cdef int pump(self) except -1:
        """Send what is to be sent, as far as the client takes it."""
        cdef Transport transport = self.transport
        cdef Buffer *work = &self.worker.work
        cdef const uint8_t *data
        cdef ssize_t n
        while self.session != NULL and transport.unsent() == 0:
            n = nghttp2_session_mem_send(self.session, &data)
            if self.error is not None:
                error, self.error = self.error, None
                raise error
            if n < 0:
                take(work, work.end)
                return self.close()
            if n:
                add(work, <const char *>data, n)
            if (n == 0 and work.end) or work.end >= WRITE:
                transport.send(work.data, work.end)
                take(work, work.end)
            if n == 0:
                break
        return self.note_state()

    cdef int note_state(self) except -1:
        """It rests, or bytes wait for it, or it has ended."""
        if self.session == NULL or self.state != ConnectionState.OPEN:
            return 0
        if self.noted:
            self.wants()
        if self.transport.unsent() or self.waiting:
            if self.link.ring != &self.worker.clients.readers:
                join(&self.worker.clients.readers, &self.link)
            return 0
        leave(&self.link)
        if not nghttp2_session_want_read(self.session) and not nghttp2_session_want_write(self.session):
            self.state = ConnectionState.LINGERING
            self.transport.end_output()
            self.end_by = self.worker.poller.now + LINGER_MS
            return drop_input(self)
        if self.legs.count == 0 and self.coming is None:
            if self.transport.deadline == 0:
                self.transport.deadline = self.worker.poller.now + self.worker.limits.idle_ms
            self.transport.shrink(IDLE_KEPT)
            return self.rest()
        return 0

    cdef int drain(self) except -1:
        """Tell the client that the connection will end; which request is the last it hears once it knows (RFC 9113, section 6.8)."""
        if self.leaving != Leaving.STAYS or self.state != ConnectionState.OPEN:
            return 0
        self.leaving = Leaving.NOTICED
        nghttp2_submit_shutdown_notice(self.session)
        nghttp2_submit_ping(self.session, NGHTTP2_FLAG_NONE, NULL)
        self.transport.deadline = self.worker.poller.now + NOTICE_MS
        return self.wants()

    cdef int leave_for_good(self) except -1:
        """Take no further request. What is in flight is answered; then it ends."""
        if self.leaving == Leaving.TOLD:
            return 0 if self.legs.count else self.close()
        self.leaving = Leaving.TOLD
        self.transport.deadline = self.worker.poller.now + self.worker.limits.idle_ms
        nghttp2_submit_goaway(
            self.session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(self.session), NGHTTP2_NO_ERROR, NULL, 0)
        return self.wants()

    # what nghttp2 tells of

    cdef int open_leg(self, int32_t number) except -1:
        """A field section begins: of a request, or of one's trailers."""
        cdef Http2ServerLeg leg = <Http2ServerLeg>spare_legs.pop() if spare_legs else Http2ServerLeg()
        leg.connection = self
        leg.number = number
        Py_INCREF(leg)
        join(&self.legs, &leg.link)
        nghttp2_session_set_stream_user_data(self.session, number, <void *>leg)
        begin(&self.section)
        self.coming = leg
        self.transport.deadline = self.worker.poller.now + self.worker.limits.head_ms
        return 0

    cdef int on_section(self, const nghttp2_frame *frame) except -1:
        """A field section is whole."""
        cdef Http2ServerLeg leg = self.coming
        cdef Buffer spare
        if leg is None:
            return 0
        self.coming = None
        if self.leaving != Leaving.NOTICED:
            self.transport.deadline = 0
        leg.ended = frame.hd.flags & NGHTTP2_FLAG_END_STREAM != 0
        if frame.headers.cat == NGHTTP2_HCAT_REQUEST:
            leg.connects = self.section.sizes[<int>Pseudo.PROTOCOL] >= 0
            end_request(&self.section, leg.ended)
            spare = leg.head
            leg.head = self.section.head
            self.section.head = spare
            leg.fresh = True
            if self.section.size > self.worker.limits.max_head or self.section.count > self.worker.limits.max_headers + <int>Pseudo.PSEUDOS:
                leg.refusal = 431
            elif self.section.bad:
                leg.refusal = 400
        else:
            add(&leg.trailer, b"\r\n", 2)
        return leg.note()

    cdef int on_chunk(self, int32_t number, const char *data, size_t size) except -1:
        """A part of a body."""
        cdef Http2ServerLeg leg = <Http2ServerLeg>nghttp2_session_get_stream_user_data(self.session, number)
        if leg.user is None and not leg.fresh:
            nghttp2_session_consume(self.session, number, size)     # nobody wants it
            return self.wants()
        add(&leg.input, data, size)
        return leg.note()

    cdef int on_stream_closed(self, int32_t number, unsigned int code) except -1:
        cdef void *owner = nghttp2_session_get_stream_user_data(self.session, number)
        cdef Http2ServerLeg leg
        if owner == NULL:
            return 0
        leg = <Http2ServerLeg>owner
        if self.coming is leg:
            self.coming = None
        leg.closed = True
        leave(&leg.link)
        leg.note()
        Py_DECREF(leg)                  # the ring's reference
        return 0

    cdef int count_frame(self, const nghttp2_frame *frame) except -1:
        """What carries no request costs the client."""
        cdef int cost = 0, kind = frame.hd.type
        cdef void *owner
        if kind == NGHTTP2_DATA or kind == NGHTTP2_HEADERS:
            if frame.hd.length == 0 and not frame.hd.flags & NGHTTP2_FLAG_END_STREAM:
                cost = OF_EMPTY
        elif kind == NGHTTP2_RST_STREAM:
            owner = nghttp2_session_get_stream_user_data(self.session, frame.hd.stream_id)
            cost = OF_RESET if owner != NULL and not (<Http2ServerLeg>owner).finished else 1
        elif kind == NGHTTP2_SETTINGS:
            cost = OF_SETTINGS
        else:
            cost = 1
        if cost and overflows(&self.flood, cost, self.worker.poller.now):
            self.flooded = True
        if kind == NGHTTP2_PING and frame.hd.flags & NGHTTP2_FLAG_ACK and self.leaving == Leaving.NOTICED:
            self.leave_for_good()
        return 0


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
        """Something has happened to it, that is looked at by and by."""
        if not self.noted and self.connection is not None:
            self.noted = True
            self.connection.noted.append(self)
        return 0

    cdef int attend(self) except -1:
        """Look at what has happened."""
        cdef bint drained = self.drained
        self.drained = False
        if self.connection is None:
            return 0                    # the connection has ended meanwhile
        if self.closed:
            if self.user is not None:
                self.user.abort()       # the client does not want it any more
            return self.retire()
        if self.fresh:
            self.fresh = False
            return self.open()
        if self.user is not None and drained:
            self.user.on_room()
            if self.user is not None and not self.closed:
                self.user.on_drained()
        if self.user is not None and not self.closed and (pending(&self.input) or self.ended) and not self.done:
            return self.user.tunnel_up() if self.connects and self.submitted else self.user.body_ready()
        return 0

    cdef int open(self) except -1:
        """Hand the request on."""
        cdef Http2Server connection = self.connection
        cdef Head h
        cdef int used = parse_request(&h, self.head.data, self.head.end)
        self.status = 0
        self.done = self.connects or (self.ended and pending(&self.input) == 0)
        self.head_only = used > 0 and h.method_size == 4 and memcmp(h.method, b"HEAD", 4) == 0
        if self.refusal:
            used = -self.refusal
            h.flaw = Flaw.LARGE_HEAD if self.refusal == 431 else h.flaw
        if used > 0:
            return connection.handler.on_request(self, &h, used)
        return connection.handler.on_bad_request(
            self, -used if used else 400, b"http_request_error", said(b"the request's head is refused", h.flaw))

    cdef int retire(self) except -1:
        """The stream is closed, and nobody has anything to do with it: its memory is for the next one."""
        self.forget_out()
        self.connection = None
        return recycle(self)

    # the request

    cdef Peer *peer(self) noexcept:
        return &self.connection.peer

    cdef int version(self) noexcept:
        return 2

    cdef bint body_done(self) noexcept:
        return self.done

    cdef bint is_head_only(self) noexcept:
        return self.head_only

    cdef bint takes_trailer(self) noexcept:
        return True

    cdef int consumed(self, size_t size) except -1:
        """So much of the body went on: the client may send as much again."""
        take(&self.input, size)
        nghttp2_session_consume(self.connection.session, self.number, size)
        return self.connection.wants()

    cdef int fill(self, Buffer *into) except -1:
        cdef size_t size = pending(&self.input)
        if self.closed:
            return -2
        if size:
            add(into, self.input.data + self.input.start, size)
            self.consumed(size)
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
                self.consumed(size)
                if self.user is not None and not (self.ended and pending(&self.input) == 0):
                    self.user.on_body_run()
                continue
            if not self.ended:
                return self.user.on_body_late()
            self.done = True
            return self.end_body()
        return 0

    cdef int end_body(self) except -1:
        cdef Flaw flaw = flaw_of_trailer(&self.trailer)
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
        """What was kept for the client is nobody's any more."""
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
        provider.read_callback = read_data
        nghttp2_submit_response(self.connection.session, self.number, pairs, count, NULL if bare else &provider)
        take(work, work.end)
        self.written = False
        self.submitted = True
        if bare and not self.ended:
            self.reset_stream(NGHTTP2_NO_ERROR)     # the rest of the request is nobody's (RFC 9113, section 8.1)
        return 0

    cdef bint take_back(self) except -1:
        if not self.written:
            self.flush()
            return False
        self.forget_written()
        self.forget_out()
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
        self.written = True
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
            self.consumed(size)
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
            if n > 0:
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
        if self.connection is None or self.closed:
            return 0
        if pending(&self.input):
            self.consumed(pending(&self.input))
        if not self.finished:
            self.finished = True        # of a tunnel
        return self.flush()

    cdef int reset(self) except -1:
        self.user = None
        if self.connection is None:
            return 0
        self.forget_written()
        return 0 if self.closed else self.reset_stream(NGHTTP2_INTERNAL_ERROR)

    cdef int reset_stream(self, unsigned int code) except -1:
        nghttp2_submit_rst_stream(self.connection.session, NGHTTP2_FLAG_NONE, self.number, code)
        return self.connection.wants()


cdef int recycle(Http2ServerLeg leg) except -1:
    """Its memory is for the next one."""
    if leg.noted or leg.user is not None or len(spare_legs) >= SPARES:
        return 0
    for_next(&leg.head)
    for_next(&leg.input)
    for_next(&leg.trailer)
    for_next(&leg.tail)
    leg.refusal = leg.status = 0
    leg.fresh = leg.ended = leg.done = leg.connects = leg.head_only = leg.written = leg.submitted = False
    leg.finished = leg.torn = leg.drained = leg.closed = False
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


# What nghttp2 calls. An exception is kept for who has called it.

cdef int failed(Http2Server connection, object error) noexcept:
    connection.error = error
    return NGHTTP2_ERR_CALLBACK_FAILURE


cdef int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) noexcept:
    cdef Http2Server connection = <Http2Server>user
    cdef void *owner
    try:
        if frame.headers.cat == NGHTTP2_HCAT_REQUEST:
            return connection.open_leg(frame.hd.stream_id)
        owner = nghttp2_session_get_stream_user_data(session, frame.hd.stream_id)
        connection.coming = None if owner == NULL else <Http2ServerLeg>owner
        begin(&connection.section)
        return 0
    except BaseException as error:
        return failed(connection, error)


cdef int on_header(
    nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
    const uint8_t *value, size_t value_size, uint8_t flags, void *user
) noexcept:
    cdef Http2Server connection = <Http2Server>user
    try:
        if connection.section.size > connection.worker.limits.max_head or connection.coming is None:
            return 0                    # it is refused, and what it holds is not kept
        if frame.headers.cat == NGHTTP2_HCAT_REQUEST:
            return take_field(&connection.section, <const char *>name, name_size, <const char *>value, value_size)
        connection.section.size += <int>(name_size + value_size) + OVERHEAD
        return take_trailer(&connection.coming.trailer, <const char *>name, name_size, <const char *>value, value_size)
    except BaseException as error:
        return failed(connection, error)


cdef int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *user) noexcept:
    cdef Http2Server connection = <Http2Server>user
    if head.type == NGHTTP2_CONTINUATION and overflows(&connection.flood, OF_EMPTY, connection.worker.poller.now):
        connection.flooded = True
    return 0


cdef int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code, void *user) noexcept:
    cdef Http2Server connection = <Http2Server>user
    if overflows(&connection.flood, OF_SETTINGS, connection.worker.poller.now):
        connection.flooded = True
    return 0


cdef int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) noexcept:
    cdef Http2Server connection = <Http2Server>user
    cdef void *owner
    try:
        connection.count_frame(frame)
        if frame.hd.type == NGHTTP2_HEADERS:
            return connection.on_section(frame)
        if frame.hd.type == NGHTTP2_DATA and frame.hd.flags & NGHTTP2_FLAG_END_STREAM:
            owner = nghttp2_session_get_stream_user_data(session, frame.hd.stream_id)
            if owner != NULL:
                (<Http2ServerLeg>owner).ended = True
                return (<Http2ServerLeg>owner).note()
        return 0
    except BaseException as error:
        return failed(connection, error)


cdef int on_data(
    nghttp2_session *session, uint8_t flags, int32_t number, const uint8_t *data, size_t size, void *user
) noexcept:
    cdef Http2Server connection = <Http2Server>user
    try:
        return connection.on_chunk(number, <const char *>data, size)
    except BaseException as error:
        return failed(connection, error)


cdef int on_close(nghttp2_session *session, int32_t number, uint32_t code, void *user) noexcept:
    cdef Http2Server connection = <Http2Server>user
    try:
        return connection.on_stream_closed(number, code)
    except BaseException as error:
        return failed(connection, error)


cdef ssize_t read_data(
    nghttp2_session *session, int32_t number, uint8_t *into, size_t room, uint32_t *flags, nghttp2_data_source *source, void *user
) noexcept:
    """How much of a body may go in the next frame: no more than there is."""
    cdef Http2ServerLeg leg = <Http2ServerLeg>source.ptr
    cdef size_t size = pending(&leg.out)
    flags[0] = NGHTTP2_DATA_FLAG_NO_COPY
    if size > room:
        return <ssize_t>room
    if not leg.finished:
        return <ssize_t>size if size else NGHTTP2_ERR_DEFERRED
    if leg.torn:
        return <ssize_t>size if size else NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE     # becomes RST_STREAM
    flags[0] |= NGHTTP2_DATA_FLAG_EOF
    if leg.tail.end > EMPTY_TAIL:
        flags[0] |= NGHTTP2_DATA_FLAG_NO_END_STREAM
        nghttp2_submit_trailer(session, number, &pairs[1], pairs_of(leg.tail.data + LAST_CHUNK, leg.tail.end - LAST_CHUNK, &pairs[1]))
    if not leg.ended:
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, number, NGHTTP2_NO_ERROR)     # RFC 9113, section 8.1
    return <ssize_t>size


cdef int send_data(
    nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t size, nghttp2_data_source *source, void *user
) noexcept:
    """Write a frame of a body: its head, and behind it what `read_data` has told of."""
    cdef Http2Server connection = <Http2Server>user
    cdef Http2ServerLeg leg = <Http2ServerLeg>source.ptr
    cdef Buffer *work = &connection.worker.work
    try:
        add(work, <const char *>head, FRAME_HEAD)
        add(work, leg.out.data + leg.out.start, size)
        take(&leg.out, size)
        leg.taking.taken += <int64_t>size
        earn(&connection.flood, 1)
        if size and pending(&leg.out) == 0:
            connection.waiting -= 1
            leg.drained = True
            leg.note()
        return 0
    except BaseException as error:
        return failed(connection, error)
