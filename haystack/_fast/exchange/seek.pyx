"""From a request that is ready to a connection that takes it: candidates, retries, and waiting where that is better than an error.

Retries follow design rule 4: any method while no endpoint saw it, afterwards only an idempotent one that can be replayed, once, whatever
went wrong (it broke off, was silent, or answered with an error), and never after a response byte went down; within the service's budget, so
that a sick one is not buried. Who finds every endpoint full waits for room; who finds none at all, or none that works, waits for news: a
container that stops is told of within milliseconds, and one that is started anew within seconds. Reads nothing from the client and writes
no answer: the client's side does.
"""
from libc.stdint cimport int64_t
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from haystack._fast.endpoint.endpoint cimport MAX_TRIES, Cell, Fault, Member, Queue, Route, Silence, let_go, take_on, was_tried
from haystack._fast.exchange.exchange cimport Exchange, State
from haystack._fast.exchange.pool cimport dial, pooled
from haystack._fast.exchange.upstream cimport Upstream
from haystack._fast.net.poller cimport clock_ns
from haystack._fast.util.buffer cimport add, pending, release

cdef enum:
    HOPE_MS = 1000          # for news of endpoints that all failed
    NEWS_MS = 500           # for the news that an endpoint which broke off had been told to stop
    TRIAL_BY_ANY_MS = 5000  # a request that can't be repeated is spent on a silent endpoint only where no other has come for so long
    MOST_REPEATS = 1        # of a request that an endpoint may have seen: it may be what kills, or silences, whoever reads it
    MAX_WHY = 400           # bytes of a reason that go to a client: what to type stands at its end
    HEDGE_MS = 100          # for a connection while another endpoint is there: a lost SYN is sent again only after a second


