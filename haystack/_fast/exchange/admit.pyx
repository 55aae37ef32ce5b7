"""Takes each request in and routes it by its head: determines client, service and access. What can't be routed is answered here.

Status and error words: RFC 9110 section 15, RFC 9209 section 2.3.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.ref cimport Py_DECREF
from libc.stdint cimport int64_t
from libc.string cimport memcmp

from haystack._fast.balance.affinity cimport recalled, request_key
from haystack._fast.connection.leg cimport DownLeg, Handler, Peer
from haystack._fast.endpoint.endpoint cimport Https, Route
from haystack._fast.exchange.calls cimport is_call
from haystack._fast.exchange.dispatch cimport begin_dispatch
from haystack._fast.exchange.record cimport note_failure, note_request
from haystack._fast.exchange.relay cimport relay
from haystack._fast.exchange.retry cimport RetryState
from haystack._fast.exchange.states cimport State, step
from haystack._fast.exchange.tracing cimport join_trace
from haystack._fast.http1.forwarding cimport came_round, find_client
from haystack._fast.http1.head cimport Kind
from haystack._fast.http1.method cimport Method, is_idempotent, is_safe, method_of
from haystack._fast.http1.target cimport NO_LIMIT, asks_health, authority_end, forwards_left
from haystack._fast.net.networks cimport Right
from haystack._fast.net.poller cimport clock_ns
from haystack._fast.net.tls_server cimport Credential
from haystack._fast.routing.router import BadHostError
from haystack._fast.util.buffer cimport add
from haystack._fast.util.digits cimport write_hex
from haystack._fast.util.linked_list cimport Link, leave
from haystack._fast.util.random_numbers cimport next_random
from haystack._fast.worker.worker_state cimport Beginning

cdef bytes PROOFS = b"/.well-known/acme-challenge/"
cdef bytes NOT_FOUND = b"no service has this host name and path"


cdef int admit(Exchange x, Head *h) except -1:
    """Find the route of the request whose head is h, and dispatch it."""
    cdef Client client
    cdef Peer *peer = x.down.peer()
    cdef Method method = method_of(h.method, h.method_size)
    x.request.method = method
    x.retries = RetryState(is_idempotent(method), is_safe(method), False, False, 0)
    x.request.expects = h.expect and h.minor == 1
    x.request.call = method == Method.POST and is_call(h)
    write_hex(x.request.identity, next_random())
    write_hex(x.request.identity + 16, next_random())
    if not find_route(x, h):
        return 0
    if peer.shown != NULL and not is_named(h, <Credential>peer.shown, <bytes>peer.asked):
        return refuse(x, 421, b"this connection's certificate is not for this host: make another one")
    if x.route is None and x.worker.router.passing is not None and h.host_size > 0 and peer.shown == NULL:
        x.route = x.worker.passed(host_name(h))     # only to be sent to the https listener
    describe_client(x, h, &client)
    x.worker.beginning.client = &client
    x.request.rights = client.rights
    x.record.told = x.request.trace.sampled or x.worker.told(x.route)
    x.record.t_routed = x.record.t_start
    if x.record.told:
        x.record.t_routed = clock_ns()
        note_request(x, h)
    if x.route is None or (x.route.guard & ~x.request.rights and not is_health(x, h)):
        return lead_nowhere(x)
    if x.route.https != Https.BOTH:
        if x.route.https == Https.WITHOUT and peer.shown != NULL:
            return x.fail(404, b"destination_not_found", b"this service is not for https")
        if x.route.https == Https.PASSED and peer.shown != NULL:
            return refuse(x, 421, b"the TLS of this host is not ended here: make another connection")
        if x.route.https != Https.WITHOUT and has_secure_place(x, h, peer):
            return x.answer(308, b"", secure_place(x, h))
        if x.route.https == Https.RAW:
            x.route = None
            return lead_nowhere(x)
    if h.via and came_round(h, PyBytes_AS_STRING(x.route.via), PyBytes_GET_SIZE(x.route.via)):
        return x.fail(508, b"proxy_loop_detected", b"loop: an endpoint of this service has sent the request back")
    if client.forwards == 0 or client.forwards < NO_LIMIT:
        return answer_last(x, h, client.forwards)
    if peer.called != <void *>x.route.queue and peer.rights & <int>Right.INSIDE:
        peer.called = <void *>x.route.queue
        x.worker.clients.callers.note(peer.address, peer.address_size, x.route.service, x.worker.poller.now)
    x.candidates.key = request_key(x.route, h, peer.address, peer.address_size)
    x.named = recalled(x.route, h)
    if 0 < h.length <= x.worker.limits.kept_body and not h.chunked and not h.expect:
        x.state = step(x.state, State.BUFFER)
        return x.gather()
    return begin_dispatch(x)


cdef bint is_named(Head *h, Credential shown, bytes asked) except -1:
    """Whether the Host of a request within TLS is the connection's SNI name or a name of its certificate (RFC 9110, section 7.4).

    A client without SNI has accepted the certificate for any Host.
    """
    cdef int size = max(h.host_size, 0)
    if len(asked) == 0 or h.host_size < 0 or (size == len(asked) and memcmp(h.host, <const char *>asked, size) == 0):
        return True
    name = host_name(h)
    return name == asked or shown.covers(name)


cdef bint has_secure_place(Exchange x, Head *h, Peer *peer) except -1:
    """Whether to redirect a request to HTTPS: it came to the http listener, and there is a certificate for its host.

    ACME challenges are not redirected (RFC 8555, section 8.3), nor are requests that a trusted proxy has received over HTTPS.
    """
    cdef int i, path = authority_end(h) if x.request.absolute else 0
    if peer.shown != NULL or peer.listener != 0 or x.worker.tls is None or h.host_size <= 0:
        return False
    if h.target_size > path and h.target[path] != c'/' and h.target[path] != c'?':
        return False                    # OPTIONS *
    if h.target_size - path >= len(PROOFS) and memcmp(h.target + path, <const char *>PROOFS, len(PROOFS)) == 0:
        return False
    if peer.trusted:
        for i in range(h.count):
            if h.fields[i].kind == Kind.FORWARDED_PROTO and h.fields[i].value_size == 5 and memcmp(h.fields[i].value, b"https", 5) == 0:
                return False
    name = host_name(h)
    if x.route.https >= Https.PASSED:
        return True                     # whose certificate is none of ours
    found = x.worker.tls.find(name, False)
    return found is not None and (<Credential>found).covers(name)


cdef bytes secure_place(Exchange x, Head *h):
    """The https URL of the request, with path and query."""
    cdef int path = authority_end(h) if x.request.absolute else 0
    port = b"" if x.worker.tls.port == 443 else b":%d" % x.worker.tls.port
    return b"https://%s%s%s" % (host_name(h), port, h.target[path:h.target_size])


cdef bytes host_name(Head *h):
    """Host in lower case, without port and trailing dot."""
    host = h.host[:h.host_size].lower()
    return (host.rpartition(b":")[0] or host).rstrip(b".")


cdef int describe_client(Exchange x, Head *h, Client *client) except -1:
    """Determine the client, and which fields about it the endpoint gets, except Via. forwards: the request's Max-Forwards."""
    cdef Peer *peer = x.down.peer()
    client.address, client.address_size = peer.address, peer.address_size
    client.trusted, client.rights = peer.trusted, peer.rights
    client.real, client.real_size = client.address, client.address_size
    if client.trusted:
        find_client(h, client, x.worker.networks)
    client.port = x.worker.ports[peer.listener]
    client.version = x.down.version()
    client.secure = peer.shown != NULL
    client.identity_size = 0
    if peer.identity != NULL:
        client.identity, client.identity_size = PyBytes_AS_STRING(<bytes>peer.identity), PyBytes_GET_SIZE(<bytes>peer.identity)
    client.absolute = x.request.absolute
    client.request_id = x.request.identity
    client.forwards = forwards_left(h)
    client.trace = NULL
    return join_trace(x, h, client) if x.worker.traces.spans.on else 0


