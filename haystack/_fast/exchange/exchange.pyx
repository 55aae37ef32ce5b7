"""An exchange: what its two legs tell it, and what follows. Knows no socket and no wire format.

admit.pyx finds the route, dispatch.pyx the endpoint; record.pyx tells of it at the end. Times in milliseconds of the poller's clock, phases
in nanoseconds. Status and error words: RFC 9110 section 15, RFC 9209 section 2.3.
"""
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int64_t
from libc.string cimport memset

from haystack._fast.connection.leg cimport DownLeg, UpLeg
from haystack._fast.endpoint.endpoint cimport Endpoint, Member, let_go, speak
from haystack._fast.endpoint.outlier cimport Fault
from haystack._fast.exchange.admit cimport settle_host
from haystack._fast.exchange.calls cimport end_with_status, has_status, is_stream, silence
from haystack._fast.exchange.dispatch cimport (
    answered_elsewhere, begin_dispatch, connected, leave_queue, look_again, lost, retry, suspected, waited,
)
from haystack._fast.exchange.record cimport count_exchange, note_failure, write_record
from haystack._fast.exchange.retry cimport may_leave_silent
from haystack._fast.exchange.states cimport State, step
from haystack._fast.http1.body cimport Framing
from haystack._fast.http1.flaw cimport Flaw, said
from haystack._fast.http1.head cimport Head, parse_request
from haystack._fast.http1.local_reply cimport Form, form_of, request_id_of
from haystack._fast.http1.upgrade cimport keeps_to
from haystack._fast.net.networks cimport Right
from haystack._fast.net.poller cimport clock_ns
from haystack._fast.util.buffer cimport Buffer, add, release, take
from haystack._fast.util.linked_list cimport join, leave
from haystack._fast.worker.worker_state cimport Beginning

cdef enum:
    SLICE_MS = 10000        # over which the rate of a body is judged
    IDLE_KEPT = 4096        # capacity that the buffers of an exchange at rest may keep
    SPARES = 256            # of these that are kept for new requests


