"""Compiled functions for Python: for tests, their oracles, simulations and bench/micro alone. Nothing of Haystack imports this."""
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

cimport haystack._fast.balance.ewma as ewma
from haystack._fast.balance.affinity cimport recalled, request_key, write_cookie
from haystack._fast.endpoint.endpoint cimport MAX_TRIES, Endpoint, Member, Picker, Queue, Route, let_go, speak, take_on
from haystack._fast.endpoint.fault_reports cimport FaultReports
from haystack._fast.endpoint.outlier cimport (
    Action, Fault, OutlierState, Phase, ServiceView, answers, calm, failed as has_failed, judge, limits, probe_is_due, probe_sent,
    probe_unsent, restart, sampled, still_watched, waits, went_well,
)
from haystack._fast.endpoint.retry_budget cimport FIRST, RetryBudget, earn as earn_retry, spend as spend_retry
from haystack._fast.endpoint.tally cimport slot_of
from haystack._fast.exchange.candidates cimport Candidates, has_others, next_member, note, untroubled
from haystack._fast.exchange.outliers cimport Watched
from haystack._fast.exchange.pending cimport Decision, PendingState, Reason, for_cause, for_endpoint, for_news, for_room
from haystack._fast.exchange.retry cimport (
    RetryState, Verdict, after_break, may_leave_dead, may_leave_failing, may_leave_silent, moved,
)
from haystack._fast.http1.body cimport Body, Framing, begin as begin_body, feed
from haystack._fast.http1.flaw cimport Flaw, said
from haystack._fast.http1.head cimport Head, parse_request, parse_response
from haystack._fast.http1.upgrade cimport keeps_to
from haystack._fast.log.access_line cimport Entry, Log, Text
from haystack._fast.net.poller cimport clock_ns
from haystack._fast.routing.router cimport Router
from haystack._fast.util.buffer cimport Buffer, add, release
from haystack._fast.util.digest cimport digest
from haystack._fast.util.random_numbers cimport mix


cdef object exported(Head *h, int used, bint request):
    """The head as Python objects: (size, first, second, minor, fields, length, chunked)."""
    fields = [(h.fields[i].name[:h.fields[i].name_size], h.fields[i].value[:h.fields[i].value_size]) for i in range(h.count)]
    first = h.method[:h.method_size] if request else h.status
    second = h.target[:h.target_size] if request else h.reason[:h.reason_size]
    return used, first, second, h.minor, fields, h.length, bool(h.chunked)


def request_head(bytes data):
    """Parse data as a request's head: a tuple of its parts, 0 while incomplete, or minus the status that refuses it."""
    cdef Head h
    cdef int used = parse_request(&h, data, len(data))
    return exported(&h, used, True) if used > 0 else used


def response_head(bytes data):
    """Parse data as a response's head: a tuple of its parts, 0 while incomplete, or -502."""
    cdef Head h
    cdef int used = parse_response(&h, data, len(data))
    return exported(&h, used, False) if used > 0 else -502 if used else 0


def duration_slot(int64_t ns):
    """The slot that a duration is counted in."""
    return slot_of(ns)


def flaw_of_head(bytes data, bint of_request=True):
    """Why data is refused as a head, or None."""
    cdef Head h
    cdef int used = parse_request(&h, data, len(data)) if of_request else parse_response(&h, data, len(data))
    return said(b"refused", h.flaw) if used < 0 else None


def parse_heads(bytes data, int count, bint of_request=True):
    """Parse data so many times over; gives the size of the head. ValueError: it is none."""
    cdef Head h
    cdef int _round, used = 0
    cdef const char *p = data
    cdef size_t size = len(data)
    with nogil:
        for _round in range(count):
            used = parse_request(&h, p, size) if of_request else parse_response(&h, p, size)
    if used <= 0:
        raise ValueError(f"no head: {used}")
    return used


