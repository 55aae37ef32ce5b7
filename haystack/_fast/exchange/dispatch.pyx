"""From a request that is ready to a connection that takes it.

Which endpoint is next, whether a request may be sent again, and what it waits for is decided in candidates.pyx, retry.pyx and pending.pyx,
which know no socket; here that is carried out. Reads nothing from the client and writes no answer: the client's side does.
"""
from libc.stdint cimport int64_t
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from haystack._fast.endpoint.endpoint cimport let_go, take_on
from haystack._fast.endpoint.outlier cimport Fault, probe_sent, probe_unsent
from haystack._fast.endpoint.retry_budget cimport earn, spend
from haystack._fast.exchange.candidates cimport has_others, next_member, note, untroubled
from haystack._fast.exchange.exchange cimport State
from haystack._fast.exchange.pending cimport Reason, for_cause, for_endpoint, for_news, for_room
from haystack._fast.exchange.pool cimport dial, pooled
from haystack._fast.exchange.retry cimport (
    MOST_REPEATS, Verdict, acquit, after_break, blame, may_leave_dead, may_leave_failing, may_leave_silent, moved,
)
from haystack._fast.net.poller cimport clock_ns
from haystack._fast.util.buffer cimport add, pending, release
from haystack._fast.util.linked_list cimport join as join_list

cdef enum:
    MAX_WHY = 400           # bytes of a reason that go to a client: what to type stands at its end
    HEDGE_MS = 100          # for a connection while another endpoint is there: a lost SYN is sent again only after a second


