"""What concerns many connections of a worker at once and happens seldom: a drain, an endpoint that died."""
from haystack._fast.connection.server cimport ServerConnection
from haystack._fast.endpoint.endpoint cimport Endpoint
from haystack._fast.exchange.dispatch cimport rescue as rescue_one
from haystack._fast.exchange.exchange cimport Exchange
from haystack._fast.exchange.states cimport State
from haystack._fast.net.poller cimport Pollable, clock_ns, set_time
from haystack._fast.net.transport cimport Transport
from haystack._fast.util.linked_list cimport Link
from haystack._fast.worker.worker_state cimport WorkerState


def close_idle(WorkerState worker):
    """Close the clients that are between two requests; how many are left in an exchange."""
    cdef void *at = worker.poller.first
    cdef Pollable each
    cdef ServerConnection client
    cdef int busy = 0
    while at != NULL:
        each = <Pollable>at
        at = each.behind
        if isinstance(each, Transport) and isinstance((<Transport>each).owner, ServerConnection):
            client = <ServerConnection>(<Transport>each).owner
            if client.is_at_rest():
                client.close()
            else:
                busy += 1
    return busy


def announce_end(WorkerState worker):
    """Tell the clients that this worker is about to end, where their protocol has a word for that."""
    cdef void *at = worker.poller.first
    cdef Pollable each
    while at != NULL:
        each = <Pollable>at
        at = each.behind
        if isinstance(each, Transport) and isinstance((<Transport>each).owner, ServerConnection):
            (<ServerConnection>(<Transport>each).owner).drain()


def rescue(WorkerState worker, set endpoints):
    """Send the exchanges that wait for an answer of these endpoints elsewhere; how many."""
    cdef Endpoint endpoint
    cdef Link *at
    cdef Exchange exchange
    cdef list found = []
    set_time(worker.poller, clock_ns())     # as it was at the last event, or long before it
    for endpoint in endpoints:
        at = endpoint.busy.oldest
        while at != NULL:
            found.append(<Exchange>at.owner)
            at = at.newer
    for exchange in found:          # each may open and close others
        if exchange.state != State.DONE:
            rescue_one(exchange)
    return len(found)


def in_flight(Endpoint endpoint, str service):
    """How many exchanges of this service it has in flight: requests, answers that go on, tunnels; of an empty one: of all services."""
    cdef Link *at = endpoint.busy.oldest
    cdef int found = 0
    if not service:
        return endpoint.in_flight
    while at != NULL:
        found += (<Exchange>at.owner).route.service == service
        at = at.newer
    return found
