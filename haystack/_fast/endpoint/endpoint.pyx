"""Endpoints, their members in services, queues and routes, and the base of all pickers. What has a stable key survives a swap of the
routing table, and is found again by it.

Never decides and never sends. An exchange keeps a reference to its member, so an endpoint that has left the table drains by itself.
"""
import socket
from collections import deque

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from haystack._fast.endpoint.latency cimport Pace
from haystack._fast.endpoint.outlier cimport Phase, restart
from haystack._fast.endpoint.retry_budget cimport FIRST
from haystack._fast.net.poller cimport Pollable
from haystack._fast.net.tls_client cimport TlsClient, TlsTarget
from haystack._fast.net.transport cimport Connection
from haystack._fast.util.allocations cimport IS_DEBUG, Asset, book
from haystack._fast.util.linked_list cimport Link, leave as leave_ring
from haystack._fast.util.random_numbers cimport next_random
from haystack.model.balance import parts
from haystack.model.hashes import blake2b
from haystack.model.service_options import ServiceOptions

cdef extern from "sys/socket.h" nogil:
    enum:
        AF_INET
        AF_INET6
        AF_UNIX
cdef extern from "arpa/inet.h" nogil:
    unsigned short htons(unsigned short)
cdef extern from "netinet/in.h" nogil:
    struct in_addr:
        unsigned int s_addr
    struct sockaddr_in:
        unsigned short sin_family
        unsigned short sin_port
        in_addr sin_addr
    struct in6_addr:
        unsigned char s6_addr[16]
    struct sockaddr_in6:
        unsigned short sin6_family
        unsigned short sin6_port
        in6_addr sin6_addr
cdef extern from "sys/un.h" nogil:
    struct sockaddr_un:
        unsigned short sun_family
        char sun_path[108]

MODES = {"on": Https.BOTH, "redirect": Https.REDIRECT, "off": Https.WITHOUT, "passthrough": Https.PASSED, "raw": Https.RAW}
PROTOCOLS = {"http": Protocol.HTTP1, "h2c": Protocol.H2C, "h2": Protocol.H2, "https": Protocol.HTTPS}
KEY_KINDS = {"": KeyKind.BY_ADDRESS, "path": KeyKind.BY_PATH, "header": KeyKind.BY_HEADER, "cookie": KeyKind.BY_COOKIE}


cdef void leave(Watch *watch) noexcept:
    """Take a watch out of its endpoint's list."""
    if watch.back == NULL:
        return
    watch.back[0] = watch.next
    if watch.next != NULL:
        watch.next.back = watch.back
    watch.back = NULL
    watch.next = NULL


cdef void tell(Endpoint endpoint, int by) noexcept:
    """Tell pickers that go by load (leastconn) of a change. An endpoint may be in several, one for each name and listener."""
    cdef Watch *watch = endpoint.watch
    while watch != NULL:
        (<Picker>watch.picker).loaded(watch.slot, endpoint.in_flight, by)
        watch = watch.next


cdef uint64_t queues = 0


cdef class Waiter(Pollable):
    """Base of an exchange, as a queue sees it."""

    cdef int rouse(self) except -1:
        """Choose an endpoint again, in this batch of the poller or after it."""
        raise NotImplementedError


cdef class Queue:
    """Exchanges of one service on one listener that wait for an endpoint to have room. Each new route of the service takes it over.

    Each exchange that ends wakes the one that has waited longest. It chooses an endpoint again, and goes back to the front without one.
    """

    def __cinit__(self):
        global queues
        queues += 1
        self.serial = queues
        self.budget.saved = FIRST
        self.pace = Pace()

    def __dealloc__(self):
        free(self.tally)

    cdef int join(self, Waiter waiter, bint first) except -1:
        """Add a waiter, at the end; first: at the front, for one that was woken in vain."""
        waiter.roused = False
        if self.waiting is None:
            self.waiting = deque()
        if first:
            self.waiting.appendleft(waiter)
        else:
            self.waiting.append(waiter)
        return 0

    cdef int leave(self, Waiter waiter) except -1:
        """Remove a waiter."""
        if waiter.roused:               # and ended before its turn: the next one's chance
            return self.wake()
        self.waiting.remove(waiter)
        return 0

    cdef int wake(self) except -1:
        """Wake the one that has waited longest."""
        cdef Waiter waiter
        if self.waiting:
            waiter = self.waiting.popleft()
            waiter.roused = True
            waiter.rouse()
        return 0

    def wake_all(self):
        """The route has changed: wake the waiters in their order, each once the one before it has found an endpoint.

        If the service has no endpoint any more, all are woken at once, for none of them would wake the next.
        """
        cdef Waiter waiter
        if not self.waiting or len(self.route.members):
            return self.wake()
        roused = list(self.waiting)
        self.waiting.clear()
        for waiter in roused:
            waiter.roused = True
            waiter.rouse()

    def __len__(self):
        return len(self.waiting or ())


