"""The decisions about requests and endpoints as Python classes, for tests and simulations only. Haystack does not import it."""
from libc.stdint cimport int64_t, uint64_t

from haystack._fast.connection.http2_client cimport Http2Client
from haystack._fast.connection.http2_client_leg cimport Http2ClientLeg
from haystack._fast.endpoint.endpoint cimport Endpoint, Member, Queue, Route, Waiter, let_go, speak, take_on
from haystack._fast.endpoint.fault_reports cimport FaultReports
from haystack._fast.endpoint.outlier cimport (
    MOST_VAIN, Action, Fault, OutlierState, Phase, ServiceView, answers, calm, failed as has_failed, judge, limits, probe_is_due,
    probe_sent, probe_unsent, restart, sample_answered, sampled, still_watched, waits, went_well,
)
from haystack._fast.endpoint.retry_budget cimport EARNED, FIRST, MOST, RetryBudget, earn as earn_retry, spend as spend_retry
from haystack._fast.exchange.candidates cimport Candidates, elsewhere, has_others, next_member, note
from haystack._fast.exchange.exchange cimport Exchange
from haystack._fast.exchange.outliers cimport Watched
from haystack._fast.exchange.pending cimport Decision, PendingState, Reason, for_cause, for_endpoint, for_news, for_room
from haystack._fast.exchange.retry cimport (
    RetryState, Verdict, acquit, after_break, blame, may_leave_dead, may_leave_failing, may_leave_silent, moved,
)
from haystack._fast.exchange.states cimport State, check_step
from haystack._fast.util.linked_list cimport Link

FAULTS = {"refused": Fault.REFUSED, "reset": Fault.RESET, "timeout": Fault.TIMEOUT, "error": Fault.ERROR}
PHASES = {Phase.HEALTHY: "healthy", Phase.SUSPECT: "suspect", Phase.SILENT: "silent"}
ACTIONS = {"probe": Action.PROBE, "sample": Action.SAMPLE, "move": Action.MOVE, "report": Action.REPORT, "reading": Action.READING}
VERDICTS = {Verdict.AGAIN: "again", Verdict.UNSAFE: "unsafe", Verdict.SUSPECT: "suspect", Verdict.OVER_BUDGET: "over budget"}
REASONS = {Reason.NOTHING: "nothing", Reason.ROOM: "room", Reason.ENDPOINT: "endpoint", Reason.NEWS: "news"}
DECISIONS = {
    Decision.JOIN: "join", Decision.JOIN_FIRST: "join first", Decision.GIVE_UP: "give up", Decision.NO_QUEUE: "no queue",
    Decision.QUEUE_FULL: "queue full", Decision.GO_ON: "go on", Decision.LOOK_AGAIN: "look again",
    Decision.WAIT_FOR_ENDPOINT: "wait for endpoint",
}
STATES = {
    "read": State.READ, "buffer": State.BUFFER, "pending": State.PENDING, "connect": State.CONNECT, "send": State.SEND,
    "respond": State.RESPOND, "tunnel": State.TUNNEL, "done": State.DONE,
}


def check_state_step(str before, str after):
    """AssertionError: an exchange does not go from one state to the other."""
    check_step(<State><int>STATES[before], <State><int>STATES[after])


cdef set words_of(int actions):
    return {word for word, action in ACTIONS.items() if actions & action}


cdef class Outlier:
    """An endpoint's OutlierState and the events that change it; times in milliseconds."""

    cdef OutlierState state

    def waits(self, int64_t begun):
        waits(&self.state, begun)

    def left(self):
        """A late request was answered, or moved to another endpoint."""
        self.state.late -= 1

    def answers(self, int64_t now):
        answers(&self.state, now)

    def probe_sent(self, int64_t now):
        probe_sent(&self.state, now)

    def probe_unsent(self, int64_t now):
        probe_unsent(&self.state, now)

    def probe_is_due(self, int64_t now):
        return bool(probe_is_due(&self.state, now))

    def sampled(self, int64_t begun, int64_t now):
        sampled(&self.state, begun, now)

    def sample_answered(self, int64_t sampled_at, int64_t now):
        return bool(sample_answered(&self.state, sampled_at, now))

    def failed(self, str kind, int64_t now):
        has_failed(&self.state, <Fault><int>FAULTS[kind], now)

    def went_well(self):
        return bool(went_well(&self.state))

    def told(self):
        """The control process was notified of the endpoint."""
        self.state.told_bad = self.state.streak > 0

    def restart(self):
        restart(&self.state)

    def calm(self):
        calm(&self.state)

    def still_watched(self, int64_t now, bint gone=False):
        return bool(still_watched(&self.state, gone, now))

    def judge(self, int64_t now, *, int size=4, int well=3, int idle=0, int silent=0, int64_t answered_at=0, int64_t usual=0,
              bint keyed=False, bint member=True, uint64_t queue=1, int vain=0):
        """The names of the Actions that follow."""
        cdef ServiceView view = ServiceView(queue, size, well, idle, silent, answered_at, 0, 0, False, vain, keyed)
        limits(&view, usual)
        return words_of(judge(&self.state, &view, member, now))

    def __getattr__(self, str name):
        return PHASES[self.state.phase] if name == "phase" else (<dict>self.state)[name]