def decode_chunks(pieces):
    """Decode a chunked body given in pieces: (body, done, bytes left over). ValueError: bad framing."""
    cdef Body b
    cdef const char *part
    cdef size_t part_size, at
    cdef Py_ssize_t used
    cdef bytes piece
    found = []
    left = b""
    begin_body(&b, Framing.CHUNKED, 0)
    for piece in pieces:
        at = 0
        while at < <size_t>len(piece) and not b.done:
            used = feed(&b, <const char *>piece + at, len(piece) - at, &part, &part_size)
            if used < 0:
                raise ValueError(said(b"bad chunk framing", b.flaw).decode())
            if not b.trailing:
                found.append(part[:part_size])
            at += used
        left += piece[at:]
    return b"".join(found), bool(b.done), left


def decode_bodies(bytes data, int count):
    """Decode data, a whole chunked body, so many times over; gives the bytes of the body. ValueError: bad framing."""
    cdef Body b
    cdef const char *p = data
    cdef const char *part
    cdef size_t part_size, at, size = len(data), found = 0
    cdef Py_ssize_t used
    cdef int _round
    for _round in range(count):
        begin_body(&b, Framing.CHUNKED, 0)
        at = found = 0
        while not b.done:
            used = feed(&b, p + at, size - at, &part, &part_size)
            if used <= 0:
                raise ValueError("bad chunk framing")
            at += used
            if not b.trailing:
                found += part_size
    return found


def flaws():
    """The texts of all flaws, in the order of the enum."""
    return [said(b"", <Flaw>each) for each in range(Flaw.FLAWS)]


def agrees(bytes request, bytes response):
    """keeps_to of two whole heads, where any protocol may be asked for that can be. ValueError: one is no such head."""
    cdef Head asked, answer
    read_head(&asked, request)
    if parse_response(&answer, response, len(response)) <= 0:
        raise ValueError("not a response's head")
    return keeps_to(&asked, (b"any",), &answer)


def digest_of(bytes data, uint64_t seed=0):
    """The digest."""
    return digest(data, len(data), seed)


cdef Text text_of(bytes held) noexcept:
    """Valid as long as `held` is."""
    cdef Text text
    text.data = held
    text.size = len(held)
    return text


def access_line(str form, object trace, fields=()):
    """The line of a Trace whose phases and time are as exact as a line tells them."""
    cdef Log log = Log(form, trace.worker, [trace.listener], fields)
    cdef Entry entry
    names = ("client", "method", "host", "target", "request_id", "error", "detail", "referrer", "user_agent", "trace_id")
    latin = [getattr(trace, name).encode("latin-1") for name in names]
    utf8 = [trace.service.encode(), trace.endpoint.encode(), "".join(f"{c}\0" for c in trace.candidates).encode()]
    entry.client, entry.method, entry.host = text_of(latin[0]), text_of(latin[1]), text_of(latin[2])
    entry.target, entry.identity = text_of(latin[3]), text_of(latin[4])
    entry.error, entry.detail = text_of(latin[5]), text_of(latin[6])
    entry.referrer, entry.agent, entry.trace_id = text_of(latin[7]), text_of(latin[8]), text_of(latin[9])
    entry.service, entry.endpoint, entry.candidates = text_of(utf8[0]), text_of(utf8[1]), text_of(utf8[2])
    entry.at_us = round(trace.time * 1000000)
    entry.listener, entry.reused, entry.status = 0, trace.reused, trace.status
    entry.version = {"1.0": 10, "2": 20}.get(trace.version, 11)
    entry.received, entry.sent = trace.received, trace.sent
    entry.route_ns, entry.connect_ns = round(trace.route_ms * 1000000), round(trace.connect_ms * 1000000)
    entry.first_ns, entry.total_ns = round(trace.first_byte_ms * 1000000), round(trace.total_ms * 1000000)
    log.write(&entry)
    return log.take()[0]


