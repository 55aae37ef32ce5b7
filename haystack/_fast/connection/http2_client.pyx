"""The endpoint's side in HTTP/2 (RFC 9113): a connection that carries many exchanges at once, each with a leg of its own.

What is written in a batch of the poller goes out together once that is done. Windows are given back as bytes go on to clients, so a slow
client stops its own stream alone. Never chooses an endpoint and never retries: it tells its exchanges what happened.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcmp

from haystack._fast.connection.client cimport ClientConnection, Dial
from haystack._fast.connection.http2_client_events cimport open_session
from haystack._fast.connection.http2_client_leg cimport Fate, Http2ClientLeg
from haystack._fast.connection.pool cimport fail_waiting, is_shared, provide
from haystack._fast.http2.flood cimport OF_EMPTY, overflows
from haystack._fast.http2.nghttp2 cimport (
    NGHTTP2_CANCEL, NGHTTP2_FLAG_NONE, NGHTTP2_NO_ERROR, NGHTTP2_SETTINGS_ENABLE_PUSH, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
    NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, nghttp2_session_del, nghttp2_session_mem_recv, nghttp2_session_mem_send,
    nghttp2_session_set_local_window_size, nghttp2_session_set_stream_user_data, nghttp2_session_terminate_session,
    nghttp2_session_want_read, nghttp2_session_want_write, nghttp2_settings_entry, nghttp2_submit_ping, nghttp2_submit_rst_stream,
    nghttp2_submit_settings,
)
from haystack._fast.http1.head cimport MAX_HEAD
from haystack._fast.net.epoll cimport EPOLLERR, EPOLLHUP, EPOLLOUT
from haystack._fast.net.transport cimport Transport, mark_readable
from haystack._fast.util.buffer cimport Buffer, add, take
from haystack._fast.util.linked_list cimport Link, join, leave
from haystack._fast.worker.worker_state cimport SCRATCH

cdef enum:
    BURST = 16              # reads in a row before others have their turn
    WRITTEN = 65536         # bytes that are collected before they are sent
    STREAM_WINDOW = 131072  # bytes of a response that may come ahead of its client,
    WINDOW = MAX_STREAMS * STREAM_WINDOW    # and of all: no stream's client holds up another one's
    HELLO_MS = 1000         # for connection and handshake at least, while another endpoint is there
    GREETING_MS = 100       # for the endpoint's SETTINGS, before more than one request is sent without them
    QUIET_MS = 30000        # with streams open and nothing coming, before the endpoint is asked whether it is there,
    PONG_MS = 10000         # and for its answer
    AGAIN_MS = 310000       # before it is asked again, unless a response came meanwhile: gRPC servers forgive one each five minutes
    SUSPECT_MS = 1000       # without that answer, and new requests go elsewhere
    FRESH_MS = 100          # since something came: a connection is as good as a new one


cdef class Http2Client(ClientConnection):
    """A connection to one endpoint."""

    def __cinit__(self):
        self.seat.owner = <void *>self

    def __dealloc__(self):
        if self.session != NULL:
            nghttp2_session_del(self.session)

    # who is carried

    cdef bint is_starting(self) noexcept:
        """Whether it is being set up: the endpoint has not said yet how many streams it allows."""
        return not self.over and (self.connecting or (not self.greeted and self.times.greet_by > 0))

    cdef bint is_leaving(self) noexcept:
        """Whether it will carry no further stream."""
        # with another target or protocol, the endpoint is spoken to another way by now
        return self.own or self.going or self.transport.hung_up or self.endpoint.gone or self.is_old() or (
            self.target is not self.endpoint.tls or not is_shared(self.endpoint))

    cdef int capacity(self) noexcept:
        """How many more exchanges it can carry."""
        return 0 if self.transport.fd < 0 or self.is_leaving() else self.room()

    cdef int room(self) noexcept:
        """The same, for exchanges that waited for this connection before it was to carry no further ones."""
        if self.connecting or self.going or self.transport.hung_up:
            return 0
        if self.times.pinged and self.worker.poller.now - self.times.pinged > SUSPECT_MS:
            return 0
        return max(0, self.allowed - <int>self.legs.count)

    cdef int places(self) noexcept:
        """How many waiting exchanges it will probably carry soon: while it is being set up, or if it was heard from just now."""
        if self.is_starting():
            return (self.endpoint.http2.streams or <int>MAX_STREAMS) - <int>self.legs.count
        return self.capacity() if self.worker.poller.now - self.times.heard <= FRESH_MS else 0

    cdef UpLeg lend(self):
        """A leg on a further stream; the caller has checked `capacity`."""
        cdef Http2ClientLeg leg = Http2ClientLeg()
        leg.worker = self.worker
        leg.endpoint = self.endpoint
        leg.reused = True
        self.take_in(&leg.place)
        return leg

    cdef int take_in(self, Link *place) noexcept:
        """Take this leg over."""
        (<Http2ClientLeg>place.owner).connection = self
        if self.legs.count == 0:
            leave(&self.place)
            leave(&self.link)
            self.times.busy_since = self.worker.poller.now
            self.heed(self.times.busy_since + QUIET_MS)
        join(&self.legs, place)
        return 0

    cdef int pull(self) except -1:
        """Take over legs that wait for a connection, as far as there is room."""
        cdef Http2ClientLeg leg
        if self.own:
            return 0
        while self.endpoint.http2.awaiting.oldest != NULL and self.transport.fd >= 0 and self.room() > 0:
            leg = <Http2ClientLeg>self.endpoint.http2.awaiting.oldest.owner
            self.take_in(&leg.place)
            try:
                leg.user.on_connected()
            except Exception as error:
                leg.failed(error)
        if self.endpoint.http2.awaiting.count and not self.over:
            if self.greeted and self.allowed == 0 and self.legs.count == 0:
                fail_waiting(self.endpoint, b"connection_limit_reached", 502)
            else:
                provide(self.worker, self.endpoint)
        return 0

    cdef int begin_own(self) except -1:
        """Its one exchange can begin, if it waits still."""
        cdef Http2ClientLeg leg
        if self.legs.oldest == NULL:
            return 0
        leg = <Http2ClientLeg>self.legs.oldest.owner
        try:
            leg.user.on_connected()
        except Exception as error:
            leg.failed(error)
        return 0

    cdef int fail_own(self, const char *error) except -1:
        """Tell its one exchange that there is no connection."""
        cdef Http2ClientLeg leg
        if self.legs.oldest == NULL:
            return 0
        leg = <Http2ClientLeg>self.legs.oldest.owner
        return 0 if leg.user is None else leg.user.on_lost(True, error, 502)

    cdef int freed(self) except -1:
        """A stream has ended."""
        if self.transport.fd < 0:
            return 0
        if self.legs.count or (self.endpoint.http2.awaiting.count and self.room() > 0):
            return self.schedule()
        if self.is_leaving() or self.endpoint.idle.count >= self.worker.limits.pool_size:
            return self.leave_pool()
        self.rest()
        self.times.rest_by = self.transport.deadline
        return self.schedule()

    # what happens on its socket

    cdef int on_event(self, uint32_t events) except -1:
        cdef Transport transport = self.transport
        if self.connecting:
            if not events & (EPOLLOUT | EPOLLERR | EPOLLHUP):
                return 0
            if not self.has_connected(events):
                return self.on_insecure(b"connection_refused")
            self.greet()
        mark_readable(transport, events)
        if events & EPOLLOUT:
            if transport.unsent():
                transport.flush()
            else:
                transport.writable = True
            if transport.unsent() == 0:
                self.schedule()
        return self.read() if transport.readable and transport.fd >= 0 else 0

    cdef int on_hello(self) except -1:
        """The TLS handshake begins, which takes longer than a connection alone: extend the deadlines of those that wait."""
        cdef int64_t end = self.worker.poller.now + min(<int64_t>HELLO_MS, self.worker.limits.connect_ms)
        cdef Link *at = self.legs.oldest if self.own else self.endpoint.http2.awaiting.oldest
        while at != NULL:
            (<Http2ClientLeg>at.owner).deadline = max((<Http2ClientLeg>at.owner).deadline, end)
            at = at.newer
        return self.set_deadline()

    cdef int on_insecure(self, const char *error) except -1:
        """The handshake has failed, and would fail again: fail those that wait."""
        self.over = True
        self.close()
        return self.fail_own(error) if self.own else fail_waiting(self.endpoint, error, 502)

    cdef int greet(self) except -1:
        """It is connected: send SETTINGS (section 3.4), and begin with as many requests as the endpoint allowed before."""
        cdef nghttp2_settings_entry[3] entries
        self.say_greeting()
        self.session = open_session(self)
        entries[0].settings_id, entries[0].value = NGHTTP2_SETTINGS_ENABLE_PUSH, 0
        entries[1].settings_id, entries[1].value = NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW
        entries[2].settings_id, entries[2].value = NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, MAX_HEAD
        nghttp2_submit_settings(self.session, NGHTTP2_FLAG_NONE, entries, 3)
        nghttp2_session_set_local_window_size(self.session, NGHTTP2_FLAG_NONE, 0, WINDOW)
        self.times.heard = self.worker.poller.now
        self.allowed = self.endpoint.http2.streams or 1
        self.times.greet_by = self.times.heard + GREETING_MS
        self.times.fed = True
        self.on_hello()
        self.pull()
        if self.own:
            self.begin_own()
        return self.schedule() if self.legs.count else self.freed()

    cdef int read(self) except -1:
        """Read what has come. That is never more than the windows allow, and the few frames that have none."""
        cdef Transport transport = self.transport
        cdef Py_ssize_t n
        cdef int burst = 0
        while transport.readable and transport.fd >= 0:
            burst += 1
            if burst > BURST:
                return self.schedule()
            n = transport.receive(self.worker.scratch, SCRATCH)
            if n == -1:
                break
            if n <= 0:
                return self.end(n == 0)
            self.times.heard = self.worker.poller.now
            self.times.pinged = 0
            self.watch.noticed = False
            if not self.greeted and n >= 5 and memcmp(self.worker.scratch, b"HTTP/", 5) == 0:
                self.unruly = True      # at once: most such endpoints close before nghttp2 has had its say
                return self.end(False)
            self.unruly = nghttp2_session_mem_recv(self.session, <const uint8_t *>self.worker.scratch, n) < 0 or (
                not self.watch.noticed and overflows(&self.watch.flood, OF_EMPTY, self.times.heard))
            if self.unruly:
                return self.end(False)
            self.settle()
        return self.schedule()

    cdef int settle(self) except -1:
        """Go through the legs for which something was noted. An exception ends the exchange that raised it, and no other."""
        cdef Http2ClientLeg leg
        while self.touched.oldest != NULL:
            leg = <Http2ClientLeg>self.touched.oldest.owner
            leave(&leg.touch)
            try:
                leg.settle()
            except Exception as error:
                leg.failed(error)
        return 0

    cdef int schedule(self) except -1:
        """Send what there is once this batch is done."""
        return self.worker.poller.later(self.transport) if self.transport.fd >= 0 else 0

    cdef int on_again(self) except -1:
        if self.transport.readable:
            self.read()
        if self.connecting or self.transport.fd < 0:
            return 0
        self.settle()
        self.pull()
        self.pump()
        if self.greeted and <int>self.legs.count > self.allowed and self.transport.fd >= 0 and self.transport.unsent() == 0:
            return give_back(self)
        return 0

    cdef int pump(self) except -1:
        """Send what nghttp2 has to send, as far as the socket takes it."""
        cdef Transport transport = self.transport
        cdef Buffer *work = &self.worker.work
        cdef const uint8_t *data
        cdef ssize_t n = 1
        while n > 0 and transport.fd >= 0 and transport.unsent() == 0:
            n = nghttp2_session_mem_send(self.session, &data)
            if n > 0:
                add(work, <const char *>data, n)
            if work.end and (work.end >= WRITTEN or n <= 0):
                transport.send(work.data, work.end)
                take(work, work.end)
        if n < 0:
            self.unruly = True
            return self.end(False)
        self.settle()                   # who could not be sent
        self.tell_drained()
        if transport.fd >= 0 and not nghttp2_session_want_read(self.session) and not nghttp2_session_want_write(self.session):
            self.unruly = not self.going or self.legs.count > 0
            return self.end(True)
        return 0

    cdef int tell_drained(self) except -1:
        """Tell the users whose body has gone: they may send more."""
        cdef Http2ClientLeg leg
        while self.drained.oldest != NULL:
            leg = <Http2ClientLeg>self.drained.oldest.owner
            leave(&leg.room)
            try:
                if leg.user is not None:
                    leg.user.on_upstream_room()
            except Exception as error:
                leg.failed(error)
        return 0

    # its time

    cdef void heed(self, int64_t deadline) noexcept:
        """Look at what is due then."""
        cdef Transport transport = self.transport
        if transport.fd >= 0 and (transport.deadline == 0 or deadline < transport.deadline):
            transport.deadline = deadline

    cdef int64_t quiet_since(self) noexcept:
        return max(self.times.heard, self.times.busy_since)

    cdef int64_t ask_by(self) noexcept:
        """When to send a PING."""
        return self.quiet_since() + QUIET_MS if self.times.fed else max(self.quiet_since() + QUIET_MS, self.times.asked + AGAIN_MS)

    cdef int suspect(self) except -1:
        """Send a PING, unless one is unanswered, or the last one was a short while ago."""
        cdef int64_t now = self.worker.poller.now
        if self.times.pinged or self.transport.fd < 0 or not (self.times.fed or now >= self.times.asked + AGAIN_MS):
            return 0
        self.times.pinged = self.times.asked = now
        self.times.fed = False
        nghttp2_submit_ping(self.session, NGHTTP2_FLAG_NONE, NULL)
        return self.schedule()

    cdef int on_deadline(self) except -1:
        cdef int64_t now = self.worker.poller.now
        if self.times.greet_by and now >= self.times.greet_by:
            self.times.greet_by = 0           # it may take its time; nghttp2 holds back what is more than it wants
            self.allowed = self.endpoint.http2.streams or <int>MAX_STREAMS
            self.pull()
        self.end_late()
        if self.transport.fd < 0:
            return 0
        if self.connecting and now - self.born >= self.worker.limits.connect_ms:
            return self.end(False)
        if self.legs.count == 0 and self.place.ring != NULL and now >= self.times.rest_by:
            return self.leave_pool()
        if self.legs.count and not self.connecting:     # else there is no session yet that could ask
            self.look_at_life()
        return self.set_deadline()

    cdef int end_late(self) except -1:
        """End the legs whose time is up, those that wait for a connection too."""
        cdef list late = []
        cdef Http2ClientLeg leg
        find_late(self.legs.oldest, self.worker.poller.now, late)
        find_late(self.endpoint.http2.awaiting.oldest, self.worker.poller.now, late)
        for leg in late:                # each may end others
            try:
                if leg.user is not None:
                    leg.on_deadline()
            except Exception as error:
                leg.failed(error)
        return 0

    cdef int look_at_life(self) except -1:
        """Send a PING to an endpoint that has been silent for long, and close the connection if nothing comes."""
        cdef int64_t now = self.worker.poller.now
        if self.times.pinged:
            return self.end(False) if now >= self.given_up_at() else 0
        return self.suspect() if now >= self.ask_by() else 0

    cdef int64_t given_up_at(self) noexcept:
        """When the connection counts as dead if nothing comes. A PING that was sent early, for a slow answer, does not shorten it."""
        return max(self.quiet_since() + QUIET_MS, self.times.pinged) + PONG_MS

    cdef int set_deadline(self) except -1:
        """Set the time of the next look."""
        if self.transport.fd < 0:
            return 0
        self.transport.deadline = 0
        if self.connecting:
            self.heed(self.born + self.worker.limits.connect_ms)
        if self.times.greet_by:
            self.heed(self.times.greet_by)
        if self.legs.count and not self.connecting:
            self.heed(self.given_up_at() if self.times.pinged else self.ask_by())
        elif self.place.ring != NULL:
            self.heed(self.times.rest_by)
        self.heed(first_deadline(self.legs.oldest))
        self.heed(first_deadline(self.endpoint.http2.awaiting.oldest))
        return 0

    # its end

    cdef int end(self, bint clean) except -1:
        """The connection has ended, or broke the protocol. Responses that have come whole still go to their clients. clean: with a FIN."""
        cdef Link *at = self.legs.oldest
        cdef Http2ClientLeg leg
        cdef bint silent = not self.greeted
        if self.over:
            return 0
        self.over = self.going = True
        while at != NULL:
            leg = <Http2ClientLeg>at.owner
            at = at.newer
            leg.lose(Fate.MALFORMED if self.unruly else Fate.LOST_CLEANLY if clean else Fate.LOST)
        self.close()
        self.settle()
        if self.endpoint.http2.awaiting.count == 0:
            return 0
        if silent:                      # nor will another connection do better
            return fail_waiting(self.endpoint, b"http_protocol_error" if self.unruly else b"connection_terminated", 502)
        return self.provide_another()

    cdef int provide_another(self) except -1:
        """It carries nothing any more: get another connection for those that wait."""
        if self.endpoint.http2.awaiting.count == 0 or provide(self.worker, self.endpoint) == Dial.UNDER_WAY:
            return 0
        return fail_waiting(self.endpoint, b"connection_refused", 502)

    cdef int leave_pool(self) except -1:
        self.over = True
        leave(&self.place)
        self.close()
        return self.provide_another()

    cdef int close(self) except -1:
        """Close, with a GOAWAY if nothing is in flight and the endpoint still reads."""
        cdef Transport transport = self.transport
        cdef const uint8_t *data
        cdef ssize_t n = 1
        if self.greeted and not self.going and self.legs.count == 0 and transport.fd >= 0 and transport.unsent() == 0:
            nghttp2_session_terminate_session(self.session, NGHTTP2_NO_ERROR)
            while n > 0:
                n = nghttp2_session_mem_send(self.session, &data)
                if n > 0:
                    transport.send(<const char *>data, n)
        return ClientConnection.close(self)

    cdef int on_failure(self) except -1:
        self.worker.forget()
        return self.close()

    cdef int on_closed(self) except -1:
        cdef Http2ClientLeg leg
        ClientConnection.on_closed(self)
        leave(&self.seat)
        if self.over:
            return 0
        self.over = self.going = True   # closed by somebody else than its exchanges
        while self.legs.oldest != NULL:
            leg = <Http2ClientLeg>self.legs.oldest.owner
            leave(&leg.place)
            if leg.user is not None:
                leg.user.close()
        return fail_waiting(self.endpoint, b"connection_terminated", 502) if self.endpoint.http2.all.count == 0 else 0


cdef int give_back(Http2Client client) except -1:
    """The endpoint allows fewer streams than it was given: those that nghttp2 has not begun, and may hold for ever, go elsewhere."""
    cdef Link *at = client.legs.oldest
    cdef Http2ClientLeg leg
    while at != NULL:
        leg = <Http2ClientLeg>at.owner
        at = at.newer
        if leg.stream > 0 and leg.request.head_at < 0 and not leg.closed:
            nghttp2_session_set_stream_user_data(client.session, leg.stream, NULL)
            nghttp2_submit_rst_stream(client.session, NGHTTP2_FLAG_NONE, leg.stream, NGHTTP2_CANCEL)      # nothing is sent: it is dropped
            leg.reused = True           # that says nothing against the endpoint
            leg.lose(Fate.REFUSED)
    return client.settle()


cdef int find_late(Link *at, int64_t now, list late) except -1:
    """Add those whose time is up."""
    cdef Http2ClientLeg leg
    while at != NULL:
        leg = <Http2ClientLeg>at.owner
        at = at.newer
        if leg.deadline and leg.deadline <= now:
            late.append(leg)
    return 0


cdef int64_t first_deadline(Link *at) noexcept:
    """The earliest one; far off where there is none."""
    cdef int64_t first = <int64_t>1 << 62
    while at != NULL:
        if (<Http2ClientLeg>at.owner).deadline:
            first = min(first, (<Http2ClientLeg>at.owner).deadline)
        at = at.newer
    return first
