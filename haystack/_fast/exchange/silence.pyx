"""Endpoints that accept and never answer: found by what others of their service do meanwhile, long before a time limit.

An endpoint is doubted when it has said nothing since a request went there, for longer than is usual in its service (latency.pyx), and
others answer. Then it is sent one or two more requests, and judged silent if those are not answered either while others are: what it was
asked goes elsewhere where it may be repeated, and it is sent one request at a time, from time to time, until it answers. Slow services are
safe: where as many wait as answer nobody is doubted, never more than half are judged silent, and a request that was moved is evidence of
nothing. Called with the tick of the worker: requests pay for a few stores.
"""
from libc.stdint cimport int64_t

from haystack._fast.endpoint.endpoint cimport Cell, KeyKind, Member, Queue, Route, Silence
from haystack._fast.exchange.exchange cimport State
from haystack._fast.exchange.upstream cimport Upstream
from haystack._fast.exchange.worker_state cimport Plane
from haystack._fast.net.poller cimport Stream
from haystack._fast.util.buffer cimport pending

cdef enum:
    QUIET_MS = 250          # without a word before an endpoint is doubted,
    DOUBLED = 3             # and twice as long, so many times, after each doubt in vain: one slow request must not bring all others
    TRIAL_MS = 80           # that a trial is given
    ENOUGH = 3              # requests without an answer, trials among them, before it is judged
    MANY = 5                # of these, and four times the time, need no trial: none came that could be one
    PAUSE_MS = 1000         # before one that is silent has its next trial, twice as long each time,
    LONGEST_MS = 60000      # to this
    FORGET_MS = 600000      # after which one that has not come back is forgotten

cdef double SLOWER = 1.5    # than what is usual


cdef class View:
    """What a service's members do now, on one listener."""

    cdef Route route
    cdef int64_t quiet, trial       # milliseconds that are too long
    cdef int64_t spoke              # when one of them last began an answer
    cdef int well, idle, silent, size   # members that nobody waits for long for; that have no request at all; that are silent; all

    def __init__(self, Queue queue):
        cdef Member member
        cdef int64_t usual = <int64_t>(SLOWER * queue.pace.usual())
        self.route = queue.route
        for member in self.route.members:
            self.spoke = max(self.spoke, member.cell.spoke)
            self.well += member.cell.late == 0
            self.idle += member.cell.in_flight == 0
            self.silent += member.cell.silence == Silence.SILENT
        self.size = <int>len(self.route.members)
        self.quiet = max(<int64_t>QUIET_MS, usual)
        self.trial = max(<int64_t>TRIAL_MS, usual)

    cdef Member member_of(self, Cell cell):
        cdef Member member
        for member in self.route.members:
            if member.cell is cell:
                return member
        return None

    cdef bint others_answer(self, int64_t since) noexcept:
        """Whether somebody has answered since then, and half of the others keep nobody waiting."""
        return self.size > 1 and self.spoke > since and 2 * self.well >= self.size - 1


def look(Plane plane):
    """Judge the endpoints at which requests wait for long. Costs nothing where none does."""
    cdef Member member
    cdef Route route
    cdef list late = plane.late
    if not late:
        return
    plane.late = []
    views = {}
    for member, route in late:
        if member.cell.silence == Silence.SILENT:
            if member.cell.gone and plane.poller.now - member.cell.again > FORGET_MS:
                member.cell.calm()
        elif member.cell.late == 0:
            member.cell.calm()
        if member.cell.late == 0 and member.cell.silence == Silence.CALM:
            member.watched = False
            continue
        plane.late.append((member, route))
        view = views.get(route.queue)
        if view is None:
            view = views[route.queue] = View(route.queue)
        judge(plane, view, member.cell)