def lookup_ns(Router router, list requests, int rounds):
    """Nanoseconds a lookup takes, the requests' (host, path) pairs in turn."""
    cdef Buffer texts
    cdef int64_t start
    cdef size_t at
    cdef short sizes[2]
    memset(&texts, 0, sizeof(Buffer))
    for host, path in requests:         # one behind the other, for a request has its head in the cache
        sizes[0], sizes[1] = len(host), len(path)
        add(&texts, <char *>sizes, 4)
        add(&texts, host, len(host))
        add(&texts, path, len(path))
    start = clock_ns()
    for _ in range(rounds):
        at = 0
        while at < texts.end:
            memcpy(sizes, texts.data + at, 4)
            router.find(0, texts.data + at + 4, sizes[0], texts.data + at + 4 + sizes[0], sizes[1])
            at += 4 + sizes[0] + sizes[1]
    start = clock_ns() - start
    release(&texts)
    return start / (rounds * len(requests))


cdef int read_head(Head *h, bytes head) except -1:
    if parse_request(h, head, len(head)) <= 0:
        raise ValueError("not a request's head")
    return 0


def key_of(Route route, bytes head, bytes address):
    """request_key of a request's head as it came. ValueError: no whole head."""
    cdef Head h
    read_head(&h, head)
    return request_key(route, &h, address, <int>len(address))


def recall(Route route, bytes head):
    """`recalled` of a request's head as it came. ValueError: no whole head."""
    cdef Head h
    read_head(&h, head)
    return recalled(route, &h)


def cookie_line(Route route, Member member):
    """What write_cookie writes."""
    cdef Buffer b
    b.data = NULL
    b.start = b.end = b.capacity = 0
    try:
        write_cookie(&b, route, member)
        return b.data[:b.end]
    finally:
        release(&b)


def pass_time(double seconds):
    """Put the pickers' clock forward."""
    ewma.ahead += <int64_t>(seconds * 1e9)


def choose(Picker picker, list tried, uint64_t key=0):
    """Pick once, skipping the members in tried."""
    cdef void *pointers[MAX_TRIES]
    cdef int i
    for i in range(min(len(tried), <Py_ssize_t>MAX_TRIES)):
        pointers[i] = <void *>tried[i]
    return picker.pick(key, pointers, <int>len(tried))


def load(Endpoint endpoint, int by):
    """Put so many exchanges in flight on a endpoint, or take them away."""
    cdef int _i
    for _i in range(abs(by)):
        if by > 0:
            take_on(endpoint)
        else:
            let_go(endpoint)


def hear(Picker picker, Member member, double seconds):
    """Tell a picker that a member answered after so long, or failed where it is negative."""
    if seconds < 0:
        picker.failed(member)
    else:
        picker.answered(member, <int64_t>(seconds * 1e9))


def earn(Queue queue):
    """Tell a service's retry budget of a new request."""
    earn_retry(&queue.budget)


def spend(Queue queue, double now):
    """Whether the budget lets a request be sent again. now: seconds of a clock that only grows."""
    return spend_retry(&queue.budget, <int64_t>(now * 1000))


def picks_ns(Picker picker, int64_t times):
    """Nanoseconds that so many picks took in all, and their taking on and letting go: each is in flight while 64 more are picked."""
    cdef void *held[64]
    cdef int64_t i, start
    cdef Member member
    for i in range(64):
        held[i] = NULL
    start = clock_ns()
    for i in range(times + 64):
        if held[i & 63] != NULL:
            let_go((<Member>held[i & 63]).endpoint)
            held[i & 63] = NULL
        if i < times:
            member = picker.pick(mix(i), NULL, 0)
            take_on(member.endpoint)
            held[i & 63] = <void *>member
    return clock_ns() - start