cdef class Endpoint:
    """One endpoint as a worker sees it. address: (ip, port) or the path of a unix socket. ValueError: not an address."""

    def __cinit__(self):
        if IS_DEBUG:
            book(Asset.ENDPOINT, 1)

    def __dealloc__(self):
        while self.watch != NULL:       # pickers that outlive it must not reach into it
            leave(self.watch)
        if IS_DEBUG:
            book(Asset.ENDPOINT, -1)

    def __init__(self, str key, object address):
        self.key = key
        self.address = address
        if isinstance(address, str):
            self.label = address
            self.set_unix(address.encode())
        else:
            ip, port = address
            self.label = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
            self.set_inet(ip, port)

    def hold(self, object owner, int limit):
        """Set the limit of exchanges in flight that this owner, a service, wants; 0: none. Of several, the smallest holds for all."""
        cdef Queue queue
        cdef int before = self.limit
        if self.limits is None:
            if limit == 0:
                return
            self.limits = {}
        if limit:
            self.limits[owner] = limit
        else:
            self.limits.pop(owner, None)
        self.limit = min(self.limits.values(), default=0)
        for queue in self.queues or () if self.limit != before else ():
            queue.wake_all()            # there may be room for more than one of them now

    cdef int call_back(self, Queue queue) except -1:
        """Wake this queue when an exchange here has ended, until nobody waits in it any more."""
        if self.queues is None:
            self.queues = []
        if queue not in self.queues:
            self.queues.append(queue)
        return 0

    def use(self, object connection, TlsClient client=None):
        """Set how connections to it are made: a ConnectionOptions of model/records.py. Pooled ones that speak otherwise are closed.

        client: the context of TLS, where they are within that.
        """
        cdef int before = self.protocol
        cdef bint same
        self.protocol = PROTOCOLS[connection.protocol]
        self.introduces = connection.proxy_protocol
        same = self.protocol == before
        if client is None:
            same = same and self.tls is None
            self.tls = None
        elif self.tls is None or self.tls.client is not client or self.tls.name != connection.tls_server_name:
            self.tls = TlsTarget(client, connection.tls_server_name)
            same = False
        if not same:
            self.end_idle()

    def retire(self, bint gone):
        """Whether it has left the table. If so it pools nothing, and what it has pooled is closed."""
        self.gone = gone
        self.stopped = False
        if gone:
            self.end_idle()

    cdef int end_idle(self) except -1:
        """Close the idle connections in its pool."""
        cdef Link *link
        while self.idle.oldest != NULL:
            link = self.idle.oldest
            leave_ring(link)
            (<Connection>link.owner).close()
        return 0

    def stop(self):
        """Its container was told to stop."""
        self.stopped = True
        self.stops += 1

    def begin(self, double born):
        """Another process is at this address: forget what the one before it has done."""
        self.born = born
        self.http2.streams = 0
        self.http2.section = 0
        self.hearing.heard = self.hearing.probed = 0
        self.latency = 0.0
        restart(&self.outlier)

    cdef bint is_full(self) noexcept:
        return self.limit > 0 and self.in_flight >= self.limit

    cdef int freed(self) except -1:
        """An exchange here has ended: wake the first waiter of each queue, for a waiter may have gone, or find room elsewhere."""
        cdef Queue queue
        queues, self.queues = self.queues, None
        for queue in queues or ():
            if queue.waiting:
                self.call_back(queue)
                queue.wake()
        if self.queues is not None and len(self.queues) > 1:
            self.queues.append(self.queues.pop(0))
        return 0

    cdef int set_unix(self, bytes path) except -1:
        cdef sockaddr_un *a = <sockaddr_un *>self.sockaddr.raw
        if not 0 < len(path) < 108:
            raise ValueError(f"the path of a unix socket has 1 to 107 bytes, not {len(path)}")
        memset(&self.sockaddr, 0, sizeof(self.sockaddr))
        a.sun_family = AF_UNIX
        memcpy(a.sun_path, <const char *>path, len(path))
        self.sockaddr.family = AF_UNIX
        self.sockaddr.size = sizeof(sockaddr_un)
        return 0

    cdef int set_inet(self, str ip, int port) except -1:
        cdef sockaddr_in *a4 = <sockaddr_in *>self.sockaddr.raw
        cdef sockaddr_in6 *a6 = <sockaddr_in6 *>self.sockaddr.raw
        cdef bytes packed
        memset(&self.sockaddr, 0, sizeof(self.sockaddr))
        try:
            packed = socket.inet_pton(socket.AF_INET6 if ":" in ip else socket.AF_INET, ip)
        except OSError:
            raise ValueError(f"{ip!r} is not an IP address") from None
        if len(packed) == 4:
            a4.sin_family = self.sockaddr.family = AF_INET
            a4.sin_port = htons(port)
            memcpy(&a4.sin_addr, <const char *>packed, 4)
            self.sockaddr.size = sizeof(sockaddr_in)
        else:
            a6.sin6_family = self.sockaddr.family = AF_INET6
            a6.sin6_port = htons(port)
            memcpy(&a6.sin6_addr, <const char *>packed, 16)
            self.sockaddr.size = sizeof(sockaddr_in6)
        return 0

    @property
    def worth_keeping(self):
        """Whether it is to be found again should its endpoint come back."""
        return self.in_flight > 0 or self.outlier.phase == Phase.SILENT

    @property
    def pooled(self):
        """How many idle connections are kept."""
        return self.idle.count