cdef class Exchange(LegUser):
    """One request and its response."""

    def __cinit__(self):
        self.link.owner = <void *>self
        self.state = State.DONE

    def __dealloc__(self):
        release(&self.head)
        release(&self.kept)
        release(&self.record.tried)

    cdef int begin(self, WorkerState worker, DownLeg down) except -1:
        """A request has come on this leg."""
        cdef Buffer tried = self.record.tried
        self.worker = worker
        worker.beginning.head = NULL
        self.down = down
        down.user = self
        self.state = step(self.state, State.READ)
        self.deadline = 0
        memset(&self.request, 0, sizeof(self.request))
        memset(&self.attempt, 0, sizeof(self.attempt))
        memset(&self.retries, 0, sizeof(self.retries))
        memset(&self.wait, 0, sizeof(self.wait))
        memset(&self.record, 0, sizeof(self.record))
        self.record.tried = tried
        self.record.error = b""
        self.candidates.tries = 0
        self.record.t_start = clock_ns() if worker.log is not None or worker.traces.on else worker.poller.now_ns
        worker.poller.enlist(self)
        return 0

    cdef Head *request_head(self, Head *own) noexcept:
        """The request's head: as it is being read, or read again from what was kept; NULL: there is none."""
        cdef Beginning *beginning = &self.worker.beginning
        if beginning.head != NULL and beginning.exchange == <void *>self:
            return beginning.head
        if self.head.end == 0 or parse_request(own, self.head.data, self.head.end) <= 0:
            return NULL
        settle_host(self, own)
        return own

    cdef bytes host_name(self):
        """The host that is asked, where there is no request's head (TLS that is passed through)."""
        return b""

    # what waits

    cdef int rouse(self) except -1:
        return self.worker.poller.later(self)

    cdef int on_again(self) except -1:
        return look_again(self) if self.attempt.in_queue and self.roused else 0

    cdef int on_deadline(self) except -1:
        if self.state != State.PENDING:
            return self.check_rate()
        return waited(self) if self.attempt.in_queue else suspected(self)

    cdef int on_failure(self) except -1:
        self.worker.forget()
        return self.abort()

    # the request's body

    cdef int body_ready(self) except -1:
        if self.state == State.BUFFER:
            return self.gather()
        return self.down.read_body() if self.up is not None and State.SEND <= self.state <= State.RESPOND else 0

    cdef int gather(self) except -1:
        """Read a small body; once it is whole, choose an endpoint."""
        cdef size_t before = self.kept.end
        cdef int whole = self.down.fill(&self.kept)
        self.record.received += <int64_t>(self.kept.end - before)
        if whole < 0:
            return self.abort()         # the client broke off in its body
        if not whole:
            return self.on_body_late()
        self.deadline = 0
        return begin_dispatch(self)

    cdef bint takes_body(self) noexcept:
        return self.up is not None and State.SEND <= self.state <= State.RESPOND and self.up.unsent() == 0

    cdef int on_body(self, const char *data, size_t size) except -1:
        self.record.received += <int64_t>size
        self.keep(data, size)
        return self.up.send_body(data, size)

    cdef int keep(self, const char *data, size_t size) except -1:
        """Keep bytes of the body for a retry, up to HAYSTACK_KEPT_BODY."""
        if self.retries.body_sent or self.record.received > self.worker.limits.kept_body:
            self.retries.body_sent = True
            return 0
        return add(&self.kept, data, size)

    cdef int on_body_run(self) except -1:
        self.up.extend(silence(self))
        return self.up.flush()

    cdef int on_body_spliced(self, size_t size) except -1:
        self.retries.body_sent = True
        self.record.received += <int64_t>size
        return self.up.extend(silence(self))

    cdef int on_body_end(self) except -1:
        self.deadline = 0
        self.up.extend(silence(self))
        self.down.pass_end(self.up)
        self.up.flush()
        return self.up.let_switch()

    cdef int on_body_flaw(self, Flaw flaw) except -1:
        self.up.forget()
        self.down.no_more()
        return self.fail(400, b"http_request_error", said(b"the request's chunks are refused", flaw))

    cdef int on_body_late(self) except -1:
        """From here on the client must keep up its rate."""
        if self.deadline == 0:
            self.request.judged = self.record.received
            self.deadline = self.worker.poller.now + self.slice()
        return 0

    cdef int64_t slice(self) noexcept:
        """Milliseconds over which the rate of the body is judged."""
        return self.route.timeout_ms if self.worker.limits.body_rate == 0 else min(SLICE_MS, self.route.timeout_ms)

    cdef int check_rate(self) except -1:
        """A client that could have sent, and sent less than the least rate in the last slice, is answered 408."""
        cdef bint waits = self.down.is_held_up(self.deadline - self.slice())
        cdef bint held = waits or (self.up is not None and self.up.unsent() > 0)
        cdef bint expectant = self.request.expects and self.record.received == 0    # the endpoint's turn
        cdef bint excused = held or expectant or self.state > State.SEND or is_stream(self)
        if self.down.body_done():
            self.deadline = 0
            return 0
        if not excused and (self.record.received - self.request.judged) * 1000 < max(1, self.worker.limits.body_rate * self.slice()):
            self.down.no_more()
            return self.fail(408, b"connection_read_timeout", b"the request's body comes too slowly")
        self.request.judged = self.record.received
        self.deadline = self.worker.poller.now + self.slice()
        return self.down.make_room() if waits else 0

    # the client's side

    cdef int on_room(self) except -1:
        if self.up is not None and not self.up.is_connecting():
            return self.up.extend(self.worker.limits.tunnel_ms if self.state == State.TUNNEL else silence(self))
        return 0

    cdef int on_drained(self) except -1:
        if self.state == State.TUNNEL:
            return self.tunnel_down()
        return 0 if self.up is None or self.up.is_connecting() else self.up.read()

    cdef int abort(self) except -1:
        return self.end_with(b"")

    cdef int end_with(self, const char *error) except -1:
        cdef DownLeg down
        if not self.open:
            return 0                    # it has ended
        note_failure(self, self.member)
        self.detach(False)
        if error[0]:
            self.record.error = error
        elif self.record.error[0] == 0:
            self.record.error = b"connection_terminated"
            self.worker.erred(self.record.error, self.record.status)
        down = self.end()
        return down.reset()

    cdef int give_way(self, int64_t since) except -1:
        if (self.state != State.TUNNEL and not is_stream(self)) or self.worker.poller.now - since < self.route.timeout_ms:
            return 0                    # else it has its own time
        self.worker.erred(b"connection_write_timeout", self.record.status)
        return self.end_with(b"connection_write_timeout")

    # the endpoint's side

    cdef int on_connected(self) except -1:
        return connected(self)

    cdef int on_upstream_room(self) except -1:
        if self.state == State.TUNNEL:
            return self.tunnel_up()
        return 0 if self.down.body_done() else self.body_ready()

    cdef int64_t timeout(self) noexcept:
        return silence(self)

    cdef bint is_head_only(self) noexcept:
        return self.down.is_head_only()

    cdef int on_interim(self, Head *h) except -1:
        """An interim response (1xx) goes down at once. After 100 the least rate holds for the client's body."""
        speak(self.member.endpoint, self.route.queue.pace, self.worker.poller.now, self.up.begun)
        if h.status == 100 and self.request.expects:
            self.request.expects = False
            self.deadline = 0
            self.down.later()
        return self.down.interim(h)

    cdef bint on_late(self, int64_t begun) except -1:
        # who was moved here once already is slow anywhere, and speaks against nobody
        if self.retries.repeats or not self.down.body_done():
            return False
        self.worker.hesitates(self.member, self.route, begun)
        return True

    cdef bint may_leave(self) noexcept:
        cdef bint again = self.retries.reads_only and may_leave_silent(&self.retries, self.down.body_done())
        return again and len(self.route.queue.route.members) > 1

    cdef int on_timeout(self) except -1:
        cdef bint expectant = self.request.expects and self.record.received == 0
        if not self.down.body_done() and self.up.unsent() == 0 and not expectant:
            if self.down.is_held_up(self.worker.poller.now - silence(self)):
                self.down.make_room()   # most of the others have their own time
                return self.up.extend(silence(self)) if self.up is not None else 0
            return self.fail(408, b"connection_read_timeout", b"the request's body took too long")
        self.worker.reports.fault(self.member, self.route.queue, Fault.TIMEOUT, self.worker.poller.now)
        self.route.picker.failed(self.member)
        return self.fail(504, b"http_response_timeout", b"the endpoint did not answer in time")

    cdef bint on_response(self, Head *h, Framing framing, bint first) except -1:
        cdef Member remembered = None
        self.count_answer(h.status)
        if h.status >= 500:
            note_failure(self, self.member)
            if first and retry(self, h.status):
                return False
        self.record.status = h.status
        if self.record.t_connected:
            self.record.t_first = clock_ns()
        if self.route.sticky is not None and self.member is not self.named:
            remembered = self.member
        self.state = step(self.state, State.RESPOND)
        self.down.begin_response(h, framing, self.route, remembered)
        return True

    cdef int count_answer(self, int status) except -1:
        """The head of an answer is there: count it, for the endpoint or against it."""
        cdef Member member = self.member
        speak(member.endpoint, self.route.queue.pace, self.worker.poller.now, self.up.begun)
        member.requests += 1
        if not member.noted:
            self.worker.traffic.note_member(member)
        self.route.queue.ended += 1
        if self.accused is not None and self.accused is not member:
            answered_elsewhere(self, status)
        if status in (500, 502, 503, 504):
            self.route.picker.failed(member)    # a quick error is no reason to come again
            return self.worker.reports.fault(member, self.route.queue, Fault.ERROR, self.worker.poller.now)
        if self.record.t_connected and self.route.picker.timed:
            self.route.picker.answered(member, clock_ns() - self.record.t_connected)
        return self.worker.reports.fine(member)

    cdef int on_data(self, const char *data, size_t size) except -1:
        self.record.sent += <int64_t>size
        return self.down.data(data, size)

    cdef int on_data_run(self) except -1:
        return self.down.flush()

    cdef int on_data_spliced(self, size_t size) except -1:
        self.record.sent += <int64_t>size
        return 0

    cdef int on_data_end(self, Buffer *trailer, bint drop, bint reusable) except -1:
        self.down.end(trailer, drop)
        return self.completed(reusable)

    cdef int on_switch(self, Head *h, const char *data, size_t size) except -1:
        """The endpoint switches protocols: what follows are raw bytes (RFC 9110, section 7.8)."""
        cdef Head own
        cdef Head *asked = self.request_head(&own)
        if not h.upgrade or not keeps_to(asked, self.route.upgrade, h) or not self.down.may_switch(h):
            return self.fail(502, b"http_upgrade_failed", b"the endpoint's 101 names no protocol that was asked for")
        self.record.status = 101
        self.count_answer(101)
        if self.record.told:
            self.record.t_first = clock_ns()
        self.state = step(self.state, State.TUNNEL)
        self.record.sent += <int64_t>size
        self.record.received += self.down.switch_protocols(h, data, size)
        return self.tunnel_up()

    cdef int on_lost(self, bint unseen, const char *error, int status) except -1:
        return lost(self, unseen, error, status)

    cdef int on_flaw(self, int status, const char *error, bytes detail, bint counts) except -1:
        if counts:
            self.worker.reports.fault(self.member, self.route.queue, Fault.RESET, self.worker.poller.now)
        return self.fail(status, error, detail)

    cdef int tunnel_up(self) except -1:
        """Raw bytes for the endpoint, until both sides have ended."""
        self.up.extend(self.worker.limits.tunnel_ms)
        return 0 if self.down.carry_up(self.up, &self.record.received) else self.completed(False)

    cdef int tunnel_down(self) except -1:
        """Raw bytes for the client; at the endpoint's end, the client's side is closed too, and the other way goes on."""
        self.up.extend(self.worker.limits.tunnel_ms)
        return 0 if self.down.carry_down(self.up, &self.record.sent) else self.completed(False)

    # its end

    cdef bint is_answered(self) except -1:
        """Whether something of a response has gone down. A head that is written but not sent is taken back."""
        if self.state == State.RESPOND and self.down.take_back():
            self.state = step(self.state, State.SEND)
        return self.state >= State.RESPOND

    cdef int fail(self, int status, const char *error, bytes detail) except -1:
        """Answer with an error of Haystack's own, or break off where a response has begun."""
        cdef bint answered = self.is_answered()
        note_failure(self, self.member)
        self.worker.erred(error, self.record.status if answered else status)
        self.detail = detail
        if answered:
            self.record.error = error
        # what is wrong behind the proxy, and the names there, are nothing for strangers
        if not self.request.rights & <int>Right.INSIDE and 502 <= status <= 504:
            detail = b""
        if not answered:
            return self.answer(status, error, detail)
        return end_with_status(self, status, error, detail) if has_status(self) else self.cut()

    cdef int answer(self, int status, const char *error, bytes detail) except -1:
        """Answer instead of an endpoint, in the form that the request asks for."""
        cdef Head own
        cdef Head *h = self.request_head(&own)
        cdef int form = Form.TEXT
        cdef bytes identity = b""
        if h != NULL:
            form, identity = form_of(h), request_id_of(h, self.request.identity)
        self.detach(False)
        self.record.status = status
        self.record.error = error
        self.record.sent = self.down.answer(status, error, detail, form, identity)
        return self.completed(False)

    cdef int detach(self, bint reusable) except -1:
        """Let go of the endpoint: its connection goes back into its pool, or is closed."""
        cdef UpLeg up = self.up
        cdef Endpoint endpoint
        if up is None:
            return 0
        endpoint = self.member.endpoint
        self.up = None
        leave(&self.link)
        let_go(endpoint)
        up.detach(reusable)
        return 0 if endpoint.queues is None else endpoint.freed()

    cdef int completed(self, bint reusable) except -1:
        """The response has gone down whole. reusable: the endpoint's connection is in a known state."""
        cdef DownLeg down
        self.detach(reusable)
        self.worker.exchanges += 1
        self.worker.statuses[min(self.record.status // 100, 5)] += 1
        down = self.end()
        return down.finish()

    cdef int cut(self) except -1:
        """The rest of the response can't be had."""
        cdef DownLeg down
        self.detach(False)
        self.worker.exchanges += 1
        self.worker.statuses[min(self.record.status // 100, 5)] += 1
        down = self.end()
        return down.cut()

    cdef DownLeg end(self):
        """The exchange is over: log and count it. Returns the client's leg, which the caller frees."""
        cdef DownLeg down = self.down
        cdef int64_t now = clock_ns()
        if self.attempt.in_queue:
            leave_queue(self)
            self.route.queue.leave(self)
        if self.route is not None:
            count_exchange(self, now)
        if self.record.told:
            try:
                write_record(self, now)
            except Exception as error:
                self.worker.poller.on_error(error)       # a line is lost, not the end of the exchange
        down.user = None                # before this memory is another one's
        self.recycle()
        return down

    cdef int close(self) except -1:
        """One of its connections was closed by somebody else."""
        return self.abort()

    cdef bint is_raw(self) noexcept:
        """Whether it is a Relay, whose memory no request can reuse."""
        return False

    cdef int recycle(self) except -1:
        """Drop all references, and keep its memory for the next request."""
        cdef WorkerState worker = self.worker
        self.state = step(self.state, State.DONE)
        self.deadline = 0
        self.down = None
        self.up = self.route = None
        self.member = self.named = self.accused = None
        self.blamed = self.detail = None
        empty(&self.head)
        empty(&self.kept)
        empty(&self.record.tried)
        # where it is still named by a list of this batch, that batch has to be over first
        if self.queued or worker.spares.count >= SPARES or self.is_raw():
            worker.poller.deferred_delete.append(self)
        else:
            Py_INCREF(self)
            join(&worker.spares, &self.link)
        self.worker = None              # else each would keep the other
        worker.poller.delist(self)
        return 0


cdef int empty(Buffer *buffer) except -1:
    """Forget what is in it, and most of a large one's memory."""
    take(buffer, buffer.end)
    if buffer.capacity > IDLE_KEPT:
        release(buffer)
    return 0
