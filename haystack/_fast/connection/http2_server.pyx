"""A client's HTTP/2 connection (RFC 9113). nghttp2 handles frames, HPACK and windows; here, each stream is a leg of an exchange.

nghttp2's callbacks only record events. They are handled after nghttp2 has returned. Output is collected, and sent once for each batch of
the poller. A request is passed on as the equivalent HTTP/1 head (http2/fields.pyx).
"""
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from haystack._fast.connection.http2_leg cimport Http2ServerLeg, Streams, spare_leg
from haystack._fast.connection.http2_server_events cimport open_session
from haystack._fast.connection.leg cimport LegUser
from haystack._fast.connection.lingering cimport drop_input
from haystack._fast.connection.server cimport ServerConnection
from haystack._fast.connection.slow_readers cimport relieve
from haystack._fast.http2.fields cimport Pseudo, begin, drop, end_request
from haystack._fast.http2.flood cimport OF_EMPTY, OF_RESET, OF_SETTINGS, overflows
from haystack._fast.http2.nghttp2 cimport *
from haystack._fast.http2.session_memory cimport end_memory, rouse
from haystack._fast.net.epoll cimport EPOLLERR, EPOLLHUP, EPOLLOUT
from haystack._fast.net.transport cimport ConnectionState, Transport, mark_readable, step
from haystack._fast.util.buffer cimport Buffer, add, pending, take
from haystack._fast.util.linked_list cimport Link, join, leave
from haystack._fast.worker.worker_state cimport SCRATCH

cdef enum:
    BURST = 16              # reads in a row before others have their turn
    WINDOW = 262144         # bytes of a body that may come before they are asked for, on a stream
    ALL_WINDOW = 1048576    # and on all of a connection's
    WRITE = 65536           # bytes that are gathered before they are sent
    IDLE_KEPT = 4096        # capacity that a buffer at rest may keep
    NOTICE_MS = 1000        # for the client to hear that the connection ends
    LINGER_MS = 2000        # for it to read the last bytes
    MAX_TRAILER = 16384     # bytes of a trailer section, as with HTTP/1

cdef const char *NO_MEMORY = b"proxy_internal_error"


cdef int take_over(ServerConnection before, const char *data, size_t size) except -1:
    """Replace the connection `before` of a client that speaks HTTP/2. The new one first parses these bytes, which were received already."""
    cdef Http2Server after = Http2Server()
    cdef Transport transport = before.transport
    after.worker, after.handler, after.transport, after.peer = before.worker, before.handler, transport, before.peer
    transport.owner = after
    after.start()
    return after.feed(data, size) if size else 0