cdef class Dispatcher(Exchange):
    """Base of Downstream. `request` holds what goes up."""

    def __dealloc__(self):
        release(&self.request)

    cdef int seek(self) except -1:
        """The request is ready: find it an endpoint."""
        self.renew()                    # the body may have taken its time
        earn(&self.route.queue.budget)
        self.blamed = None
        self.crowd = <int>len(self.route.members)
        return self.dispatch()

    cdef int dispatch(self) except -1:
        """Send it to the next candidate. None left: wait, or say what went wrong with the last."""
        cdef Member member
        cdef bint full = False
        if len(self.route.members) == 0:
            return self.wait_for_endpoint()
        while True:
            member = next_member(self.route, &self.candidates, self.named, self.retries.idempotent, self.poller.now, &full)
            if member is None:
                return self.wait_for_room() if full else self.exhausted()
            if self.go(member):
                return 0

    cdef int go(self, Member member) except -1:
        """Send the request to this member; 0: that failed at once."""
        note(&self.candidates, member)
        if self.note.end:
            self.record_try(member)
        if member.cell.outlier.phase:
            probe_sent(&member.cell.outlier, self.poller.now)
        self.member = member
        if self.connect_to(member.cell):
            return 1
        return self.failed_at_once(member)

    cdef int failed_at_once(self, Member member) except -1:
        self.member = None
        if self.short_of:
            if member.cell.outlier.phase:
                probe_unsent(&member.cell.outlier, self.poller.now)
            self.failure = 503
            self.error = b"proxy_internal_error"
            return 0
        self.plane.reports.fault(member, self.route.queue, Fault.REFUSED, self.poller.now)
        self.route.picker.failed(member)
        self.failure = 502
        self.error = b"connection_refused"
        return 0

    cdef bint has_place(self) except -1:
        """Whether one more request may wait for an endpoint of this service."""
        return len(self.route.queue) < self.plane.queue_size

    cdef int wait_for_room(self) except -1:
        """Every endpoint is full: wait, in all for queue_ms (0: not at all)."""
        cdef Member member
        cdef Decision decision = for_room(&self.wait, self.failure != 0, self.plane.queue_ms, self.has_place(), self.poller.now)
        if decision == Decision.NO_QUEUE:
            return self.fail(503, b"connection_limit_reached", b"no endpoint has a free place")
        if decision == Decision.QUEUE_FULL:
            return self.fail(503, b"connection_limit_reached", b"too many requests wait for an endpoint")
        self.failure = 0
        for member in self.route.members:
            member.cell.call_back(self.route.queue)
        return self.join(decision)

    cdef int wait_for_endpoint(self) except -1:
        """The service has no endpoint: wait until it has been without for wait_ms."""
        cdef int64_t end = self.route.queue.empty_since + self.route.wait_ms
        cdef Decision decision = for_endpoint(&self.wait, self.failure != 0, end, self.has_place(), self.poller.now)
        self.failure = 0
        return self.nobody(self.route) if decision == Decision.GIVE_UP else self.join(decision)

    cdef int nobody(self, Route route) except -1:
        """No endpoint is in: say why the last one is not, and for how long; or that none can be, for none speaks HTTP."""
        cdef bytes told = b"no endpoint of the service is ready"
        cdef timespec wall
        if route.mute:
            return self.fail(404, b"destination_not_found", route.mute.encode())
        if route.why:
            # the reason is the control process's, but what stands in a header is checked where it is written (RFC 9110, section 5.5)
            told += b" (" + bytes([c if 32 <= c < 127 else 63 for c in route.why.encode()[:MAX_WHY]])
            if route.since > 0:
                clock_gettime(CLOCK_REALTIME, &wall)
                told += b" %.1f s ago" % max(0.0, wall.tv_sec + wall.tv_nsec / 1e9 - route.since)
            told += b")"
        return self.fail(503, b"destination_unavailable", told)

    cdef int exhausted(self) except -1:
        """All were tried. Wait a moment for news of them, however many come, or tell how the last one failed."""
        cdef Decision decision = for_news(&self.wait, self.failure == 502, self.route.wait_ms, self.has_place(), self.poller.now)
        if decision == Decision.JOIN:
            return self.join(decision)
        if self.failure == 503:
            return self.fail(503, self.error, b"the proxy has no file descriptor or port left for a connection to an endpoint")
        if self.failure == 504:
            return self.fail(504, self.error, b"no endpoint answered in time")
        return self.fail(502, self.error, b"no endpoint could be reached")

    cdef int suspected(self) except -1:
        """It may be what makes endpoints break off. Wait a moment for another cause to be told of; look again with each tick."""
        cdef Decision decision
        self.renew()
        self.blamed = acquit(&self.retries, self.blamed)
        decision = for_cause(
            &self.wait, self.retries.repeats <= MOST_REPEATS, self.crowd > MOST_REPEATS + 1, len(self.route.members) == 0,
            self.route.wait_ms, self.poller.now)
        if decision == Decision.GO_ON:
            self.deadline = 0
            return self.dispatch()
        if decision == Decision.WAIT_FOR_ENDPOINT:
            return self.wait_for_endpoint()
        if decision == Decision.LOOK_AGAIN:
            self.state = State.WAITING
            self.deadline = self.poller.now + 1
            return 0
        return self.fail(self.failure, self.error, b"the endpoint's connection broke, and the request was retried before")

    cdef int join(self, Decision decision) except -1:
        """Stand in the queue, until wait.until."""
        self.wait.joined = True
        self.deadline = self.wait.until
        self.queue = self.route.queue
        self.state = State.QUEUED
        return self.queue.join(self, decision == Decision.JOIN_FIRST)

    cdef int look_again(self) except -1:
        """Woken: the newest table may hold other members. Where there was one to be had, there may be one for the next who waits."""
        cdef Queue queue = self.queue
        self.state = State.WAITING      # it stands in no queue now
        self.route = queue.route
        self.candidates.tries = 0
        self.dispatch()
        return 0 if self.state == State.QUEUED else queue.wake()

    cdef int waited(self) except -1:
        """The time of waiting is up."""
        if self.wait.news_until and self.failure:
            return self.exhausted()
        if len(self.queue.route.members) == 0:
            return self.nobody(self.queue.route)
        return self.fail(503, b"connection_limit_reached", b"no endpoint had a free place in time")

    cdef int connect_to(self, Cell cell) except -1:
        """Send the request to this endpoint, or begin to connect; 0: that failed at once."""
        cdef Upstream up = None if self.retries.fresh_only else pooled(cell, self.retries.idempotent)
        cdef int64_t patience = self.plane.connect_ms
        self.reused = up is not None
        if up is None:
            if has_others(self.route, &self.candidates):
                patience = min(patience, <int64_t>HEDGE_MS)
            up = dial(self.plane, cell, patience, &self.short_of)
            if up is None:
                return 0
        up.reused = self.reused
        up.exchange = self
        join_list(&cell.busy, &up.link)
        self.up = up
        self.error = b""                # what went wrong with another endpoint is not this one's word
        self.deadline = 0
        self.wait.reason = Reason.NOTHING
        take_on(cell)
        if self.reused:
            self.connected()
        else:
            self.state = State.WAITING
        return 1

    cdef int connected(self) except -1:
        self.state = State.EXCHANGING
        self.t_connected = clock_ns() if self.note.end or self.route.picker.timed else 0
        self.up.begin(self.request.data, self.request.end)
        return 0 if self.body.done else self.pump()

    cdef int keep(self, const char *data, size_t size) except -1:
        """Bytes of the body as they go up: kept behind the head while they are few."""
        cdef int64_t kept = self.plane.kept_body    # of the body; chunks bring their sizes along, and tiny ones more than that
        if self.retries.body_sent or self.received > kept or <int64_t>(self.request.end + size) > self.plane.max_head + 2 * kept:
            self.retries.body_sent = True
            return 0
        return add(&self.request, data, size)

    cdef int detach(self, bint reusable) except -1:
        """Let go of the endpoint's connection: back into its pool, or closed."""
        cdef Upstream up = self.up
        if up is None:
            return 0
        self.up = None
        let_go(up.cell)
        up.detach(reusable)
        return 0 if up.cell.queues is None else up.cell.freed()

    cdef void renew(self) noexcept:
        """Use the newest route of the service: endpoints that left it get no new request. A removed service keeps its last route."""
        cdef Route newest = self.route.queue.route
        if newest is not self.route and newest.queue is self.route.queue:
            self.route = newest
            self.candidates.tries = 0

    cdef int lost(self, bint unseen, const char *error, int status) except -1:
        """Try elsewhere if that can do no harm, else answer."""
        cdef bint stale = self.up.reused
        cdef Cell cell = self.up.cell
        cdef bint counts = not stale and not self.member.cell.gone
        cdef Fault kind = Fault.TIMEOUT if status == 504 else Fault.REFUSED if self.state == State.WAITING else Fault.RESET
        cdef Verdict verdict
        if counts:
            self.plane.reports.fault(self.member, self.route.queue, kind, self.poller.now)
            self.route.picker.failed(self.member)
        self.detach(False)
        self.error = error
        self.failure = status
        self.blamed = acquit(&self.retries, self.blamed)
        verdict = after_break(&self.retries, unseen, stale, cell.stopped, &self.route.queue.budget, self.poller.now)
        if verdict == Verdict.UNSAFE:
            return self.fail(status, error, b"the endpoint's connection broke, and a retry is not safe")
        if not unseen:
            self.wait.news_until = 0    # what it waited for before is another story
            if not cell.stopped:
                self.blamed = blame(self.blamed, cell)
        if verdict == Verdict.SUSPECT:
            return self.suspected()
        if verdict == Verdict.OVER_BUDGET:
            return self.fail(status, error, b"the endpoint's connection broke, and the retry budget is used up")
        if stale and (unseen or len(self.route.members) == 1) and self.candidates.tries:
            self.candidates.tries -= 1  # an old connection's end says nothing of its endpoint: it may be tried afresh
        if counts and not unseen:
            self.accused = self.member if self.accused is None else None    # two have failed at it: it may be the request
        self.renew()
        self.deadline = 0               # who has to wait for room again waits as long as any
        return self.dispatch()

    cdef int rescue(self) except -1:
        """Its endpoint is dead or paused: what has no answer yet goes elsewhere now, not at a timeout."""
        cdef bint unseen = self.state == State.WAITING  # what a frozen endpoint's kernel has taken it will read, acknowledged or not
        self.blamed = acquit(&self.retries, self.blamed)
        if self.answered or self.up is None or self.state == State.TUNNEL:
            return 0
        if not may_leave_dead(&self.retries, unseen, self.up.cell.stopped):
            return 0
        return self.lost(unseen, b"destination_unavailable", 502)

    cdef bint forsake(self) except -1:
        """Its endpoint is silent while others answer: what may be repeated goes elsewhere."""
        self.blamed = acquit(&self.retries, self.blamed)
        if self.answered or self.up is None or self.state != State.EXCHANGING or self.up.interim or pending(&self.up.input):
            return False
        if not may_leave_silent(&self.retries, self.body.done):
            return False
        return self.move(b"http_response_timeout", 504)

    cdef bint retry(self, int status) except -1:
        """Its endpoint answers with an error: another one is asked, once, where the request only reads (RFC 9110, section 9.2.1).

        Not where the others have just failed too: then the error is the service's answer.
        """
        self.blamed = acquit(&self.retries, self.blamed)
        if not may_leave_failing(&self.retries, status, self.route.retried, self.body.done):
            return False
        self.accused = self.member
        return self.move(b"http_response_incomplete", 502)

    cdef int move(self, const char *error, int status) except -1:
        """Go elsewhere, if somebody is there and the budget allows; whether it does."""
        cdef Member member
        self.renew()
        member = untroubled(self.route, &self.candidates, self.retries.idempotent, self.poller.now)
        if member is None or not spend(&self.route.queue.budget, self.poller.now):
            return 0
        moved(&self.retries)
        self.candidates.passed = 0
        self.detach(False)
        self.error = error
        self.failure = status
        if not self.go(member):
            self.dispatch()
        return 1