FAULTS = {"refused": Fault.REFUSED, "reset": Fault.RESET, "timeout": Fault.TIMEOUT, "error": Fault.ERROR}
PHASES = {Phase.HEALTHY: "healthy", Phase.SUSPECT: "suspect", Phase.SILENT: "silent"}
ACTIONS = {"probe": Action.PROBE, "sample": Action.SAMPLE, "move": Action.MOVE, "report": Action.REPORT}
VERDICTS = {Verdict.AGAIN: "again", Verdict.UNSAFE: "unsafe", Verdict.SUSPECT: "suspect", Verdict.OVER_BUDGET: "over budget"}
REASONS = {Reason.NOTHING: "nothing", Reason.ROOM: "room", Reason.ENDPOINT: "endpoint", Reason.NEWS: "news"}
DECISIONS = {
    Decision.JOIN: "join", Decision.JOIN_FIRST: "join first", Decision.GIVE_UP: "give up", Decision.NO_QUEUE: "no queue",
    Decision.QUEUE_FULL: "queue full", Decision.GO_ON: "go on", Decision.LOOK_AGAIN: "look again",
    Decision.WAIT_FOR_ENDPOINT: "wait for endpoint",
}


cdef set words_of(int actions):
    return {word for word, action in ACTIONS.items() if actions & action}


cdef class Outlier:
    """One endpoint's OutlierState, and what may happen to it; times in milliseconds."""

    cdef OutlierState state

    def waits(self, int64_t begun):
        waits(&self.state, begun)

    def left(self):
        """One of the late ones has an answer, or waits elsewhere."""
        self.state.late -= 1

    def answers(self, int64_t now):
        answers(&self.state, now)

    def probe_sent(self, int64_t now):
        probe_sent(&self.state, now)

    def probe_unsent(self, int64_t now):
        probe_unsent(&self.state, now)

    def probe_is_due(self, int64_t now):
        return bool(probe_is_due(&self.state, now))

    def sampled(self, int64_t now):
        sampled(&self.state, now)

    def failed(self, str kind, int64_t now):
        has_failed(&self.state, <Fault><int>FAULTS[kind], now)

    def went_well(self):
        return bool(went_well(&self.state))

    def told(self):
        """The control process was told of it."""
        self.state.told_bad = self.state.streak > 0

    def restart(self):
        restart(&self.state)

    def calm(self):
        calm(&self.state)

    def still_watched(self, int64_t now, bint gone=False):
        return bool(still_watched(&self.state, gone, now))

    def judge(self, int64_t now, *, int size=4, int well=3, int idle=0, int silent=0, int64_t answered_at=0, int64_t usual=0,
              bint keyed=False, bint member=True, uint64_t queue=1):
        """The words of the actions that are to follow."""
        cdef ServiceView view = ServiceView(queue, size, well, idle, silent, answered_at, 0, 0, keyed)
        limits(&view, usual)
        return words_of(judge(&self.state, &view, member, now))

    def __getattr__(self, str name):
        return PHASES[self.state.phase] if name == "phase" else (<dict>self.state)[name]


cdef class Retry:
    """One request's RetryState, with a budget of its own; times in milliseconds."""

    cdef RetryState state
    cdef RetryBudget budget

    def __init__(self, bint idempotent=True, bint reads_only=True, bint body_sent=False, int repeats=0):
        self.state = RetryState(idempotent, reads_only, body_sent, False, repeats)
        self.budget.saved = FIRST

    def spend_all(self, int64_t now):
        """Nothing is left of the budget."""
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

    def __getattr__(self, str name):
        return (<dict>self.state)[name]


cdef class Pending:
    """One request's PendingState; times in milliseconds."""

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
        """An endpoint has taken the request."""
        self.state.reason = Reason.NOTHING

    def __getattr__(self, str name):
        return REASONS[self.state.reason] if name == "reason" else (<dict>self.state)[name]