cdef class Retry:
    """A request's RetryState, with its own retry budget; times in milliseconds."""

    cdef RetryState state
    cdef RetryBudget budget
    cdef list blamed

    def __init__(self, bint idempotent=True, bint reads_only=True, bint body_sent=False, int repeats=0):
        self.state = RetryState(idempotent, reads_only, body_sent, False, repeats)
        self.budget.saved = FIRST

    def spend_all(self, int64_t now):
        """Use up the budget."""
        self.budget.saved, self.budget.looked = 0, now

    def after_break(self, int64_t now, *, bint unseen=False, bint stale=False, bint was_stopped=False):
        return VERDICTS[after_break(&self.state, unseen, stale, was_stopped, &self.budget, now)]

    def may_leave_dead(self, *, bint unseen=False, bint was_stopped=False):
        return bool(may_leave_dead(&self.state, unseen, was_stopped))

    def may_leave_silent(self, bint body_done=True):
        return bool(may_leave_silent(&self.state, body_done))

    def may_leave_failing(self, int status, statuses, bint body_done=True):
        cdef int retried = sum(1 << (each - 500) for each in statuses)
        return bool(may_leave_failing(&self.state, status, retried, body_done))

    def moved(self):
        moved(&self.state)

    def blame(self, Endpoint endpoint):
        """It was this endpoint that broke the request off."""
        self.blamed = blame(self.blamed, endpoint)

    def acquit(self):
        """The endpoints that are blamed still."""
        self.blamed = acquit(&self.state, self.blamed)
        return [endpoint for endpoint, _ in self.blamed or ()]

    def __getattr__(self, str name):
        return (<dict>self.state)[name]


cdef class Budget:
    """A service's RetryBudget, in requests; times in milliseconds. earned: by a new one; first: it begins with; most: that it may save."""

    cdef RetryBudget budget
    earned = EARNED / 1000.0
    first = FIRST / 1000.0
    most = MOST / 1000.0

    def __init__(self):
        self.budget.saved = FIRST

    def earn(self, int count=1):
        """So many new requests."""
        cdef int _each
        for _each in range(count):
            earn_retry(&self.budget)

    def spend(self, int64_t now):
        return bool(spend_retry(&self.budget, now))

    @property
    def saved(self):
        return self.budget.saved / 1000.0


cdef class Pending:
    """A request's PendingState; times in milliseconds."""

    cdef PendingState state

    def for_room(self, int64_t now, *, bint failed=False, int64_t queue_ms=1000, bint has_place=True):
        return self.decided(for_room(&self.state, failed, queue_ms, has_place, now))

    def for_endpoint(self, int64_t now, int64_t end, *, bint failed=False, bint has_place=True):
        return self.decided(for_endpoint(&self.state, failed, end, has_place, now))

    def for_news(self, int64_t now, *, bint failed=True, int64_t wait_ms=10_000, bint has_place=True):
        return self.decided(for_news(&self.state, failed, wait_ms, has_place, now))

    def for_cause(self, int64_t now, *, bint acquitted=False, bint others=False, bint empty=False, int64_t wait_ms=10_000):
        return self.decided(for_cause(&self.state, acquitted, others, empty, wait_ms, now))

    def decided(self, int decision):
        word = DECISIONS[decision]
        self.state.joined = self.state.joined or word in ("join", "join first")
        return word

    def served(self):
        """An endpoint has accepted the request."""
        self.state.reason = Reason.NOTHING

    def __getattr__(self, str name):
        return REASONS[self.state.reason] if name == "reason" else (<dict>self.state)[name]