cdef class Seeker(Exchange):
    """Base of Downstream. `request` holds what goes up."""

    def __dealloc__(self):
        release(&self.request)

    cdef int seek(self) except -1:
        """The request is ready: find it an endpoint."""
        self.renew()                    # the body may have taken its time
        self.route.queue.earn()
        self.repeats = 0
        self.blamed = None
        self.crowd = <int>len(self.route.members)
        return self.dispatch()

    cdef int dispatch(self) except -1:
        """Take the next candidate: a pooled connection to it, or a new one. None left: wait, or say what went wrong with the last."""
        cdef Member member
        cdef bint full = False
        cdef int failed = self.tries    # so many were tried; behind them those that had no room
        if len(self.route.members) == 0:
            return self.wait_for_endpoint()
        while True:
            member = self.candidate()
            if member is None:
                if not full:
                    return self.exhausted()
                member = self.with_room()
                if member is None:
                    return self.wait_for_room()
                full = False
            if member.cell.is_full() or (full and member.cell.silence == Silence.SILENT):
                self.note_try(member)
                full = True
                continue
            self.passed = self.tries - failed
            self.tries = failed         # after the next failure those that had no room may have some, or be waited for
            if self.go(member):
                return 0
            failed = self.tries

    cdef void note_try(self, Member member) noexcept:
        if self.tries < MAX_TRIES:
            self.tried[self.tries] = <void *>member
            self.tries += 1

    cdef int go(self, Member member) except -1:
        """Send the request to this member; 0: that failed at once."""
        self.note_try(member)
        if self.note.end:
            self.record_try(member)
        if member.cell.silence:
            self.plane.on_trial(member.cell)
        self.member = member
        if self.connect_to(member.cell):
            return 1
        return self.failed_at_once(member)

    cdef int failed_at_once(self, Member member) except -1:
        self.member = None
        if self.short_of:
            if member.cell.silence:
                self.plane.untried(member.cell)
            self.failure = 503
            self.error = b"proxy_internal_error"
            return 0
        self.plane.fault(member, self.route.queue, Fault.REFUSED)
        self.route.picker.failed(member)
        self.failure = 502
        self.error = b"connection_refused"
        return 0

    cdef Member candidate(self):
        """The one that the client's cookie names, while it is there and speaks; one that is to show that it does; whom the picker says."""
        cdef Member member
        if self.named is not None and self.tries == 0 and not self.named.cell.gone and not self.named.cell.is_full() and (
            not self.named.cell.silence or self.named.cell.shunned <= self.poller.now
        ):
            return self.named
        if self.route.queue.suspect is not None and self.tries == 0:
            member = self.on_trial()
            if member is not None:
                return member
        return self.picked(False)

    cdef Member on_trial(self):
        """The member that is doubted, if this request may be spent on it: others wait longer for one that may."""
        cdef Queue queue = self.route.queue
        cdef Member member = queue.suspect
        if not self.idempotent and self.poller.now - member.cell.again < TRIAL_BY_ANY_MS:
            return None
        queue.suspect = None
        if not member.cell.silence or member.cell.gone or member.cell.is_full() or member not in self.route.members:
            return None
        return member

    cdef Member picked(self, bint careful):
        """Whom the picker says; where that one has just failed its second choice, and its next ones as long as they are silent.

        careful: rather one that keeps nobody waiting, too.
        """
        cdef Member first = self.route.picker.pick(self.key, self.tried, self.tries), member = first
        cdef int64_t now = self.poller.now
        cdef int tries = self.tries
        if member is not None and self.tries == 0 and self.idempotent and not careful and is_due(member.cell, now):
            return member               # its trial: the queue that it was judged in may be one that nobody asks any more
        while member is not None and tries < MAX_TRIES and (member.cell.shunned > now or (careful and member.cell.quiet_since)):
            if tries > self.tries and not careful and not member.cell.silence:
                break                   # so many fail that avoiding all of them would bury the others
            self.tried[tries] = <void *>member
            tries += 1
            member = self.route.picker.pick(self.key, self.tried, tries)
        if member is None or member.cell.shunned > now:
            return first
        return first if member.cell.is_full() and first.cell.silence != Silence.SILENT else member

    cdef Member untroubled(self):
        """Whom this request could be moved to; None: nobody who has room and has answered well of late."""
        cdef Member member = self.picked(True)
        return None if member is None or member.cell.shunned > self.poller.now or member.cell.is_full() else member

    cdef Member with_room(self):
        """The first member that has room, speaks and was not tried, or None: the picker looks at a few only."""
        cdef Member member
        for member in self.route.members:
            if not member.cell.is_full() and member.cell.silence != Silence.SILENT and not (
                was_tried(<void *>member, self.tried, self.tries)
            ):
                return member
        return None

    cdef int wait_for_room(self) except -1:
        """Every endpoint is full: wait, in all for queue_ms (0: not at all); who was woken in vain stands first again."""
        cdef bint again = self.queue is not None
        cdef Member member
        if self.plane.queue_ms == 0:
            return self.fail(503, b"connection_limit_reached", b"no endpoint has a free place")
        if not again:
            if len(self.route.queue) >= self.plane.queue_size:
                return self.fail(503, b"connection_limit_reached", b"too many requests wait for an endpoint")
        # who waited for an endpoint, or for news of those that fail, waits for something else now
        if not self.roomless or self.deadline == 0 or self.failure:
            self.failure = 0
            self.deadline = self.poller.now + self.plane.queue_ms
            self.roomless = True
        for member in self.route.members:
            member.cell.call_back(self.route.queue)
        return self.join(again)

    cdef int wait_for_endpoint(self) except -1:
        """The service has no endpoint: wait until it has been without for wait_ms."""
        cdef int64_t end = self.route.queue.empty_since + self.route.wait_ms
        if self.queue is not None and self.deadline and not self.roomless and self.failure == 0:
            end = min(end, self.deadline)       # it waits for one already: another start of the same container prolongs nothing
        self.failure = 0
        self.roomless = False
        if end <= self.poller.now or len(self.route.queue) >= self.plane.queue_size:
            return self.nobody(self.route)
        self.deadline = end
        return self.join(False)

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
        """All failed. Wait a moment for news of them, however many come: where one was stopped, its event is on the way."""
        if self.hope == 0:
            self.hope = self.poller.now + min(HOPE_MS, self.route.wait_ms)
        if self.failure == 502 and self.poller.now < self.hope and len(self.route.queue) < self.plane.queue_size:
            self.deadline = self.hope
            return self.join(False)
        if self.failure == 503:
            return self.fail(503, self.error, b"the proxy has no file descriptor or port left for a connection to an endpoint")
        if self.failure == 504:
            return self.fail(504, self.error, b"no endpoint answered in time")
        return self.fail(502, self.error, b"no endpoint could be reached")

    cdef int suspected(self) except -1:
        """Two endpoints that may have seen the request broke off: it may be what kills them, so no other endpoint is sent it.

        Two findings speak for another cause, and then the request goes on as any does: one of the two had been told to stop (the word of
        that may come after the end of its connections), or all other endpoints, which the request never reached, have gone too within
        a moment, as with their engine or host. Waits a moment for either; looks again with each tick.
        """
        cdef bint others = self.crowd > MOST_REPEATS + 1
        if self.hope == 0:
            self.hope = self.poller.now + min(HOPE_MS if others else NEWS_MS, self.route.wait_ms)
        self.renew()
        self.acquit()
        if self.repeats <= MOST_REPEATS:
            self.hope = 0
            self.deadline = 0
            return self.dispatch()
        if others and len(self.route.members) == 0:
            self.hope = 0
            return self.wait_for_endpoint()
        if self.poller.now < self.hope:
            self.state = State.WAITING
            self.deadline = self.poller.now + 1
            return 0
        return self.fail(self.failure, self.error, b"the endpoint's connection broke, and the request was retried before")

    cdef int blame(self, Cell cell) except -1:
        """This endpoint broke the request off and may have seen it: one repetition less is left, unless it was told to stop."""
        if cell.stopped:
            return 0
        if self.blamed is None:
            self.blamed = []
        self.blamed.append((cell, cell.stops))
        self.repeats += 1
        return 0

    cdef int acquit(self) except -1:
        """Take back the blame for endpoints that turned out to have been told to stop."""
        cdef list still
        if self.blamed is None:
            return 0
        still = [each for each in self.blamed if (<Cell>each[0]).stops == each[1]]
        self.repeats -= <int>(len(self.blamed) - len(still))
        self.blamed = still
        return 0

    cdef int join(self, bint first) except -1:
        self.queue = self.route.queue
        self.state = State.QUEUED
        return self.queue.join(self, first)

    cdef int look_again(self) except -1:
        """Woken: the newest table may hold other members. Where there was one to be had, there may be one for the next who waits."""
        cdef Queue queue = self.queue
        self.state = State.WAITING      # it stands in no queue now
        self.route = queue.route
        self.tries = 0
        self.dispatch()
        return 0 if self.state == State.QUEUED else queue.wake()

    cdef int waited(self) except -1:
        """The time of waiting is up."""
        if self.hope and self.failure:
            return self.exhausted()
        if len(self.queue.route.members) == 0:
            return self.nobody(self.queue.route)
        return self.fail(503, b"connection_limit_reached", b"no endpoint had a free place in time")

    cdef int connect_to(self, Cell cell) except -1:
        """Send the request to this endpoint, or begin to connect; 0: that failed at once."""
        cdef Upstream up = None if self.fresh_only else pooled(cell, self.idempotent)
        cdef bint others = self.tries + self.passed < min(<Py_ssize_t>MAX_TRIES, len(self.route.members))
        self.reused = up is not None
        if up is None:
            up = dial(self.plane, cell, min(self.plane.connect_ms, HEDGE_MS) if others else self.plane.connect_ms,
                      &self.short_of)
            if up is None:
                return 0
        up.reused = self.reused
        up.exchange = self
        self.up = up
        self.error = b""                # what went wrong with another endpoint is not this one's word
        self.deadline = 0
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
        if self.body_sent or self.received > kept or <int64_t>(self.request.end + size) > self.plane.max_head + 2 * kept:
            self.body_sent = True
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
        """Whoever is asked now is of the newest table: who has left it gets nothing new."""
        if self.route.queue.route is not self.route:
            self.route = self.route.queue.route
            self.tries = 0

    cdef int lost(self, bint unseen, const char *error, int status) except -1:
        """Try elsewhere if that can do no harm, else answer."""
        cdef bint stale = self.up.reused
        cdef Cell cell = self.up.cell
        if not stale and not self.member.cell.gone:
            self.plane.fault(self.member, self.route.queue,
                             Fault.TIMEOUT if status == 504 else Fault.REFUSED if self.state == State.WAITING else Fault.RESET)
            self.route.picker.failed(self.member)
        self.detach(False)
        self.error = error
        self.failure = status
        if self.body_sent or not (unseen or self.idempotent):
            return self.fail(status, error, b"the endpoint's connection broke, and a retry is not safe")
        if not unseen:
            self.hope = 0               # what it waited for before is another story
            self.acquit()
            self.blame(cell)
            if self.repeats > MOST_REPEATS:
                return self.suspected()
        if not stale and not unseen and not self.route.queue.spend(self.poller.now):
            return self.fail(status, error, b"the endpoint's connection broke, and the retry budget is used up")
        if stale or not unseen:
            self.fresh_only = True      # another old connection may be at its end, too, and once more is all that there may be
        if stale and (unseen or len(self.route.members) == 1):
            self.tries -= 1             # an old connection's end says nothing of its endpoint: it may be tried afresh
        self.renew()
        self.deadline = 0                   # who has to wait for room again waits as long as any
        return self.dispatch()

    cdef int rescue(self) except -1:
        """Its endpoint is dead or paused: what has no answer yet goes elsewhere now, not at a timeout."""
        cdef bint unseen = self.state == State.WAITING  # what a frozen endpoint's kernel has taken it will read, acknowledged or not
        self.acquit()
        if self.answered or self.up is None or self.state == State.TUNNEL:
            return 0
        if self.body_sent or not (unseen or (self.idempotent and (self.repeats < MOST_REPEATS or self.up.cell.stopped))):
            return 0                    # can't be repeated: a paused endpoint may go on, a dead one's connection says so itself
        return self.lost(unseen, b"destination_unavailable", 502)

    cdef bint forsake(self) except -1:
        """Its endpoint is silent while others answer: what may be repeated goes elsewhere."""
        self.acquit()
        if self.repeats >= MOST_REPEATS or self.answered or self.up is None or self.state != State.EXCHANGING or not self.idempotent:
            return False
        if self.body_sent or not self.body.done or self.up.interim or pending(&self.up.input):
            return False
        return self.move(b"http_response_timeout", 504)

    cdef bint retry(self, int status) except -1:
        """Its endpoint answers with an error: another one is asked, once, where the request only reads (RFC 9110, section 9.2.1).

        Not where the others have just failed too: then the error is the service's answer.
        """
        self.acquit()
        if status > 504 or not self.route.retried >> (status - 500) & 1 or self.repeats or not self.body.done or self.body_sent:
            return False
        if not self.idempotent or self.request.data[self.request.start] not in b"GHO":      # of these, GET, HEAD and OPTIONS
            return False
        return self.move(b"http_response_incomplete", 502)

    cdef int move(self, const char *error, int status) except -1:
        """Go elsewhere, if somebody is there and the budget allows; whether it does."""
        cdef Member member
        self.renew()
        member = self.untroubled()
        if member is None or not self.route.queue.spend(self.poller.now):
            return 0
        self.repeats += 1
        self.fresh_only = True
        self.passed = 0
        self.detach(False)
        self.error = error
        self.failure = status
        if not self.go(member):
            self.dispatch()
        return 1


cdef bint is_due(Cell cell, int64_t now) noexcept:
    """Whether a silent endpoint may be tried again."""
    return cell.silence == Silence.SILENT and cell.trials == 0 and now >= cell.again and not cell.is_full()
