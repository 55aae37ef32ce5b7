"""From a request that is ready to a leg that carries it to an endpoint.

Which endpoint is next, whether a request may be sent again, and what it waits for is decided in candidates.pyx, retry.pyx and pending.pyx,
which know no socket; here that is carried out. Reads nothing from the client.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from haystack._fast.connection.leg cimport Peer, UpLeg
from haystack._fast.connection.pool cimport dial, pooled
from haystack._fast.endpoint.endpoint cimport Endpoint, Member, Queue, Route, take_on
from haystack._fast.endpoint.outlier cimport Fault, probe_sent, probe_unsent, sample_answered
from haystack._fast.endpoint.retry_budget cimport earn
from haystack._fast.exchange.admit cimport describe_client
from haystack._fast.exchange.candidates cimport elsewhere, has_others, next_member, note
from haystack._fast.exchange.pending cimport Decision, Reason, for_cause, for_endpoint, for_news, for_room
from haystack._fast.exchange.record cimport note_retry, note_try
from haystack._fast.exchange.retry cimport (
    MOST_REPEATS, Verdict, acquit, after_break, blame, may_leave_dead, may_leave_failing, may_leave_silent,
)
from haystack._fast.exchange.states cimport State, step
from haystack._fast.http1.forwarding cimport find_client
from haystack._fast.http1.head cimport Head
from haystack._fast.http1.serialize cimport Client
from haystack._fast.http1.target cimport NO_LIMIT
from haystack._fast.net.poller cimport clock_ns
from haystack._fast.net.proxy_header cimport MOST_WRITTEN, write_header
from haystack._fast.util.linked_list cimport join as join_list

cdef enum:
    MAX_WHY = 400           # bytes of a reason that go to a client: what to type stands at its end
    HEDGE_MS = 100          # for a connection while another endpoint is there: a lost SYN is sent again only after a second

cdef const char *ANSWERED[5]
ANSWERED[:] = [b"status 500", b"status 501", b"status 502", b"status 503", b"status 504"]


cdef int begin_dispatch(Exchange x) except -1:
    """The request is ready: find it an endpoint."""
    renew(x)                            # the body may have taken its time
    earn(&x.route.queue.budget)
    x.blamed = None
    x.attempt.crowd = <int>len(x.route.members)
    return dispatch(x)


cdef int dispatch(Exchange x) except -1:
    """Send it to the next candidate. None left: wait, or say what went wrong with the last."""
    cdef Member member
    cdef bint full = False
    if len(x.route.members) == 0:
        return wait_for_endpoint(x)
    while True:
        member = next_member(x.route, &x.candidates, x.named, x.retries.idempotent, x.worker.poller.now, &full)
        if member is None:
            return wait_for_room(x) if full else exhausted(x)
        if go(x, member):
            return 0


cdef int go(Exchange x, Member member) except -1:
    """Send the request to this member; 0: that failed at once."""
    note(&x.candidates, member)
    x.attempt.tries += 1
    if x.record.told:
        note_try(x, member)
    if member.endpoint.outlier.phase:
        probe_sent(&member.endpoint.outlier, x.worker.poller.now)
    x.member = member
    if connect_to(x, member.endpoint):
        return 1
    return failed_at_once(x, member)


cdef int failed_at_once(Exchange x, Member member) except -1:
    x.member = None
    x.worker.traffic.retried(member)
    note_retry(x, member, b"proxy_internal_error" if x.attempt.short_of else b"connection_refused")
    if x.attempt.short_of:
        if member.endpoint.outlier.phase:
            probe_unsent(&member.endpoint.outlier, x.worker.poller.now)
        x.attempt.failure = 503
        x.record.error = b"proxy_internal_error"
        return 0
    x.worker.reports.fault(member, x.route.queue, Fault.REFUSED, x.worker.poller.now)
    x.route.picker.failed(member)
    x.attempt.failure = 502
    x.record.error = b"connection_refused"
    return 0


cdef bint has_place(Exchange x) except -1:
    """Whether one more request may wait for an endpoint of this service."""
    return len(x.route.queue) < x.worker.limits.queue_size


cdef int wait_for_room(Exchange x) except -1:
    """Every endpoint is full: wait, in all for queue_ms (0: not at all)."""
    cdef Member member
    cdef Decision decision = for_room(&x.wait, x.attempt.failure != 0, x.worker.limits.queue_ms, has_place(x), x.worker.poller.now)
    if decision == Decision.NO_QUEUE:
        return x.fail(503, b"connection_limit_reached", b"no endpoint has a free place")
    if decision == Decision.QUEUE_FULL:
        return x.fail(503, b"connection_limit_reached", b"too many requests wait for an endpoint")
    x.attempt.failure = 0
    for member in x.route.members:
        member.endpoint.call_back(x.route.queue)
    return join(x, decision)


cdef int wait_for_endpoint(Exchange x) except -1:
    """The service has no endpoint: wait until it has been without for wait_ms."""
    cdef int64_t end = x.route.queue.empty_since + x.route.wait_ms
    cdef Decision decision = for_endpoint(&x.wait, x.attempt.failure != 0, end, has_place(x), x.worker.poller.now)
    x.attempt.failure = 0
    return nobody(x, x.route) if decision == Decision.GIVE_UP else join(x, decision)


cdef int nobody(Exchange x, Route route) except -1:
    """No endpoint is in: say why the last one is not, and for how long; or that none can be, for none speaks HTTP."""
    cdef bytes told = b"no endpoint of the service is ready"
    cdef timespec wall
    if route.mute:
        return x.fail(404, b"destination_not_found", route.mute.encode())
    if route.why:
        # the reason is the control process's, but what stands in a header is checked where it is written (RFC 9110, section 5.5)
        told += b" (" + bytes([c if 32 <= c < 127 else 63 for c in route.why.encode()[:MAX_WHY]])
        if route.since > 0:
            clock_gettime(CLOCK_REALTIME, &wall)
            told += b", out for %.1f s" % max(0.0, wall.tv_sec + wall.tv_nsec / 1e9 - route.since)
        told += b")"
    return x.fail(503, b"destination_unavailable", told)


cdef int exhausted(Exchange x) except -1:
    """All were tried. Wait a moment for news of them, however many come, or tell how the last one failed."""
    cdef Decision decision = for_news(&x.wait, x.attempt.failure == 502, x.route.wait_ms, has_place(x), x.worker.poller.now)
    if decision == Decision.JOIN:
        return join(x, decision)
    if x.attempt.failure == 503:
        return x.fail(503, x.record.error, b"the proxy has no file descriptor or port left for a connection to an endpoint")
    if x.attempt.failure == 504:
        return x.fail(504, x.record.error, b"no endpoint answered in time")
    return x.fail(502, x.record.error, b"no endpoint could be reached")


cdef int suspected(Exchange x) except -1:
    """It may be what makes endpoints break off. Wait a moment for another cause to be told of; look again with each tick."""
    cdef Decision decision
    renew(x)
    x.blamed = acquit(&x.retries, x.blamed)
    decision = for_cause(
        &x.wait, x.retries.repeats <= MOST_REPEATS, x.attempt.crowd > MOST_REPEATS + 1, len(x.route.members) == 0,
        x.route.wait_ms, x.worker.poller.now)
    if decision == Decision.GO_ON:
        x.deadline = 0
        return dispatch(x)
    if decision == Decision.WAIT_FOR_ENDPOINT:
        return wait_for_endpoint(x)
    if decision == Decision.LOOK_AGAIN:
        x.state = step(x.state, State.PENDING)
        x.deadline = x.worker.poller.now + 1
        return 0
    return x.fail(x.attempt.failure, x.record.error, b"the endpoint's connection broke, and the request was retried before")


cdef int join(Exchange x, Decision decision) except -1:
    """Stand in the queue, until wait.until."""
    x.wait.joined = True
    x.deadline = x.wait.until
    x.state = step(x.state, State.PENDING)
    x.attempt.in_queue = True
    x.attempt.joined = x.worker.poller.now
    x.worker.traffic.waits(x.route)
    return x.route.queue.join(x, decision == Decision.JOIN_FIRST)


cdef void leave_queue(Exchange x) noexcept:
    """It stands in the queue no more."""
    x.attempt.in_queue = False
    x.attempt.waited += x.worker.poller.now - x.attempt.joined


cdef int look_again(Exchange x) except -1:
    """Woken: the newest table may hold other members. Where there was one to be had, there may be one for the next who waits."""
    cdef Queue queue = x.route.queue
    leave_queue(x)
    x.route = queue.route
    x.candidates.tries = 0
    dispatch(x)
    return 0 if x.attempt.in_queue else queue.wake()


cdef int waited(Exchange x) except -1:
    """The time of waiting is up."""
    if x.wait.news_until and x.attempt.failure:
        return exhausted(x)
    if len(x.route.queue.route.members) == 0:
        return nobody(x, x.route.queue.route)
    return x.fail(503, b"connection_limit_reached", b"no endpoint had a free place in time")


cdef int connect_to(Exchange x, Endpoint endpoint) except -1:
    """Send the request to this endpoint, or begin to connect; 0: that failed at once."""
    cdef UpLeg up = None
    cdef int64_t patience = x.worker.limits.connect_ms
    if not x.retries.fresh_only and endpoint.introduces == 0:
        up = pooled(endpoint, x.retries.idempotent)
    x.record.reused = up is not None
    if up is None:
        if has_others(x.route, &x.candidates):
            patience = min(patience, <int64_t>HEDGE_MS)
        up = dial(x.worker, endpoint, patience, &x.attempt.short_of)
        if up is None:
            return 0
    up.user = x
    x.up = up
    join_list(&endpoint.busy, &x.link)
    x.record.error = b""                # what went wrong with another endpoint is not this one's word
    x.deadline = 0
    x.wait.reason = Reason.NOTHING
    take_on(endpoint)
    if not endpoint.load.noted:
        x.worker.traffic.note_endpoint(endpoint)
    if endpoint.introduces:
        introduce(x)
    if x.record.reused:
        connected(x)
    else:
        x.state = step(x.state, State.CONNECT)
    return 1


cdef int connected(Exchange x) except -1:
    """Send the request on the connection that is made, and of its body what is there."""
    cdef Head own
    cdef Client described
    cdef Client *client = x.worker.beginning.client
    cdef Head *h = x.request_head(&own)
    x.state = step(x.state, State.SEND)
    x.record.t_connected = clock_ns() if x.record.told or x.route.picker.timed else 0
    if h == &own:
        client = &described
        describe_client(x, h, client)
    client.via, client.via_size = PyBytes_AS_STRING(x.route.via), PyBytes_GET_SIZE(x.route.via)
    client.forwards = max(NO_LIMIT, client.forwards - 1)
    x.up.begin(h, client, x.route.upgrade)
    x.worker.beginning.head = NULL       # reading on may overwrite what it stands in
    if x.kept.end:
        x.up.send_body(x.kept.data, x.kept.end)
    if x.down.body_done():
        x.down.pass_end(x.up)
        return x.up.flush()
    x.up.flush()
    return x.down.read_body()


cdef int introduce(Exchange x) except -1:
    """Have the new connection tell the endpoint whose it is: the client of a trusted proxy's, where that names one, else the peer."""
    cdef char header[MOST_WRITTEN]
    cdef Peer *peer = x.down.peer()
    cdef int version = x.member.endpoint.introduces
    cdef Head own
    cdef Head *h = x.request_head(&own) if peer.trusted else NULL
    cdef Client client
    client.real, client.real_size, client.rights = peer.address, peer.address_size, peer.rights
    if h != NULL:
        find_client(h, &client, x.worker.networks)
    if client.real != &peer.address[0]:
        return x.up.introduce(header, write_header(header, version, client.real, client.real_size, 0, peer.fd))
    return x.up.introduce(header, write_header(header, version, peer.address, peer.address_size, peer.port, peer.fd))


