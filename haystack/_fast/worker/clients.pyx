"""Admission of clients, and counts of their connections: in the worker, and for each client's address where that is limited."""
from libc.stdint cimport uint64_t

from haystack._fast.net.poller cimport Socket
from haystack._fast.worker.callers cimport Callers

cdef enum:
    LEAST_SHARE = 8         # connections that any client address may have: browsers open six


cdef class Clients:
    """Counts and lists of them."""

    def __init__(self, Poller poller, Limits limits):
        self.poller = poller
        self.limits = limits
        self.callers = Callers()
        self.origins = {}
        self.paused = []
        self.leaving = []
        self.unintroduced = []
        self.looked = poller.now

    def take_unintroduced(self):
        """(address, why) of connections that were closed for want of a good PROXY header since the last call."""
        taken, self.unintroduced = self.unintroduced, []
        return taken

    cdef bint has_room(self) noexcept:
        """Whether one more client may be taken in."""
        return self.limits.max_clients == 0 or self.count < self.limits.max_clients

    cdef bint welcomes(self, uint64_t origin) except -1:
        """Whether one more connection of this client may be. origin: what stands for its address; 0: it is not counted."""
        cdef int64_t most = self.limits.max_per_client
        if most < 0:
            # no more than are free: one has half of the room at most, two a third each, and there is always something left for others
            most = max(<int64_t>LEAST_SHARE, self.limits.max_clients - self.count) if self.limits.max_clients else 0
        return most == 0 or origin == 0 or self.origins.get(origin, 0) < most

    cdef int enter(self, uint64_t origin) except -1:
        """A client has come."""
        self.count += 1
        if origin:
            self.origins[origin] = self.origins.get(origin, 0) + 1
        return 0

    cdef int leave(self, uint64_t origin) except -1:
        """A client has gone: whoever waits in the kernel's queue has its turn."""
        cdef Socket listener
        self.count -= 1
        if origin:
            left = self.origins.pop(origin) - 1
            if left:
                self.origins[origin] = left
        if self.paused:
            for listener in self.paused:
                self.poller.later(listener)
            self.paused = []
        return 0

    cdef int pause(self, Socket listener) except -1:
        """Call the listener's on_again when a client has gone."""
        if listener not in self.paused:
            self.paused.append(listener)
        return 0