cdef class Attempt:
    """A request that only reads, on its way without sockets: candidates, retries and budget as in a worker. Times in milliseconds."""

    cdef readonly Route route
    cdef readonly Member member         # that has it now; None: nobody
    cdef Candidates candidates
    cdef RetryState state
    cdef bint full
    cdef readonly int64_t begun
    cdef bint late

    def __init__(self, Route route, uint64_t key=0, bint idempotent=True):
        self.route = route
        self.candidates.key = key
        self.state = RetryState(idempotent, idempotent, False, False, 0)
        earn_retry(&route.queue.budget)

    @property
    def repeats(self):
        """How often it was sent again though an endpoint may have seen it."""
        return self.state.repeats

    def next(self, int64_t now, Member named=None):
        """Send it to the next candidate: which one, or None."""
        self.full = False
        return self.go(next_member(self.route, &self.candidates, named, self.state.idempotent, now, &self.full), now)

    @property
    def found_all_full(self):
        """Why there was no candidate."""
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
            self.begun = now
        return member

    def leave(self):
        """Its endpoint has it no longer."""
        let_go(self.member.endpoint)
        if self.late:
            self.late = False
            self.member.endpoint.outlier.late -= 1

    def waits(self):
        """It has waited for an answer for long; one that was sent again says nothing against its endpoint."""
        if not self.late and self.state.repeats == 0:
            self.late = True
            waits(&self.member.endpoint.outlier, self.begun)

    def answered(self, int64_t now):
        self.leave()
        speak(self.member.endpoint, self.route.queue.pace, now, self.begun)

    def broke(self, int64_t now, bint unseen):
        """Its connection, a new one, broke before a response: what is to become of it."""
        self.leave()
        verdict = VERDICTS[after_break(&self.state, unseen, False, False, &self.route.queue.budget, now)]
        self.renew()
        return verdict

    def move(self, int64_t now):
        """To an endpoint that answers, from one that is silent, where that may be; whether it was."""
        cdef Member member
        if not may_leave_silent(&self.state, True):
            return False
        self.renew()
        member = untroubled(self.route, &self.candidates, self.state.idempotent, now)
        if member is None or not spend_retry(&self.route.queue.budget, now):
            return False
        moved(&self.state)
        self.candidates.passed = 0
        self.leave()
        self.go(member, now)
        return True

    cdef int renew(self) except -1:
        cdef Route newest = self.route.queue.route
        if newest is not self.route and newest.queue is self.route.queue:
            self.route = newest
            self.candidates.tries = 0
        return 0


cdef class Reports:
    """FaultReports of a worker; times in milliseconds."""

    cdef FaultReports reports

    def __init__(self):
        self.reports = FaultReports()

    def fault(self, Member member, Queue queue, str kind, int64_t now):
        """An exchange failed; what ends with an error was answered before."""
        if kind == "error":
            self.answered(member, queue)
        self.reports.fault(member, queue, <Fault><int>FAULTS[kind], now)

    def fine(self, Member member, Queue queue):
        self.answered(member, queue)
        self.reports.fine(member)

    def answered(self, Member member, Queue queue):
        member.requests += 1
        queue.ended += 1

    def silent(self, Member member, int unanswered):
        """So many requests wait at an endpoint that is silent."""
        self.reports.add(member)
        member.endpoint.outlier.unanswered = unanswered

    def take(self, int64_t now):
        return self.reports.take(now)


def judge_member(Member member, Queue queue, int64_t now):
    """The words of the actions that are to follow for one endpoint of a service: the probe is given to the queue here."""
    cdef Watched watched
    cdef int actions
    if not still_watched(&member.endpoint.outlier, member.endpoint.gone, now):
        return set()
    watched = Watched(queue)
    actions = judge(&member.endpoint.outlier, &watched.view, watched.member_of(member.endpoint) is not None, now)
    if actions & Action.PROBE:
        queue.suspect = watched.member_of(member.endpoint)
    return words_of(actions)


def note_sample(Member member, int64_t now):
    """One of its requests went elsewhere."""
    sampled(&member.endpoint.outlier, now)


def state_of(Endpoint endpoint):
    """The OutlierState as a dict, its phase as a word."""
    return <dict>endpoint.outlier | {"phase": PHASES[endpoint.outlier.phase]}