cdef void renew(Exchange x) noexcept:
    """Use the newest route of the service: endpoints that left it get no new request. A removed service keeps its last route."""
    cdef Route newest = x.route.queue.route
    if newest is not x.route and newest.queue is x.route.queue:
        x.route = newest
        x.candidates.tries = 0


cdef int lost(Exchange x, bint unseen, const char *error, int status) except -1:
    """Try elsewhere if that can do no harm, else answer."""
    cdef bint stale = x.up.reused
    cdef Endpoint endpoint = x.member.endpoint
    cdef bint counts = not stale and not x.member.endpoint.gone
    cdef Fault kind = Fault.TIMEOUT if status == 504 else Fault.REFUSED if x.state == State.CONNECT else Fault.RESET
    cdef Verdict verdict
    if counts:
        x.worker.reports.fault(x.member, x.route.queue, kind, x.worker.poller.now)
        x.route.picker.failed(x.member)
    note_retry(x, x.member, error)
    x.detach(False)
    x.record.error = error
    x.attempt.failure = status
    x.blamed = acquit(&x.retries, x.blamed)
    verdict = after_break(&x.retries, unseen, stale, endpoint.stopped, &x.route.queue.budget, x.worker.poller.now)
    if verdict == Verdict.UNSAFE:
        return x.fail(status, error, b"the endpoint's connection broke, and a retry is not safe")
    if not unseen:
        x.wait.news_until = 0           # what it waited for before is another story
        if not endpoint.stopped:
            x.blamed = blame(x.blamed, endpoint)
    if verdict == Verdict.SUSPECT:
        return suspected(x)
    if verdict == Verdict.OVER_BUDGET:
        return x.fail(status, error, b"the endpoint's connection broke, and the retry budget is used up")
    if stale and (unseen or len(x.route.members) == 1) and x.candidates.tries:
        x.candidates.tries -= 1     # an old connection's end says nothing of its endpoint: it may be tried afresh
    if counts and not unseen:
        x.accused = x.member if x.accused is None else None     # two have failed at it: it may be the request
    x.worker.traffic.retried(x.member)
    renew(x)
    x.deadline = 0                      # who has to wait for room again waits as long as any
    return dispatch(x)