cdef int judge(Plane plane, View view, Cell cell) except -1:
    """One step of what is thought of an endpoint."""
    cdef Member member = view.member_of(cell)
    cdef int64_t now = plane.poller.now, quiet = view.quiet << min(cell.doubts, <int>DOUBLED)
    if (member is None or view.size < 2) and cell.doubter is view.route.queue and cell.silence == Silence.DOUBTED:
        drop(cell)                      # it has left the service that could compare it, or all others have
    if member is None:
        return move(plane, cell, cell.in_flight) if cell.late and cell.silence == Silence.SILENT else 0
    if cell.silence == Silence.SILENT:
        return try_again(plane, view, member)
    if view.size < 2:
        return 0                        # nobody to compare it with here; under another of its names there may be
    if cell.quiet_since == 0 and cell.late:
        cell.quiet_since = cell.spoke   # it answered something, and there are still those that wait
    if cell.quiet_since == 0 or now - cell.quiet_since < quiet:
        return 0
    if not view.others_answer(cell.quiet_since):
        if cell.silence == Silence.DOUBTED and cell.doubter is view.route.queue:
            drop(cell)
        return sample(plane, view, cell)
    if cell.sampled and view.others_answer(cell.sampled):
        return condemn(plane, view, member)
    if cell.silence == Silence.CALM:
        cell.silence = Silence.DOUBTED
        cell.doubter = view.route.queue
        cell.again = now
    if cell.trials < max(1, ENOUGH - cell.late):
        view.route.queue.suspect = member
        if now > cell.again:
            sample(plane, view, cell)   # no trial has come for a tick
        if cell.late < MANY or now - cell.quiet_since < 4 * quiet:
            return 0
    elif now - cell.tried_at < view.trial or not view.others_answer(cell.tried_at):
        return 0
    return condemn(plane, view, member)


cdef void drop(Cell cell) noexcept:
    """The doubt: nobody is there any more to be compared with. Requests are late all the same."""
    cell.doubter = None
    cell.silence = Silence.CALM
    cell.trials = 0
    cell.shunned = 0


cdef int sample(Plane plane, View view, Cell cell) except -1:
    """Nobody is asked any more: all clients wait here, and half of the service is idle. See how another one answers one of them.

    Where requests go by a key or cookie, many at one endpoint are no wonder.
    """
    if cell.sampled or cell.late < ENOUGH or 2 * view.idle < view.size or view.route.sticky is not None:
        return 0
    if view.route.key_kind == KeyKind.BY_NOTHING and move(plane, cell, 1):
        cell.sampled = plane.poller.now - 1     # answers may come within this millisecond
    return 0


cdef int condemn(Plane plane, View view, Member member) except -1:
    """It is silent, unless half of its service is already."""
    cdef Cell cell = member.cell
    if 2 * (view.silent + 1) > view.size:
        return 0
    cell.silence = Silence.SILENT
    cell.shunned = 1 << 62
    cell.pause = PAUSE_MS
    view.silent += 1
    return tell(plane, member)


cdef int try_again(Plane plane, View view, Member member) except -1:
    """It is silent: have it tried when its time has come, and put off for longer where that was in vain."""
    cdef Cell cell = member.cell
    cdef int64_t now = plane.poller.now
    if cell.trials:
        if now - cell.tried_at < view.quiet:
            return 0
        cell.pause = min(2 * cell.pause, <int64_t>LONGEST_MS)
        return tell(plane, member)
    if now >= cell.again:
        view.route.queue.suspect = member
    return move(plane, cell, cell.in_flight) if cell.late else 0


cdef int tell(Plane plane, Member member) except -1:
    """Requests went unanswered: news for the control process; they go elsewhere, and the next trial is put off."""
    cdef Cell cell = member.cell
    plane.tell_of(member)
    cell.quiet_ms = plane.poller.now - (cell.quiet_since or cell.tried_at)
    cell.trials = 0
    cell.again = plane.poller.now + cell.pause
    cell.unanswered = move(plane, cell, cell.in_flight)
    return 0


cdef int move(Plane plane, Cell cell, int most) except -1:
    """Move so many of those that wait for this endpoint to others, where that may be; how many wait, moved or not."""
    cdef void *at = plane.poller.first
    cdef Stream stream
    cdef Upstream up
    cdef list waiting = []
    while at != NULL:
        stream = <Stream>at
        at = stream.behind
        if isinstance(stream, Upstream):
            up = <Upstream>stream
            if up.cell is cell and up.exchange is not None and not up.started and up.exchange.state == State.EXCHANGING and (
                pending(&up.input) == 0
            ):
                waiting.append(up)
    for up in waiting:              # each may open and close others
        if most and up.exchange is not None and up.exchange.forsake():
            most -= 1
    return <int>len(waiting)
