"""What concerns many connections of a worker at once and happens seldom: a drain, an endpoint that died."""
from haystack._fast.endpoint.endpoint cimport Cell
from haystack._fast.exchange.downstream cimport Downstream
from haystack._fast.exchange.upstream cimport Upstream
from haystack._fast.exchange.worker_state cimport Plane
from haystack._fast.net.poller cimport Stream, clock_ns
from haystack._fast.util.linked_list cimport Link


def close_idle(Plane plane):
    """Close the clients that are between two requests; how many are left in an exchange."""
    cdef void *at = plane.poller.first
    cdef Stream stream
    cdef Downstream down
    cdef int busy = 0
    while at != NULL:
        stream = <Stream>at
        at = stream.behind
        if isinstance(stream, Downstream):
            down = <Downstream>stream
            if down.is_at_rest():
                down.close()
            else:
                busy += 1
    return busy


def rescue(Plane plane, set cells):
    """Send the exchanges that wait for an answer of these endpoints elsewhere; how many."""
    cdef Cell cell
    cdef Link *at
    cdef Upstream up
    cdef list found = []
    plane.poller.now = clock_ns() // 1000000        # as it was at the last event, or long before it
    for cell in cells:
        at = cell.busy.oldest
        while at != NULL:
            found.append(<Upstream>at.owner)
            at = at.newer
    for up in found:                # each may open and close others
        if up.exchange is not None:
            up.exchange.rescue()
    return len(found)
