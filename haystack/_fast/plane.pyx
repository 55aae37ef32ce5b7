"""The state that all exchanges of a worker share, and the way from a Host to its route.

The routing table is swapped whole; an exchange that runs keeps the route it found. Never reads or writes a socket.
"""
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.dict cimport PyDict_GetItem
from libc.stdlib cimport free, malloc

from haystack._fast.buffer cimport release
from haystack._fast.cells cimport Route
from haystack._fast.ledger cimport IS_DEBUG, Asset, book
from haystack._fast.poller cimport Poller


class BadHostError(ValueError):
    """A Host that is no host name, address or port (RFC 9112, section 3.2)."""


cdef bint is_address(const char *host, int size) noexcept nogil:
    cdef int i
    if size and host[0] == c'[':
        return True
    for i in range(size):
        if host[i] != c'.' and (host[i] < c'0' or host[i] > c'9'):
            return False
    return True


cdef class Plane:
    """Shared by all exchanges of one worker; ports: of the listeners, in the order of their indexes."""

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

    def __init__(self, Poller poller, list ports, trusts=None):
        self.poller = poller
        self.ports = ports
        self.routes = [{} for _ in ports]
        self.trusts = trusts
        self.traces = []
        self.connect_ms = 1000
        self.head_ms = 10_000
        self.idle_ms = 75_000
        self.pool_ms = 20_000
        self.tunnel_ms = 3_600_000
        self.body_rate = 256
        self.kept_body = 65536

    def swap(self, list routes, Route admin):
        """Take a new routing table: one {host in lower case: Route} a listener, and the route to Haystack itself or None."""
        self.routes = routes
        self.admin = admin

    def trace(self, bint on, str service=None):
        """Record exchanges in `traces`: of one service, or of all where it is None."""
        self.tracing = on
        self.traced_service = service

    def take_traces(self):
        """What was recorded since the last call, oldest first."""
        traces = self.traces
        self.traces = []
        return traces

    def drain(self):
        """From now on every response closes its connection."""
        self.draining = True

    def counted(self):
        """Exchanges ended so far, and how many by class of status (1xx to 5xx)."""
        return self.exchanges, [self.statuses[i] for i in range(1, 6)]

    cdef bint traced(self, Route route) noexcept:
        if not self.tracing:
            return False
        return self.traced_service is None or (route is not None and route.service == self.traced_service)

    cdef Route find(self, int listener, const char *host, int host_size, const char *path, int path_size):
        """The route of a Host, in any case, with or without port and trailing dot; None: nobody's. BadHostError: not one."""
        cdef char name[256]
        cdef int i, end = host_size
        cdef char c
        cdef void *found
        cdef object key
        if host_size > 255:
            raise BadHostError("longer than 255 bytes")
        if host_size > 0 and host[0] == c'[':
            while end > 0 and host[end - 1] != c']':
                end -= 1
            if end == 0:
                raise BadHostError("an address that does not end")
        else:
            for i in range(host_size):
                if host[i] == c':':
                    end = i
                    break
        for i in range(end + 1, host_size):
            if host[i] < c'0' or host[i] > c'9':
                raise BadHostError("a port that is not a number")
        if end < host_size and host[end] != c':':
            raise BadHostError("something after the address")
        if end > 1 and host[end - 1] == c'.':
            end -= 1
        for i in range(end):
            c = host[i]
            if c'A' <= c <= c'Z':
                c += 32
            elif not (c'a' <= c <= c'z' or c'0' <= c <= c'9' or c in b"-._[]:%"):
                raise BadHostError("not a host name")
            name[i] = c
        key = PyBytes_FromStringAndSize(name, end)
        found = <void *>PyDict_GetItem(<dict>self.routes[listener], key)
        if found != NULL:
            return <Route>found
        return self.admin if is_address(name, end) else None
