"""The state that all exchanges of a worker share.

An exchange that runs keeps the route it found, whatever becomes of the rules meanwhile. Never reads or writes a socket.
"""
from cpython.ref cimport Py_DECREF
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from haystack._fast.endpoint.endpoint cimport Member, Route
from haystack._fast.endpoint.fault_reports cimport FaultReports
from haystack._fast.endpoint.outlier cimport waits
from haystack._fast.endpoint.traffic cimport Traffic
from haystack._fast.net.networks cimport Networks
from haystack._fast.net.poller cimport Poller
from haystack._fast.routing.router cimport MAX_HOST, Router
from haystack._fast.util.allocations cimport IS_DEBUG, Asset, book
from haystack._fast.util.buffer cimport release, take
from haystack._fast.util.linked_list cimport leave
from haystack._fast.worker.clients cimport Clients
from haystack._fast.worker.limits cimport Limits
from haystack._fast.worker.traces cimport Traces


cdef class WorkerState:
    """Shared by all exchanges of one worker. ports: of the listeners, by their indexes; networks: None: nobody may anything."""

    def __cinit__(self):
        self.scratch = <char *>malloc(SCRATCH)
        if self.scratch == NULL:
            raise MemoryError
        if IS_DEBUG:
            book(Asset.BUFFER, 1)

    def __dealloc__(self):
        if IS_DEBUG and self.scratch != NULL:
            book(Asset.BUFFER, -1)
        free(self.scratch)
        release(&self.work)
        while self.spares.newest != NULL:
            spare = <object>self.spares.newest.owner
            leave(self.spares.newest)
            Py_DECREF(spare)

    def __init__(self, Poller poller, Router router, list ports, Networks networks=None):
        self.poller = poller
        self.limits = Limits()
        self.clients = Clients(poller, self.limits)
        self.traces = Traces()
        self.router = router
        self.ports = ports
        self.networks = Networks() if networks is None else networks
        self.apart = -1
        self.errors = {}
        self.reports = FaultReports()
        self.traffic = Traffic()
        self.late = []

    def set_apart(self, int listener, Router own):
        """Have this listener lead to the web side alone: where `own` leads, and any other Host to its way for health."""
        self.apart, self.own = listener, own

    def take_faults(self):
        """Rows about endpoints since the last call (endpoint/fault_reports.pyx)."""
        return self.reports.take(self.poller.now)

    def take_errors(self):
        """{(word of RFC 9209, section 2.3, status): exchanges} since the last call; status: what the client saw, 0: it got no answer."""
        errors = self.errors
        self.errors = {}
        return errors

    def drain(self):
        """From now on every response closes its connection."""
        self.draining = True

    def counted(self):
        """Exchanges ended so far, and how many by class of status (1xx to 5xx)."""
        return self.exchanges, [self.statuses[i] for i in range(1, 6)]

    cdef void forget(self) noexcept:
        """An exception ended what was going on: what is half written is nobody else's, and what was read is gone."""
        take(&self.work, self.work.end)
        self.beginning.head = NULL

    cdef bint is_pressed(self) noexcept:
        """Whether so much waits for slow clients that no more than a little is read for each."""
        return self.limits.max_kept > 0 and self.poller.kept > self.limits.max_kept // 2

    cdef int hesitates(self, Member member, Route route, int64_t begun) except -1:
        """A request that was sent to this member at `begun` is not answered yet, though it should be."""
        waits(&member.endpoint.outlier, begun)
        if not member.watched:
            member.watched = True
            self.late.append((member, route))
        return 0

    cdef int erred(self, const char *word, int status) except -1:
        """One more exchange that ends with an error of Haystack's own, or with none to answer."""
        key = word, status
        self.errors[key] = self.errors.get(key, 0) + 1
        return 0

    cdef bint told(self, Route route) noexcept:
        """Whether anybody is to be told of an exchange with this route; None: with any."""
        return self.log is not None or self.traces.wants(route)

    cdef Route find(self, int listener, const char *host, int host_size, const char *path, int path_size):
        """The route of a request, None: nobody's; path may have a query. BadHostError: Host is none."""
        if listener != self.apart:
            return self.router.find(listener, host, host_size, path, path_size)
        return self.own.find(0, host, host_size, path, path_size) or self.own.health

    cdef Route passed(self, bytes name):
        """Where the TLS of a host name, in lower case, is passed through to; None: it is not, or one more specific is served here."""
        cdef Router passing = self.router.passing
        cdef int at, served
        if passing is None or len(name) > MAX_HOST:
            return None
        at = passing.cut_at(name, <int>len(name))
        served = self.router.cut_at(name, <int>len(name)) if at > 0 else -1
        if at < 0 or 0 <= served < at:
            return None
        return passing.find(0, name, <int>len(name), b"/", 1)