cdef void settle_host(Exchange x, Head *h) noexcept:
    """The host of an absolute target replaces Host (RFC 9112, section 3.2.2)."""
    if x.request.absolute:
        h.host = h.target + 7
        h.host_size = authority_end(h) - 7


cdef int find_route(Exchange x, Head *h) except -1:
    """Set route. Returns 0 if the request was answered here."""
    cdef int path = 0
    if x.request.method == Method.CONNECT:
        # for proxies that tunnel (RFC 9110, section 9.3.6); and an origin must not take it for one
        return refuse(x, 501, b"this proxy does not support CONNECT")
    if h.target[0] == c'*':
        if h.target_size > 1 or x.request.method != Method.OPTIONS:
            return refuse(x, 400, b"only OPTIONS may have the target *")      # RFC 9112, section 3.2.4
    elif h.target[0] != c'/':
        path = authority_end(h)
        if path <= 7:
            return refuse(x, 400, b"the request's target is not one this proxy serves")
        x.request.absolute = True
    try:
        if x.request.absolute and h.host_size >= 0:
            find(x, h, NULL, 0)             # not used, but Host has to be a good one
        settle_host(x, h)
        x.route = find(x, h, h.target + path, h.target_size - path)
    except BadHostError as error:
        return refuse(x, 400, b"Host is not a host: %s" % str(error).encode())
    return 1