cdef class Http2Server(Streams):
    """A client's connection, and its streams."""

    def __cinit__(self):
        self.memory.link.owner = <void *>self

    def __dealloc__(self):
        drop(&self.section)
        self.end_session()

    cdef int start(self) except -1:
        """Send SETTINGS (RFC 9113, section 3.4)."""
        cdef nghttp2_settings_entry[5] settings
        self.session = open_session(self)
        settings[0] = nghttp2_settings_entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, <uint32_t>self.worker.limits.max_streams)
        settings[1] = nghttp2_settings_entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW)
        settings[2] = nghttp2_settings_entry(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, <uint32_t>self.worker.limits.max_head)
        settings[3] = nghttp2_settings_entry(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1)
        settings[4] = nghttp2_settings_entry(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1)
        if nghttp2_submit_settings(self.session, NGHTTP2_FLAG_NONE, settings, 5) or (
                nghttp2_session_set_local_window_size(self.session, NGHTTP2_FLAG_NONE, 0, ALL_WINDOW)):
            raise MemoryError
        self.transport.deadline = self.worker.poller.now + self.worker.limits.head_ms
        return self.drain() if self.worker.draining else self.wants()

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
            self.hold(-leg.arriving.held)
            leg.arriving.held = 0
            leg.connection = None       # else each would keep the other
            Py_DECREF(leg)              # the ring's reference
        self.coming = None
        self.noted = []
        self.end_session()
        drop(&self.section)
        return self.worker.clients.leave(self.peer.origin)

    cdef void end_session(self) noexcept:
        if self.session != NULL:
            rouse(&self.memory)
            nghttp2_session_del(self.session)
            self.session = NULL
            end_memory(&self.memory)

    cdef bint is_at_rest(self) noexcept:
        return self.state == ConnectionState.OPEN and self.legs.count == 0 and self.coming is None and self.transport.unsent() == 0 and (
            not self.transport.readable and not self.transport.holds() and self.leaving == Leaving.STAYS) and self.transport.is_empty()

    cdef bint carries(self, LegUser user) noexcept:
        cdef Link *at = self.legs.oldest
        while at != NULL:
            if (<Http2ServerLeg>at.owner).user is user:
                return True
            at = at.newer
        return False

    cdef bint is_excused(self) noexcept:
        return self.transport.unsent() == 0

    cdef int close(self) except -1:
        """Close with a GOAWAY, so that the client can repeat requests that came too late (RFC 9113, section 6.8)."""
        if self.state == ConnectionState.OPEN and self.session != NULL and self.worker.work.end == 0:
            self.state = step(self.state, ConnectionState.DRAINING)
            rouse(&self.memory)
            nghttp2_session_terminate_session(self.session, NGHTTP2_NO_ERROR)
            self.pump()
        return self.transport.close()

    cdef int cut_off(self, const char *error) except -1:
        self.transport.reset_at_close()
        self.worker.erred(error, 0)
        return self.close()

    cdef int judge(self, int64_t passed) except -1:
        """Reset streams whose window the client opens too slowly. Other streams go on."""
        cdef Link *at = self.legs.oldest
        cdef Http2ServerLeg leg
        cdef list slow = []
        while at != NULL:
            leg = <Http2ServerLeg>at.owner
            at = at.newer
            if leg.is_slow(passed):
                slow.append(leg)
        for leg in slow:
            if leg.user is None:
                leg.reset_stream(NGHTTP2_CANCEL)
            else:
                self.worker.erred(b"connection_write_timeout", leg.status)
                leg.user.end_with(b"connection_write_timeout")
        return 0

    cdef int make_room(self) except -1:
        """While what was read for others, and has not gone on, fills the window of the connection."""
        cdef Link *at = self.legs.oldest
        cdef Http2ServerLeg leg
        cdef list holding = []
        while at != NULL and nghttp2_session_get_local_window_size(self.session) <= 0:
            leg = <Http2ServerLeg>at.owner
            at = at.newer
            if pending(&leg.input) and leg.user is not None:
                holding.append(leg)
        for leg in holding:             # each may end others
            if leg.user is not None and not leg.closed:
                leg.user.give_way(leg.arriving.moved)
        return 0

    cdef int drop_uploads(self, LegUser keep) except -1:
        cdef Link *at = self.legs.oldest
        cdef Http2ServerLeg leg
        cdef list found = []
        while at != NULL:
            leg = <Http2ServerLeg>at.owner
            at = at.newer
            if leg.arriving.held and leg.user is not None and leg.user is not keep:
                found.append(leg)
        for leg in found:               # each may end others
            if leg.user is not None and not leg.closed and self.worker.poller.kept > self.worker.limits.max_kept:
                self.worker.erred(NO_MEMORY, leg.status)
                leg.user.end_with(NO_MEMORY)
                if leg.connection is not None:
                    leg.drop_body()
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
        """Continue with what was deferred: recorded events, reading, sending."""
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
        if self.coming is not None:     # nothing else can come before the rest of that head
            if self.transport.unsent() == 0:
                return self.close()
            self.transport.deadline = self.worker.poller.now + self.worker.limits.head_ms
            return 0                    # it may have come: nothing is read while bytes wait for the client
        if self.legs.count > self.trailing:
            self.transport.deadline = 0
            return 0                    # each has its own time
        if self.transport.unsent():
            self.transport.deadline = self.worker.poller.now + self.worker.limits.idle_ms
            return 0                    # slow_readers.pyx judges it
        return self.leave_for_good()

    cdef int read(self) except -1:
        """Read the received bytes and handle their events."""
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
        """Let nghttp2 parse these bytes from the client."""
        cdef ssize_t used
        leave(&self.link)
        rouse(&self.memory)
        used = nghttp2_session_mem_recv(self.session, <const uint8_t *>data, size)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        if self.flooded and not self.dismissed:
            self.dismissed = True
            self.leaving = Leaving.TOLD
            self.worker.erred(b"http_request_denied", 0)
            nghttp2_session_terminate_session(self.session, NGHTTP2_ENHANCE_YOUR_CALM)
        self.settle()
        if self.bodies.held and self.worker.is_pressed() and self.worker.poller.kept > self.worker.limits.max_kept:
            relieve(self.worker, None)
        if self.session == NULL:
            return 0
        if used < 0:
            return self.close()         # that was no HTTP/2
        return self.wants()

    cdef int settle(self) except -1:
        """Handle the recorded events. Events recorded meanwhile wait for the next call."""
        cdef list noted = self.noted
        cdef Http2ServerLeg leg
        if not noted:
            return 0
        self.noted = []
        for leg in noted:
            leg.noted = False
            leg.attend()
        return 0

    cdef int pump(self) except -1:
        """Send pending output, as much as the socket accepts."""
        cdef Transport transport = self.transport
        cdef Buffer *work = &self.worker.work
        cdef const uint8_t *data
        cdef ssize_t n
        rouse(&self.memory)
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
        """Put the connection into the list of idle clients, or of clients with unread output, or close it."""
        cdef bint over
        if self.session == NULL or self.state != ConnectionState.OPEN:
            return 0
        if self.noted:
            return self.wants()         # what follows from that comes first
        over = not nghttp2_session_want_read(self.session) and not nghttp2_session_want_write(self.session)
        if self.transport.unsent() or (self.waiting and not over):     # of a session that is over, what waits is never sent
            if self.link.ring != &self.worker.clients.readers:
                join(&self.worker.clients.readers, &self.link)
            return 0
        leave(&self.link)
        if over:
            if self.legs.count:
                return self.close()
            self.state = step(self.state, ConnectionState.LINGERING)
            self.transport.end_output()
            self.end_by = self.worker.poller.now + LINGER_MS
            return drop_input(self)
        if self.legs.count == self.trailing and self.coming is None:
            if self.transport.deadline == 0:
                self.transport.deadline = self.worker.poller.now + self.worker.limits.idle_ms
            if self.leaving == Leaving.TOLD:            # all is answered: nobody waits for ends of requests that may never come
                self.transport.deadline = min(self.transport.deadline, self.worker.poller.now + LINGER_MS)
            self.transport.shrink(IDLE_KEPT)
            drop(&self.section)
            self.memory.rested = self.worker.poller.now
            if self.memory.link.ring == NULL:
                join(&self.worker.clients.drowsy, &self.memory.link)
            return self.rest()
        return 0

    cdef int drain(self) except -1:
        """Tell the client that the connection will end: a first GOAWAY, without a last request (RFC 9113, section 6.8)."""
        if self.leaving != Leaving.STAYS or self.state != ConnectionState.OPEN:
            return 0
        self.leaving = Leaving.NOTICED
        rouse(&self.memory)
        nghttp2_submit_shutdown_notice(self.session)
        nghttp2_submit_ping(self.session, NGHTTP2_FLAG_NONE, NULL)
        self.transport.deadline = self.worker.poller.now + NOTICE_MS
        return self.wants()

    cdef int leave_for_good(self) except -1:
        """Take no further request: the second GOAWAY. The connection ends when those in flight are answered."""
        if self.leaving == Leaving.TOLD:
            self.transport.deadline = 0
            if self.legs.count > self.trailing:
                return 0
            return self.end_trailing() if self.trailing else self.close()
        self.leaving = Leaving.TOLD
        rouse(&self.memory)
        self.transport.deadline = self.worker.poller.now + self.worker.limits.idle_ms
        nghttp2_submit_goaway(
            self.session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(self.session), NGHTTP2_NO_ERROR, NULL, 0)
        return self.wants()

    cdef int end_trailing(self) except -1:
        """Reset streams that are answered but not ended by the client. The connection ends with the last of them."""
        cdef Link *at = self.legs.oldest
        while at != NULL:
            (<Http2ServerLeg>at.owner).reset_stream(NGHTTP2_NO_ERROR)
            at = at.newer
        return 0

    # what nghttp2 tells of

    cdef int open_leg(self, int32_t number) except -1:
        """A field section begins: the head of a request, or its trailers."""
        cdef Http2ServerLeg leg = spare_leg()
        leg.connection = self
        leg.number = self.newest = number
        Py_INCREF(leg)
        join(&self.legs, &leg.link)
        nghttp2_session_set_stream_user_data(self.session, number, <void *>leg)
        begin(&self.section)
        self.coming = leg
        self.transport.deadline = self.worker.poller.now + self.worker.limits.head_ms
        return 0

    cdef int on_section(self, const nghttp2_frame *frame) except -1:
        """A field section is complete."""
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
            if self.section.size > self.worker.limits.max_head or self.section.count > self.worker.limits.max_headers:
                leg.arriving.refusal = 431
                leg.arriving.crowded = self.section.size <= self.worker.limits.max_head
            elif self.section.bad:
                leg.arriving.refusal = 400
        else:
            add(&leg.trailer, b"\r\n", 2)
            if self.section.size > self.worker.limits.max_head or leg.trailer.end > MAX_TRAILER:
                leg.arriving.refusal = 431      # what is here of it may not be all
        return leg.note()

    cdef int on_chunk(self, int32_t number, const char *data, size_t size) except -1:
        """A part of a request's body was received."""
        cdef void *owner = nghttp2_session_get_stream_user_data(self.session, number)
        cdef Http2ServerLeg leg
        if owner == NULL:
            return 0
        leg = <Http2ServerLeg>owner
        if leg.user is None and not leg.fresh:
            self.open_window()
            nghttp2_session_consume(self.session, number, size)     # nobody wants it
            return self.wants()
        leg.arriving.missing += -<int64_t>size if leg.arriving.missing > 0 and not leg.fresh else <int64_t>size if leg.fresh else 0
        if pending(&leg.input) == 0:
            leg.arriving.moved = self.worker.poller.now
        add(&leg.input, data, size)
        leg.count_held()
        return leg.note()

    cdef int on_stream_closed(self, int32_t number, unsigned int code) except -1:
        cdef void *owner = nghttp2_session_get_stream_user_data(self.session, number)
        cdef Http2ServerLeg leg
        if owner == NULL:
            return 0
        leg = <Http2ServerLeg>owner
        if self.coming is leg:
            self.coming = None          # and its time is over
            self.transport.deadline = 0 if self.leaving != Leaving.NOTICED else self.transport.deadline
        if not leg.finished and (leg.fresh or leg.user is not None):
            self.charge(OF_RESET)       # whoever reset it: a client can make us do that (CVE-2025-8671)
        self.trailing -= leg.arriving.trails
        leg.arriving.trails = False
        leg.closed = True               # it stays in the ring until that has been attended to
        return leg.note()

    cdef int count_frame(self, const nghttp2_frame *frame) except -1:
        """Count frames that carry no request. Too many of them are a flood."""
        cdef int cost = 0, kind = frame.hd.type
        if kind == NGHTTP2_DATA or kind == NGHTTP2_HEADERS:
            if frame.hd.length == 0 and not frame.hd.flags & NGHTTP2_FLAG_END_STREAM:
                cost = OF_EMPTY
        elif kind == NGHTTP2_SETTINGS:
            cost = OF_SETTINGS
            if self.legs.count == 0 and self.leaving == Leaving.STAYS:
                self.transport.deadline = self.worker.poller.now + self.worker.limits.idle_ms
        else:
            cost = 1
        self.charge(cost)
        if kind == NGHTTP2_PING and frame.hd.flags & NGHTTP2_FLAG_ACK and self.leaving == Leaving.NOTICED:
            self.leave_for_good()
        return 0

    cdef void charge(self, int cost) noexcept:
        self.flooded = overflows(&self.flood, cost, self.worker.poller.now) or self.flooded
