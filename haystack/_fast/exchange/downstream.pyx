"""The client's side of an exchange: reads heads of requests, finds their route, answers where no endpoint can, and ends the connection.

upload.pyx sends on what follows a head, dispatch.pyx finds the endpoint. Status and error words: RFC 9110 section 15, RFC 9209 section 2.3.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memchr, memcmp, memcpy

from haystack._fast.balance.affinity cimport recalled, request_key
from haystack._fast.exchange.exchange cimport State, is_idempotent
from haystack._fast.exchange.pending cimport PendingState, Reason
from haystack._fast.exchange.retry cimport RetryState
from haystack._fast.exchange.upgrade cimport offer
from haystack._fast.exchange.upload cimport Upload
from haystack._fast.exchange.worker_state cimport SCRATCH
from haystack._fast.http1.body cimport Framing, begin
from haystack._fast.http1.flaw cimport Flaw, said
from haystack._fast.http1.forwarding cimport came_round, find_client
from haystack._fast.http1.head cimport Head, MAX_HEAD, parse_request
from haystack._fast.http1.local_reply cimport Form, form_of, request_id_of, write_answer
from haystack._fast.http1.serialize cimport Client, write_request
from haystack._fast.http1.target cimport NO_LIMIT, asks_health, authority_end, forwards_left
from haystack._fast.net.networks cimport Right
from haystack._fast.net.poller cimport Stream, clock_ns, mark_readable
from haystack._fast.net.tcp cimport unacknowledged
from haystack._fast.routing.router import BadHostError
from haystack._fast.util.buffer cimport add, pending, release, take
from haystack._fast.util.digits cimport write_hex
from haystack._fast.util.linked_list cimport join, leave
from haystack._fast.util.random_numbers cimport next_random

cdef extern from "sys/epoll.h" nogil:
    enum:
        EPOLLOUT
        EPOLLERR
        EPOLLHUP
cdef extern from "sys/socket.h" nogil:
    enum:
        SOL_SOCKET
        SO_LINGER
        SHUT_WR
        MSG_PEEK
        MSG_DONTWAIT
    struct linger:
        int l_onoff
        int l_linger
    int setsockopt(int, int, int, const void *, unsigned int)
    int shutdown(int, int)
    ssize_t recv(int, void *, size_t, int)

cdef enum:
    BURST = 16              # reads in a row before others have their turn
    LINGER_MS = 30000       # that a client may go on sending what nobody wants before its connection is closed, as with nginx;
    LINGER_QUIET_MS = 5000  # without a byte it has so long,
    LINGER_DRAINED_MS = 2000    # and so long where this worker is about to end;
    LINGER_BYTES = 268435456    # and it may send so much
    IDLE_KEPT = 4096        # capacity that an idle connection's buffer may keep

cdef bytes NOT_FOUND = b"no service has this host name and path"


cdef class Downstream(Upload):
    """A client's connection."""

    def __cinit__(self):
        self.counted = True

    cdef int close(self) except -1:
        if self.fd >= 0:
            self.plane.leave(self.origin)
        return Stream.close(self)

    cdef bint is_at_rest(self) noexcept:
        """Whether it has no request, not even one that was not read yet: it may be closed (RFC 9112, section 9.5)."""
        cdef char byte
        return self.state == State.IDLE and pending(&self.input) == 0 and self.unsent() == 0 and not self.readable and (
            recv(self.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)

    cdef int rest(self) noexcept:
        """It has no request from now on, and has taken every answer."""
        self.shrink(IDLE_KEPT)
        join(&self.plane.idle, &self.link)
        return 0

    cdef void blocked(self) noexcept:
        Stream.blocked(self)
        join(&self.plane.readers, &self.link)

    cdef int on_event(self, uint32_t events) except -1:
        if events & EPOLLERR or (events & EPOLLHUP and self.state != State.TUNNEL):
            return self.abort()
        mark_readable(self, events)
        if events & EPOLLOUT:
            if self.unsent():
                self.drained()
            else:
                self.writable = True
        if self.readable and self.fd >= 0:
            self.proceed()
        if self.hung_up and self.fd >= 0 and not self.watched:
            self.watched = True
            self.plane.leaving.append(self)
        return 0

    cdef int on_again(self) except -1:
        if self.state == State.QUEUED:
            return self.look_again() if self.roused else 0
        return self.proceed()

    cdef int on_failure(self) except -1:
        take(&self.plane.work, self.plane.work.end)     # what was half written is nobody else's
        return self.abort()

    cdef int on_deadline(self) except -1:
        if self.unsent() and (self.state == State.IDLE or self.state == State.CLOSING):
            self.deadline = self.poller.now + self.plane.idle_ms
            return 0                    # slow_readers.pyx judges by what it has taken: our kernel may tell of no room for minutes
        if self.state == State.IDLE and pending(&self.input):
            self.keep_alive = self.head_only = False
            self.begin_headless()
            return self.fail(408, b"connection_read_timeout", b"the request's head took too long")
        if self.state == State.GATHERING or self.state == State.EXCHANGING:
            return self.check_rate()
        if self.state == State.QUEUED:
            return self.waited()
        if self.state == State.WAITING and self.up is None:
            return self.suspected()
        if self.state == State.CLOSING and self.unsent() == 0:
            return self.end()
        return self.abort()

    cdef int proceed(self) except -1:
        """The client has sent something, or what it sent before can be looked at now."""
        if self.state == State.IDLE:
            return self.read_head()
        if self.state == State.GATHERING:
            return self.gather()
        if self.state == State.EXCHANGING:
            return self.pump()
        if self.state == State.TUNNEL:
            return self.tunnelled()
        if self.state == State.LINGERING:
            return self.drop_input()
        return 0

    cdef int drained(self) except -1:
        """The client takes bytes again."""
        self.flush()
        if self.up is not None and not self.up.connecting:
            self.up.deadline = self.poller.now + (self.plane.tunnel_ms if self.state == State.TUNNEL else self.route.timeout_ms)
        if self.deadline:
            self.deadline = self.poller.now + self.plane.idle_ms
        if self.unsent():
            return 0
        leave(&self.link)
        if self.state == State.CLOSING:
            return self.end()
        if self.state == State.IDLE:
            self.rest()
            return self.proceed()
        if self.up is not None and (self.up.readable or self.state == State.TUNNEL):
            return self.up.read()
        return 0

    cdef int read_head(self) except -1:
        """Read until a head is whole, and begin its exchange. What follows the head stays in input."""
        cdef char *data = self.plane.scratch
        cdef size_t size
        cdef Py_ssize_t n
        cdef int used
        cdef Head h
        while True:
            if self.unsent():
                return 0                # a client that does not read its answers is not read either
            size = pending(&self.input)
            if size:
                memcpy(data, self.input.data + self.input.start, size)
            if self.unparsed:
                self.unparsed = False
            else:
                if not self.readable:
                    return 0
                # an incomplete head of MAX_HEAD bytes was refused, so there is room
                n = self.receive(data + size, MAX_HEAD - size)
                if n == -1:
                    return 0
                if n <= 0:
                    return self.abort()
                size += n
            leave(&self.link)
            used = parse_request(&h, data, size)
            used = self.within_limits(&h, used, data, size)
            if used:
                break
            take(&self.input, pending(&self.input))
            add(&self.input, data, size)
            if not self.in_head:
                self.in_head = True
                self.deadline = self.poller.now + self.plane.head_ms
        take(&self.input, pending(&self.input))
        self.in_head = False
        self.deadline = 0
        if used < 0:
            return self.refuse_head(-used, h.flaw)
        if <size_t>used < size:
            add(&self.input, data + used, size - used)
            self.unparsed = True
        self.plane.head = &h
        try:
            return self.begin_exchange(&h)
        finally:
            self.plane.head = NULL

    cdef int within_limits(self, Head *h, int used, const char *data, size_t size) noexcept:
        """`used` as it is, or minus 414 or 431 where the head, or what there is of it, is longer than it may be."""
        cdef int64_t limit = self.plane.max_head
        if used < 0 or (used == 0 and <int64_t>size < limit) or (0 < used <= limit and h.count <= self.plane.max_headers):
            return used
        if memchr(data, c'\n', min(<int64_t>size, limit)) == NULL:
            h.flaw = Flaw.LONG_LINE     # which has a status of its own (RFC 9112, section 3)
            return -414
        h.flaw = Flaw.LARGE_HEAD if used > limit or used == 0 else Flaw.MANY_FIELDS
        return -431

    cdef int refuse_head(self, int status, Flaw flaw) except -1:
        self.keep_alive = self.head_only = False
        self.minor = 1
        self.body.done = False
        self.begin_headless()
        return self.fail(status, b"http_request_error", said(b"the request's head is refused", flaw))

    cdef int reset(self, Head *h) except -1:
        """Begin the exchange of the request whose head is h."""
        cdef bint idempotent
        self.t_start = clock_ns()
        self.t_routed = self.t_connected = self.t_first = 0
        self.route = None
        self.status = self.failure = self.candidates.tries = 0
        self.error = b""
        self.received = self.sent = 0
        self.answered = self.bare = False
        self.wait = PendingState(Reason.NOTHING, False, 0, 0)
        self.queue = None
        self.minor = h.minor
        self.chunked = h.chunked
        self.drop_trailer = h.names_hops
        self.keep_alive = not h.close and (h.minor == 1 or h.keep_alive)
        self.head_only = h.method_size == 4 and memcmp(h.method, b"HEAD", 4) == 0
        idempotent = is_idempotent(h.method, h.method_size)
        self.retries = RetryState(idempotent, idempotent and h.method[0] in b"GHO", False, False, 0)    # of these, GET, HEAD and OPTIONS
        self.expects = h.expect and h.minor == 1
        begin(&self.body, Framing.CHUNKED if h.chunked else Framing.LENGTH if h.length >= 0 else Framing.NONE, h.length)
        return 0

    cdef int find_route(self, Head *h, bint *absolute) except -1:
        """Set route; 0: answered already. An absolute target's host is the Host (RFC 9112, section 3.2.2)."""
        cdef int path = 0
        absolute[0] = False
        if h.method_size == 7 and memcmp(h.method, b"CONNECT", 7) == 0:
            # for proxies that tunnel (RFC 9110, section 9.3.6); and an origin must not take it for one
            return self.refuse(h, 501, b"this proxy does not support CONNECT")
        if h.target[0] == c'*':
            if h.target_size > 1 or h.method_size != 7 or memcmp(h.method, b"OPTIONS", 7) != 0:
                return self.refuse(h, 400, b"only OPTIONS may have the target *")      # RFC 9112, section 3.2.4
        elif h.target[0] != c'/':
            path = authority_end(h)
            absolute[0] = True
            if path <= 7:
                return self.refuse(h, 400, b"the request's target is not one this proxy serves")
        try:
            if absolute[0]:
                if h.host_size >= 0:
                    self.plane.find(self.listener, h.host, h.host_size, NULL, 0)    # not used, but it has to be a good one
                h.host = h.target + 7
                h.host_size = path - 7
            self.route = self.plane.find(self.listener, h.host, max(h.host_size, 0), h.target + path, h.target_size - path)
        except BadHostError as error:
            return self.refuse(h, 400, b"Host is not a host: %s" % str(error).encode())
        return 1

    cdef int begin_headless(self) except -1:
        """Tell of a request whose head could not be read, where every exchange is told of."""
        return self.begin_record(NULL, NULL) if self.plane.told(None) else 0

    cdef int refuse(self, Head *h, int status, bytes detail) except -1:
        """Answer a request that is not one for this proxy, and close; 0."""
        if self.plane.told(None):
            self.begin_record(h, NULL)
            self.t_routed = self.t_start
        self.keep_alive = False
        self.fail(status, b"http_request_error", detail)
        return 0

    cdef int begin_exchange(self, Head *h) except -1:
        """Route the request whose head is h (in scratch), write its new head, and send it to an endpoint."""
        cdef Client client
        cdef char *identity = self.plane.identity
        self.reset(h)
        write_hex(identity, next_random())
        write_hex(identity + 16, next_random())
        if not self.find_route(h, &client.absolute):
            return 0
        self.identify(h, &client)
        if self.plane.told(self.route):
            self.begin_record(h, identity)
        self.t_routed = clock_ns() if self.note.end else self.t_start
        if self.route is None or (self.route.guard & ~self.rights and not self.is_health(h)):
            return self.lead_nowhere()
        if h.via and came_round(h, PyBytes_AS_STRING(self.route.via), PyBytes_GET_SIZE(self.route.via)):
            return self.fail(508, b"proxy_loop_detected", b"loop: an endpoint of this service has sent the request back")
        client.forwards = forwards_left(h)
        if client.forwards < NO_LIMIT or client.forwards == 0:
            return self.answer_last(h, client.forwards)
        client.forwards = max(NO_LIMIT, client.forwards - 1)
        self.candidates.key = request_key(self.route, h, self.address, self.address_size)
        self.named = recalled(self.route, h)
        client.port = self.plane.ports[self.listener]
        client.via = PyBytes_AS_STRING(self.route.via)
        client.via_size = PyBytes_GET_SIZE(self.route.via)
        # which HTTP/1.0 knows nothing of (RFC 9110, section 7.8)
        self.upgrade = h.upgrade and h.minor == 1 and offer(&self.plane.work, h, self.route)
        client.offer = &self.plane.work if self.upgrade else NULL
        client.request_id = identity
        write_request(&self.request, h, &client)
        take(&self.plane.work, self.plane.work.end)
        if self.body.framing == Framing.LENGTH and not self.body.done and self.body.left <= self.plane.kept_body and not h.expect:
            self.state = State.GATHERING
            return self.gather()
        return self.seek()

    cdef int identify(self, Head *h, Client *client) except -1:
        """Find out whose request it is, and what that client may."""
        client.address, client.address_size = self.address, self.address_size
        client.trusted, client.rights = self.trusted, self.own_rights
        find_client(h, client, self.plane.networks)
        self.rights = client.rights
        return 0

    cdef bint is_health(self, Head *h) noexcept:
        """Whether the request asks Haystack itself how it is: everybody may, and is led to where nothing more is known."""
        if self.plane.router.health is None or not self.route.guard & (<int>Right.ADMIN | <int>Right.NOBODY) or not asks_health(h):
            return False
        self.route = self.plane.router.health
        return True

    cdef int lead_nowhere(self) except -1:
        """No service has this host and path, or none that this client may know of: the answer is the same, and only the log tells which."""
        cdef bint withheld = self.route is not None
        self.route = None
        if self.plane.early:
            return self.fail(503, b"destination_unavailable", b"no source of containers has been listed yet")
        if not withheld:
            return self.fail(404, b"destination_not_found", NOT_FOUND)
        self.plane.erred(b"destination_not_found", 404)
        self.detail = b"this client has no access to this name (HAYSTACK_ALLOW, HAYSTACK_ADMIN_ALLOW)"
        return self.answer(404, b"destination_not_found", NOT_FOUND)

    cdef int answer_last(self, Head *h, int64_t forwards) except -1:
        """Answer a TRACE or OPTIONS that may go no further, as who receives it last (RFC 9110, section 7.6.2)."""
        if forwards < NO_LIMIT:
            return self.fail(400, b"http_request_error", b"Max-Forwards is not a number")
        if h.method[0] == c'T':
            # a reflected request shows scripts what they may not read, as cookies (section 9.3.8); nginx has no TRACE either
            return self.fail(501, b"http_request_error", b"this proxy does not support TRACE")
        return self.answer(200, b"", b"Max-Forwards is 0, so this is the proxy's own answer")

    cdef int fail(self, int status, const char *error, bytes detail) except -1:
        self.plane.erred(error, self.status if self.answered else status)
        self.detail = detail
        if self.answered:
            self.error = error
            return self.cut()
        # what is wrong behind the proxy, and the names there, are nothing for strangers
        return self.answer(status, error, detail if self.rights & <int>Right.INSIDE or not 502 <= status <= 504 else b"")

    cdef int answer(self, int status, const char *error, bytes detail) except -1:
        """Answer instead of an endpoint."""
        self.detach(False)
        if self.state == State.QUEUED:
            self.queue.leave(self)
        if not self.body.done or self.plane.draining:
            self.keep_alive = False
        self.status = status
        self.error = error
        self.answered = True
        self.sent = self.say(status, error, detail)
        if self.ahead:
            self.skip_ahead()
        self.last = not self.keep_alive
        self.send(self.plane.work.data, self.plane.work.end)
        take(&self.plane.work, self.plane.work.end)
        return self.finish()

    cdef int say(self, int status, const char *error, bytes detail) except -1:
        """In the form that the request asks for: its head is the one being routed, or stands in what was written for the endpoint.

        How many bytes the body has.
        """
        cdef Head written
        cdef Head *h = self.plane.head
        cdef bytes identity = b""
        cdef int form = Form.TEXT
        if self.request.end:
            h = &written if parse_request(&written, self.request.data, self.request.end) > 0 else NULL
        if h != NULL:
            form, identity = form_of(h), request_id_of(h, self.plane.identity)
        return write_answer(&self.plane.work, status, error, detail, form, identity, self.head_only, not self.keep_alive)

    cdef int completed(self, bint reusable) except -1:
        self.detach(reusable)
        return self.finish()

    cdef int cut(self) except -1:
        self.detach(False)
        self.keep_alive = False
        self.torn = True
        return self.finish()

    cdef int finish(self) except -1:
        """The response is on its way: count it, and get ready for the next request or for the end."""
        self.plane.exchanges += 1
        self.plane.statuses[min(self.status // 100, 5)] += 1
        if self.note.end:
            self.record()
        self.route = None
        self.member = self.named = self.accused = None
        self.answered = False
        self.error = b""
        self.detail = None
        take(&self.request, self.request.end)
        if self.request.capacity > IDLE_KEPT:
            release(&self.request)
        if self.fd < 0:
            return 0
        self.deadline = self.poller.now + self.plane.idle_ms
        if not self.keep_alive:
            self.state = State.CLOSING
            return 0 if self.unsent() else self.end()
        self.state = State.IDLE
        if self.unsent() == 0:
            self.rest()
        if pending(&self.input) or self.readable:
            return self.poller.later(self)
        return 0

    cdef int end(self) except -1:
        """Close; where the client may still be sending, only after it has read the answer (RFC 9112, section 9.6)."""
        if self.end_by == 0:
            self.end_by = self.poller.now + LINGER_MS
        if self.torn and self.bare:
            return self.tear()
        if self.body.done and not self.readable:
            return self.close()
        shutdown(self.fd, SHUT_WR)
        self.state = State.LINGERING
        self.received = 0
        return self.drop_input()

    cdef int drop_input(self) except -1:
        """Read on: a close with bytes unread is a reset, which takes the answer from a client that looks up only when it has sent all."""
        cdef Py_ssize_t n
        cdef int burst = 0
        self.deadline = min(self.end_by, self.poller.now + (LINGER_DRAINED_MS if self.plane.draining else LINGER_QUIET_MS))
        while self.readable:
            burst += 1
            if burst > BURST:
                return self.poller.later(self)
            n = self.receive(self.plane.scratch, SCRATCH)
            if n == 0 or n == -2 or self.received > LINGER_BYTES:
                return self.close()
            self.received += max(n, 0)
        return 0

    cdef int tear(self) except -1:
        """Reset the connection, once the client's system has all that went down: a reset throws away what is on its way."""
        if unacknowledged(self.fd) and self.poller.now < self.end_by:
            self.deadline = self.poller.now + 1     # no event tells of it: look again with the next tick
            return 0
        return self.abort()

    cdef int abort(self) except -1:
        """Break off both sides; where only the end of the connection ends the body, with a reset, or it would seem whole."""
        cdef linger at_once
        if self.bare and self.fd >= 0 and self.state != State.LINGERING:
            at_once.l_onoff = 1
            at_once.l_linger = 0
            setsockopt(self.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once))
        self.detach(False)
        if self.state == State.QUEUED:
            self.queue.leave(self)
        if (State.GATHERING <= self.state <= State.TUNNEL or self.note.end) and self.error[0] == 0:
            self.error = b"connection_terminated"
            self.plane.erred(self.error, self.status)
        if self.note.end:
            self.record()
        self.route = None
        self.member = self.named = self.accused = None
        return self.close()