cdef Route find(Exchange x, Head *h, const char *path, int path_size):
    return x.worker.find(x.down.peer().served, h.host, max(h.host_size, 0), path, path_size)


cdef int refuse(Exchange x, int status, bytes detail) except -1:
    """Answer a request that is not for this proxy, and close. Returns 0."""
    x.record.told = x.worker.told(None)
    x.record.t_routed = x.record.t_start
    x.down.no_more()
    x.fail(status, b"http_request_error", detail)
    return 0


cdef bint is_health(Exchange x, Head *h) noexcept:
    """Whether the request is a health check of Haystack itself, to which clients without access get the bare answer."""
    if x.worker.router.health is None or not x.route.guard & (<int>Right.ADMIN | <int>Right.NOBODY) or not asks_health(h):
        return False
    x.route = x.worker.router.health
    return True


cdef int lead_nowhere(Exchange x) except -1:
    """Answer 404: no service has this host and path, or the client has no access to it. Both answers are the same; only the log differs."""
    cdef bint withheld = x.route is not None
    x.route = None
    if x.worker.early:
        return x.fail(503, b"destination_unavailable", b"no source of containers has been listed yet")
    if not withheld:
        return x.fail(404, b"destination_not_found", NOT_FOUND)
    note_failure(x, None)
    x.worker.erred(b"destination_not_found", 404)
    x.detail = b"this client has no access to this name (HAYSTACK_ALLOW, HAYSTACK_ADMIN_ALLOW)"
    return x.answer(404, b"destination_not_found", NOT_FOUND)


cdef int answer_last(Exchange x, Head *h, int64_t forwards) except -1:
    """Answer a TRACE or OPTIONS whose Max-Forwards is 0, as its last recipient (RFC 9110, section 7.6.2)."""
    if forwards < NO_LIMIT:
        return x.fail(400, b"http_request_error", b"Max-Forwards is not a number")
    if h.method[0] == c'T':
        # a reflected request shows scripts what they may not read, as cookies (section 9.3.8); nginx has no TRACE either
        return x.fail(501, b"http_request_error", b"this proxy does not support TRACE")
    return x.answer(200, b"", b"Max-Forwards is 0, so this is the proxy's own answer")


cdef Exchange spare(WorkerState worker):
    """An exchange that has ended, or a new one."""
    cdef Link *link = worker.spares.newest
    cdef Exchange x
    if link == NULL:
        return Exchange()
    x = <Exchange>link.owner
    leave(link)
    Py_DECREF(x)                        # the ring's reference
    return x


cdef class Exchanges(Handler):
    """Makes the exchanges of a worker: what its clients' legs hand requests to."""

    def __init__(self, WorkerState worker):
        self.worker = worker

    cdef int on_request(self, DownLeg leg, Head *h, size_t size) except -1:
        cdef WorkerState worker = self.worker
        cdef Exchange x = spare(worker)
        x.begin(worker, leg)
        add(&x.head, h.method, size)
        worker.beginning = Beginning(h, NULL, <void *>x)
        admit(x, h)
        worker.beginning.head = NULL
        return 0

    cdef int on_bad_request(self, DownLeg leg, int status, const char *error, bytes detail) except -1:
        cdef WorkerState worker = self.worker
        cdef Exchange x = spare(worker)
        x.begin(worker, leg)
        x.record.told = worker.told(None)
        x.record.t_routed = x.record.t_start
        return x.fail(status, error, detail)

    cdef int on_passed(self, DownLeg leg, Route route, bytes name, size_t size) except -1:
        return relay(self.worker, leg, route, name, size)