cdef class Member:
    """One endpoint's part in one service on one listener, for which its exchanges are counted."""

    def __dealloc__(self):
        free(self.tally)

    def __init__(self, Endpoint endpoint, str service, int port):
        self.endpoint = endpoint
        self.service = service
        self.port = port

    def take_new(self):
        """The requests counted since the last call."""
        cdef int64_t new = self.requests - self.reported
        self.reported = self.requests
        return new

    cdef bytes token(self):
        """Sixteen hex digits that name it in a cookie: the same in every worker and after a restart, and nothing can be read from them."""
        if self.cookie is None:
            named = f"{self.service}\n{self.endpoint.key}".encode()
            self.cookie = blake2b(named, digest_size=8, person=b"haystack sticky").hexdigest().encode()
        return self.cookie

    @property
    def cookie_value(self):
        """What a sticky cookie holds for it, as text."""
        return self.token().decode()


cdef class Picker:
    """Chooses among the members of one route. One subclass an algorithm; PICKERS in balance/pickers.pyx is their table.

    weights: one for each member, 0 to 65535; 0 means: only when nothing else is left. old: the picker that this one follows at a swap of
    the table, or None. Made anew whenever members or weights change, so that no pick has to look at all of them.
    """

    def __init__(self, list members, list weights, Picker old=None):
        if len(members) != len(weights):
            raise ValueError(f"{len(members)} members can't have {len(weights)} weights")
        self.members = members
        self.weighted = members if all(weights) else [m for m, w in zip(members, weights) if w]
        self.spare = [m for m, w in zip(members, weights) if not w]
        self.size = <int>len(self.weighted)
        self.weights = <int *>calloc(self.size + 1, sizeof(int))
        if self.weights == NULL:
            raise MemoryError
        for slot, weight in enumerate([w for w in weights if w]):
            self.weights[slot] = weight
        self.heaviest = max(weights, default=0)

    def __dealloc__(self):
        self.unwatch()
        free(self.weights)

    def serves(self, list members, list weights):
        """Whether a new picker for these would be the same as this one."""
        if self.members != members or self.size + len(self.spare) != len(weights):
            return False
        return [w for w in weights if w] == [self.weights[i] for i in range(self.size)] and self.spare == [
            m for m, w in zip(members, weights) if not w]

    cdef Member pick(self, uint64_t key, void **tried, int tries):
        """The member to try next, or None: all were tried, or MAX_TRIES of them. key: of the request, for those that go by one."""
        cdef Py_ssize_t size = len(self.members)
        cdef Member member
        if tries >= size or tries >= MAX_TRIES:
            return None
        if size == 1:
            return <Member>self.members[0]
        if self.size:
            member = self.choose(key, tried, tries)
            if member is not None:
                return member
        return first_untried(self.spare, key or next_random(), tried, tries)

    cdef Member choose(self, uint64_t key, void **tried, int tries):
        """The algorithm: of those with weight, one that was not tried; None only when all of them were. There is at least one."""
        raise NotImplementedError

    cdef Member untried(self, uint64_t start, void **tried, int tries):
        """The first of those with weight, from `start` on around the list, that was not tried: at most tries + 1 steps."""
        return first_untried(self.weighted, start, tried, tries)

    cdef void loaded(self, int slot, int load, int by) noexcept:
        """A watched endpoint has `load` exchanges in flight now, `by` more than before."""

    cdef void answered(self, Member member, int64_t ns) noexcept:
        """The member's first byte came so many ns after its request went. Called where `timed`."""

    cdef void failed(self, Member member) noexcept:
        """The member could not be reached, broke off before its first byte, or its time was up."""

    cdef int watch(self) except -1:
        """Have `loaded` called for each member with weight, until `unwatch` or the end."""
        cdef int slot
        cdef Endpoint endpoint
        cdef Watch *watch
        self.watches = <Watch *>calloc(self.size + 1, sizeof(Watch))
        if self.watches == NULL:
            raise MemoryError
        for slot in range(self.size):
            endpoint = (<Member>self.weighted[slot]).endpoint
            watch = &self.watches[slot]
            watch.picker = <void *>self
            watch.slot = slot
            watch.next = endpoint.watch
            watch.back = &endpoint.watch
            if watch.next != NULL:
                watch.next.back = &watch.next
            endpoint.watch = watch
        return 0

    cdef void unwatch(self) noexcept:
        """End that: another picker has taken over. A route that an exchange still holds must not cost the endpoints anything."""
        cdef int slot
        if self.watches == NULL:
            return
        for slot in range(self.size):
            leave(&self.watches[slot])
        free(self.watches)
        self.watches = NULL