cdef class Attempt(Waiter):
    """A simulated idempotent request without sockets: candidates, retries, budget and queue as in a worker. Times in milliseconds.

    woken: called with it when the queue has its turn.
    """

    cdef readonly Route route
    cdef readonly Member member         # that has it now; None: nobody
    cdef Candidates candidates
    cdef RetryState state
    cdef PendingState pending
    cdef list blamed
    cdef object woken
    cdef bint full
    cdef bint broken                    # the last endpoint refused it or broke off, since it waited last
    cdef readonly bint in_queue
    cdef readonly int64_t begun
    cdef bint late
    cdef readonly Member accused        # that it was taken from, silent or with an error; None: nobody
    cdef int64_t sampled_at             # when, as a sample; 0: it is none

    def __init__(self, Route route, uint64_t key=0, bint idempotent=True, woken=None):
        self.route, self.woken = route, woken
        self.candidates.key = key
        self.state = RetryState(idempotent, idempotent, False, False, 0)
        earn_retry(&route.queue.budget)

    @property
    def key(self):
        """The hash of the key, for pickers that use one."""
        return self.candidates.key

    @property
    def repeats(self):
        """The number of retries after an endpoint may have seen the request."""
        return self.state.repeats

    def next(self, int64_t now, Member named=None):
        """Send the request to the next candidate. Returns the candidate, or None."""
        self.full = False
        return self.go(next_member(self.route, &self.candidates, named, self.state.idempotent, now, &self.full), now)

    @property
    def until(self):
        """When it has waited in the queue for long enough."""
        return self.pending.until

    cdef int rouse(self) except -1:
        self.woken(self)
        return 0

    def join(self, int64_t now, int64_t queue_ms, int size):
        """There was no candidate. Stand in the queue, which has room for so many; the Decision's name."""
        cdef Queue queue = self.route.queue
        cdef bint has_place = len(queue) < size
        cdef Member member
        cdef Decision decision
        if len(self.route.members) == 0:
            decision = for_endpoint(&self.pending, self.broken, queue.empty_since + self.route.wait_ms, has_place, now)
            self.broken = False
        elif self.full:
            decision = for_room(&self.pending, self.broken, queue_ms, has_place, now)
            self.broken = False
            for member in self.route.members if decision == Decision.JOIN or decision == Decision.JOIN_FIRST else ():
                member.endpoint.call_back(queue)
        else:
            decision = for_news(&self.pending, self.broken, self.route.wait_ms, has_place, now)
        self.in_queue = decision == Decision.JOIN or decision == Decision.JOIN_FIRST
        if self.in_queue:
            self.pending.joined = True
            queue.join(self, decision == Decision.JOIN_FIRST)
        return DECISIONS[decision]

    def look_again(self, int64_t now):
        """Woken: to the next candidate by the newest table, or None; where there was one, there may be one for the next who waits."""
        cdef Queue queue = self.route.queue
        self.in_queue = False
        self.route = queue.route
        self.candidates.tries = 0
        return self.next(now)

    def wake_next(self):
        self.route.queue.wake()

    def give_up(self):
        """It has waited for long enough."""
        self.in_queue = False
        self.route.queue.leave(self)

    @property
    def found_all_full(self):
        """The reason why there was no candidate."""
        return bool(self.full)

    @property
    def has_others(self):
        return bool(has_others(self.route, &self.candidates))

    def go(self, Member member, int64_t now):
        self.member = member
        if member is not None:
            note(&self.candidates, member)
            if member.endpoint.outlier.phase:
                probe_sent(&member.endpoint.outlier, now)
            take_on(member.endpoint)
            self.pending.reason = Reason.NOTHING
            self.begun = now
        return member

    def leave(self):
        """The endpoint no longer has the request."""
        let_go(self.member.endpoint)
        if self.late:
            self.late = False
            self.member.endpoint.outlier.late -= 1
        if self.member.endpoint.queues is not None:
            self.member.endpoint.freed()

    def waits(self):
        """The request has waited for long. A retried request does not count against its endpoint."""
        if not self.late and self.state.repeats == 0:
            self.late = True
            waits(&self.member.endpoint.outlier, self.begun)

    def answered(self, int64_t now, bint well=True):
        self.leave()
        speak(self.member.endpoint, self.route.queue.pace, now, self.begun)
        if self.accused is not None and well and self.sampled_at and sample_answered(&self.accused.endpoint.outlier, self.sampled_at, now):
            self.route.queue.vain = 0

    def broke(self, int64_t now, bint unseen):
        """Its new connection broke before a response. Returns what to do with the request."""
        cdef Endpoint endpoint = self.member.endpoint
        self.leave()
        self.broken = True
        self.blamed = acquit(&self.state, self.blamed)
        verdict = VERDICTS[after_break(&self.state, unseen, False, endpoint.stopped, &self.route.queue.budget, now)]
        if not unseen and not endpoint.stopped:
            self.blamed = blame(self.blamed, endpoint)
        self.renew()
        return verdict

    def may_leave_dead(self):
        """Whether the request may leave its endpoint, which has it and answers nobody any more."""
        self.blamed = acquit(&self.state, self.blamed)
        return bool(may_leave_dead(&self.state, False, self.member.endpoint.stopped))

    def move(self, int64_t now):
        """Move the request from a silent endpoint to one that answers, if that is allowed. Returns whether it was moved."""
        cdef Member member
        self.blamed = acquit(&self.state, self.blamed)
        if not may_leave_silent(&self.state, True):
            return False
        member = self.another(now)
        if member is None:
            return False
        self.leave()
        self.go(member, now)
        return True

    def failed(self, int64_t now, int status):
        """Its endpoint answered with this status. Ask another one, if that is allowed; whether one is asked."""
        cdef Member before = self.member, member
        self.leave()
        speak(before.endpoint, self.route.queue.pace, now, self.begun)
        self.blamed = acquit(&self.state, self.blamed)
        if not may_leave_failing(&self.state, status, self.route.retried, True):
            return False
        member = self.another(now)
        if member is None:
            return False
        self.accused, self.sampled_at = before, 0
        self.go(member, now)
        return True

    cdef Member another(self, int64_t now):
        """The candidate that it may be moved to; None: there is none, or the budget has no more."""
        self.renew()
        return elsewhere(self.route, &self.candidates, &self.state, now)

    def sample(self, int64_t now, bint reading):
        """Move the request to another endpoint as a sample. Returns whether it was moved. reading: only safe methods are."""
        cdef Member before = self.member
        cdef int64_t begun = self.begun
        if (reading and not self.state.reads_only) or not self.move(now):
            return False
        self.accused, self.sampled_at = before, now
        sampled(&before.endpoint.outlier, begun, now)
        self.route.queue.vain = min(self.route.queue.vain + 1, <int>MOST_VAIN)
        return True

    cdef int renew(self) except -1:
        cdef Route newest = self.route.queue.route
        if newest is not self.route and newest.queue is self.route.queue:
            self.route = newest
            self.candidates.tries = 0
        return 0