cdef int rescue(Exchange x) except -1:
    """Its endpoint is dead or paused: what has no answer yet goes elsewhere now, not at a timeout."""
    cdef bint unseen = x.state == State.CONNECT  # what a frozen endpoint's kernel has taken it will read, acknowledged or not
    x.blamed = acquit(&x.retries, x.blamed)
    if x.up is None or x.state > State.SEND:
        return 0
    if not may_leave_dead(&x.retries, unseen, x.member.endpoint.stopped):
        return 0
    return lost(x, unseen, b"destination_unavailable", 502)


cdef bint forsake(Exchange x, Member accused) except -1:
    """Its endpoint is silent: what may be repeated goes elsewhere. accused: a sample's, whose answer is to show that; None: it is known."""
    x.blamed = acquit(&x.retries, x.blamed)
    if x.up is None or x.state != State.SEND or x.up.interim or not x.up.is_waiting():
        return False
    if not may_leave_silent(&x.retries, x.down.body_done()):
        return False
    if accused is not None:
        x.accused, x.attempt.sampled_at = accused, x.worker.poller.now
    if move(x, b"http_response_timeout", b"http_response_timeout", 504):
        return True
    x.attempt.sampled_at = 0
    return False


cdef int answered_elsewhere(Exchange x, int status) except -1:
    """Another endpoint answers what one failed at, or what was taken from one that may be silent: that tells whose fault it was."""
    cdef int64_t now = x.worker.poller.now
    if status < 500:
        x.worker.reports.confirm(x.accused, x.route.queue, now)
        if x.attempt.sampled_at and sample_answered(&x.accused.endpoint.outlier, x.attempt.sampled_at, now):
            x.route.queue.vain = 0
    x.accused = None
    return 0


cdef bint retry(Exchange x, int status) except -1:
    """Its endpoint answers with an error: another one is asked, once, where the request only reads (RFC 9110, section 9.2.1).

    Not where the others have just failed too: then the error is the service's answer.
    """
    x.blamed = acquit(&x.retries, x.blamed)
    if not may_leave_failing(&x.retries, status, x.route.retried, x.down.body_done()):
        return False
    x.accused = x.member
    return move(x, ANSWERED[status - 500], b"http_response_incomplete", 502)


cdef int move(Exchange x, const char *why, const char *error, int status) except -1:
    """Go elsewhere, if somebody is there and the budget allows; whether it does. why: what is told of that."""
    cdef Member member
    renew(x)
    member = elsewhere(x.route, &x.candidates, &x.retries, x.worker.poller.now)
    if member is None:
        return 0
    x.worker.traffic.retried(x.member)
    note_retry(x, x.member, why)
    x.detach(False)
    x.record.error = error
    x.attempt.failure = status
    if not go(x, member):
        dispatch(x)
    return 1