cdef Member first_untried(list among, uint64_t start, void **tried, int tries):
    cdef uint64_t size = len(among), i
    cdef Member member
    if size:
        start %= size           # now, for start + i must not wrap around
    for i in range(size):
        member = <Member>among[<Py_ssize_t>((start + i) % size)]
        if not was_tried(<void *>member, tried, tries):
            return member
    return None


cdef class Route:
    """What a host name leads to: members that are ready now, and how to choose among them.

    options: a ServiceOptions (model/service_options.py), as rows have it. Of balance the route keeps what its key is made of;
    max_connections is held by endpoints (Endpoint.hold). None of sticky, wait or retry: no cookie, no waiting, no retry.
    queue: of the route that this one follows; path: the prefix of all paths that lead here, without slash at its end; via: the pseudonym
    that requests pass under.
    """

    def __init__(self, str service, Picker picker, object options, *, Queue queue=None, str path="/", str via=""):
        cdef Member member
        self.service = service
        self.picker = picker
        self.members = picker.members
        self.queue = Queue() if queue is None else queue
        self.queue.route = self
        self.via = b"Via: 1.1 %s\r\n" % via.encode() if via else b""
        self.timeout_ms = max(1, int((options.timeout or 0.0) * 1000))
        self.wait_ms = int((options.wait or 0.0) * 1000)
        self.https = MODES[options.https or "on"]
        self.hsts = b"Strict-Transport-Security: max-age=%d\r\n" % options.hsts_max_age if options.hsts_max_age else b""
        self.upgrade = tuple([name.encode() for name in options.upgrade or ()])
        for status in options.retry or ():
            self.retried |= 1 << (status - 500)
        chosen = parts(options.balance or "")
        self.key_kind = KEY_KINDS[chosen.key] if chosen.keyed else KeyKind.BY_NOTHING
        self.key_name = chosen.name.encode()
        self.tokens = {}
        if options.sticky:
            self.sticky = options.sticky.encode()
            # a semicolon would end the attribute (RFC 6265, section 4.1.1)
            self.cookie_path = path.encode() if ";" not in path else b"/"
            for member in self.members:
                self.tokens[member.token()] = member

    def end(self):
        """Its service has left the table: the newest route of its queue is one without members.

        Otherwise route and queue would keep each other for ever: the garbage collector does not look at routes (gc.freeze).
        """
        self.queue.route = NOWHERE


cdef Route NOWHERE = Route("", Picker([], []), ServiceOptions())
