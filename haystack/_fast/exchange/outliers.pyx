"""Endpoints that keep requests waiting: looks at them with each tick of the worker, and carries out what endpoint/outlier.pyx decides.

Costs nothing where no request waits for long: requests pay for a few stores.
"""
from libc.stdint cimport int64_t

from haystack._fast.endpoint.endpoint cimport is_keyed
from haystack._fast.endpoint.outlier cimport MOST_VAIN, Action, OutlierState, Phase, judge, limits, sampled, still_watched
from haystack._fast.exchange.dispatch cimport forsake
from haystack._fast.exchange.exchange cimport Exchange
from haystack._fast.exchange.states cimport State
from haystack._fast.util.linked_list cimport Link


cdef class Watched:
    """What a service's members do now, on one listener."""

    def __init__(self, Queue queue):
        cdef Member member
        self.route = queue.route
        self.view.queue = queue.serial
        self.view.size = <int>len(self.route.members)
        self.view.keyed = is_keyed(self.route)
        self.view.vain = queue.vain
        limits(&self.view, queue.pace.usual())
        for member in self.route.members:
            self.view.answered_at = max(self.view.answered_at, member.endpoint.outlier.answered_at)
            self.view.well += member.endpoint.outlier.late == 0
            self.view.idle += member.endpoint.in_flight == 0
            self.view.silent += member.endpoint.outlier.phase == Phase.SILENT
        if queue.waiting:
            self.view.idle = 0          # there is no room for a sample: requests wait for it, and come first

    cdef Member member_of(self, Endpoint endpoint):
        cdef Member member
        for member in self.route.members:
            if member.endpoint is endpoint:
                return member
        return None


def look(WorkerState worker):
    """Judge the endpoints at which requests wait for long."""
    cdef Member member
    cdef Route route
    cdef Watched watched
    cdef list late = worker.late
    if not late:
        return
    worker.late = []
    services = {}
    for member, route in late:
        if not still_watched(&member.endpoint.outlier, member.endpoint.gone, worker.poller.now):
            member.watched = False
            continue
        worker.late.append((member, route))
        watched = services.get(route.queue)
        if watched is None:
            watched = services[route.queue] = Watched(route.queue)
        act(worker, watched, member.endpoint)


cdef int act(WorkerState worker, Watched watched, Endpoint endpoint) except -1:
    """Judge one endpoint, and do what follows."""
    cdef OutlierState *state = &endpoint.outlier
    cdef Member member = watched.member_of(endpoint)
    cdef list waiting
    cdef int actions = judge(state, &watched.view, member is not None, worker.poller.now)
    if actions & Action.PROBE:
        watched.route.queue.suspect = member
    if actions & Action.SAMPLE:
        sample(member, watched.route.queue, actions & Action.READING, worker.poller.now)
    if actions & Action.MOVE:
        move(endpoint, waiting_for(endpoint), endpoint.in_flight)
    if actions & Action.REPORT:
        worker.reports.add(member)
        waiting = waiting_for(endpoint)
        state.unanswered += <int64_t>len(waiting)
        move(endpoint, waiting, endpoint.in_flight)
    return 0


cdef int sample(Member member, Queue queue, bint reading, int64_t now) except -1:
    """Move one request elsewhere, to see how soon it is answered there: the newest, for an older one may be slow by itself."""
    cdef Exchange x
    cdef int64_t begun
    for x in reversed(waiting_for(member.endpoint)):
        begun = x.up.begun
        if (x.retries.reads_only or not reading) and forsake(x, member):
            sampled(&member.endpoint.outlier, begun, now)
            queue.vain = min(queue.vain + 1, <int>MOST_VAIN)
            break
    return 0


cdef list waiting_for(Endpoint endpoint):
    """The exchanges that wait for an answer of this endpoint."""
    cdef Link *at = endpoint.busy.oldest
    cdef Exchange exchange
    cdef list waiting = []
    while at != NULL:
        exchange = <Exchange>at.owner
        at = at.newer
        if exchange.state == State.SEND and exchange.up.is_waiting():
            waiting.append(exchange)
    return waiting


cdef int move(Endpoint endpoint, list waiting, int most) except -1:
    """Move at most so many of these exchanges to other endpoints, where that may be; how many."""
    cdef Exchange exchange
    cdef int moved = 0
    for exchange in waiting:        # each may open and close others
        if moved < most and exchange.state == State.SEND and exchange.member.endpoint is endpoint and forsake(exchange, None):
            moved += 1
    return moved