cdef class Reports:
    """A worker's FaultReports; times in milliseconds."""

    cdef FaultReports reports

    def __init__(self):
        self.reports = FaultReports()

    def fault(self, Member member, Queue queue, str kind, int64_t now):
        """An exchange failed. One that ends with an error status was answered before."""
        if kind == "error":
            self.answered(member, queue)
        self.reports.fault(member, queue, <Fault><int>FAULTS[kind], now)

    def fine(self, Member member, Queue queue):
        self.answered(member, queue)
        self.reports.fine(member)

    def answered(self, Member member, Queue queue):
        member.requests += 1
        queue.ended += 1

    def confirm(self, Member member, Queue queue, int64_t now):
        """Another endpoint answered well what this one failed at."""
        self.reports.confirm(member, queue, now)

    def silent(self, Member member, int unanswered):
        """This many requests wait at a silent endpoint."""
        self.reports.add(member)
        member.endpoint.outlier.unanswered += unanswered

    def take(self, int64_t now):
        return self.reports.take(now)


def judge_member(Member member, Queue queue, int64_t now):
    """The names of the Actions that follow for an endpoint of a service. Probes go to the queue."""
    cdef Watched watched
    cdef int actions
    if not still_watched(&member.endpoint.outlier, member.endpoint.gone, now):
        return set()
    watched = Watched(queue)
    actions = judge(&member.endpoint.outlier, &watched.view, watched.member_of(member.endpoint) is not None, now)
    if actions & Action.PROBE:
        queue.suspect = watched.member_of(member.endpoint)
    return words_of(actions)


def state_of(Endpoint endpoint):
    """The OutlierState as a dict, its phase as a word."""
    return <dict>endpoint.outlier | {"phase": PHASES[endpoint.outlier.phase]}


def let_pass(Endpoint endpoint, int64_t ms):
    """For its connections of HTTP/2 so much time has passed, but not for their requests."""
    cdef Link *at = endpoint.http2.all.oldest
    while at != NULL:
        age(<Http2Client>at.owner, ms)
        at = at.newer
    at = endpoint.busy.oldest
    while at != NULL:
        up = (<Exchange>at.owner).up
        at = at.newer
        if isinstance(up, Http2ClientLeg) and (<Http2ClientLeg>up).connection is not None and (<Http2ClientLeg>up).connection.own:
            age((<Http2ClientLeg>up).connection, ms)


cdef int age(Http2Client client, int64_t ms) except -1:
    client.times.heard -= ms
    client.times.busy_since -= ms
    client.times.asked -= ms
    if client.times.pinged:
        client.times.pinged -= ms
    return client.set_deadline()
