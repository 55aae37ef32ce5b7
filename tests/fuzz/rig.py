"""A whole worker's data plane in this process, turned by hand: clients and endpoints on sockets of ours, every byte of both recorded.

The loop is not a real one, so that a script does the same each time: `settle` runs what is ready until nothing is.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

import msgspec

from haystack._fast.connection import http2_leg, resting, slow_readers, spares
from haystack._fast.exchange import bulk, half_closed
from haystack._fast.exchange.listener import Listener
from haystack._fast.log import span_parts
from haystack._fast.log.access_line import Log
from haystack._fast.net.networks import Networks
from haystack._fast.net.poller import Poller
from haystack._fast.routing.router import Router
from haystack._fast.util import allocations
from haystack._fast.worker.worker_state import WorkerState
from haystack.loop.turns import at_once
from haystack.net import access
from haystack.net.rights import Right
from haystack.proxy.limits import Limits
from tests.fuzz.ends import End, Places
from tests.fuzz.service import Service

EVERYBODY = Networks(*at_once(access.flattened([(access.span(each), int(Right.INSIDE)) for each in access.EVERYWHERE])))
TURNS = 20_000
FLOOD = 300_000
SWEEPS, PATIENCE = 90, 36  # of 2 ms: a part of a response is held for 50 (HELD_MS)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# every deadline is a millisecond away, and comes when somebody looks: in `sweep`
LIMITS = Limits(
    max_head=16384,
    max_headers=100,
    max_clients=0,
    max_per_client=0,
    head_ms=1,
    idle_ms=1,
    body_rate=0,
    connect_ms=1,
    tunnel_ms=1,
    pool_size=8,
    pool_ms=1,
    pool_age_ms=1000,
    queue_size=4,
    queue_ms=1,
    kept_body=65536,
    read_rate=1,
    max_kept=1 << 20,
)


class HandLoop:
    """The part of an event loop that a Poller uses."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []
        self.ready = select.poll()

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        self.fd, self.callback = fd, callback
        self.ready.register(fd, select.POLLIN)

    def remove_reader(self, fd: int) -> None:
        self.ready.unregister(fd)

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def turn(self) -> bool:
        """Run what is due; False: nothing was."""
        due, self.soon = self.soon, []
        if self.ready.poll(0):
            due.append(self.callback)
        for callback in due:
            callback()
        return bool(due)


class Rig:
    """One worker, from its first client to its last. Hosts that are IP addresses, and `1`, lead to one service, whose endpoints we play.

    changes: what its limits are instead of LIMITS.
    """

    def __init__(self, places: Places, **changes: int) -> None:
        self.places = places
        self.errors: list[Exception] = []
        self.loop = HandLoop()
        self.poller = Poller(self.loop, self.errors.append)
        router = Router()
        self.worker = WorkerState(self.poller, router, [80], EVERYBODY)
        self.worker.limits.set(msgspec.structs.replace(LIMITS, **changes))
        self.service = Service(places, self.worker, router)
        self.listener = Listener(self.worker, places.listener.fileno(), 0)
        self.sockets = self.poller.open_sockets
        self.clients: list[End] = []
        self.endpoints: list[End] = []
        self.reading = True
        self.hearings = 0
        self.ends: dict[int, End] = {}
        self.ready = select.poll()
        for door in places.doors:
            self.ready.register(door, select.POLLIN)

    def client(self) -> End:
        """The newest client that is still there, or a new one."""
        return self.clients[-1] if self.clients and self.clients[-1].there else self.connect()

    def connect(self) -> End:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.places.front)
        self.clients.append(self.watch(sock))
        return self.clients[-1]

    def turn_to_another(self) -> None:
        """The oldest client counts as the newest from now on."""
        if self.clients:
            self.clients.append(self.clients.pop(0))

    def endpoint(self) -> End | None:
        """The endpoint's connection that was asked something last."""
        there = [end for end in self.endpoints if end.there]
        return max(there, key=lambda end: end.heard, default=None)

    def leave_endpoint(self) -> None:
        """The connection that was asked before counts as the one that was asked last."""
        if end := self.endpoint():
            end.heard = -1

    def log(self) -> None:
        """From here on each exchange is told of, in a line, a trace and spans."""
        self.worker.traces.switch(True)
        self.worker.log = Log("json", 0, ["http:80"])
        self.worker.traces.spans.sample(1, False, ["http:80"])

    def drain(self) -> None:
        """As before the worker's end."""
        self.worker.drain()
        bulk.close_idle(self.worker)

    def settle(self) -> None:
        """Run until nothing is left to do. AssertionError: it never ends."""
        for _ in range(TURNS):
            moved = self.loop.turn()
            moved = self.look() or moved
            if not moved:
                return
        raise AssertionError("the worker never comes to rest")

    def look(self) -> bool:
        """Take new connections and read what came; True: there was any."""
        moved = False
        for fd, _ in self.ready.poll(0):
            if end := self.ends.get(fd):
                moved = (self.reading and self.hear(end)) or moved
            else:
                door = next(door for door in self.places.doors if door.fileno() == fd)
                self.endpoints.append(self.watch(door.accept()[0]))
                moved = True
        return moved

    def hear(self, end: End) -> bool:
        heard = end.receive()
        self.hearings += heard
        end.heard = self.hearings
        if end.over:  # it would be ready for ever
            self.ready.unregister(end.sock)
            del self.ends[end.sock.fileno()]
        return heard

    def watch(self, sock: socket.socket) -> End:
        self.ready.register(sock, select.POLLIN)
        self.ends[sock.fileno()] = End(sock)
        return self.ends[sock.fileno()]

    def drop(self, end: End) -> None:
        """Close our end of a connection."""
        if self.ends.pop(end.sock.fileno(), None):
            self.ready.unregister(end.sock)
        end.sock.close()

    def sweep(self) -> None:
        """Let every deadline that is set come."""
        time.sleep(0.002)
        self.poller.sweep()
        slow_readers.look(self.worker)
        half_closed.look(self.worker)
        self.rest()

    def rest(self) -> int:
        """Pack the sessions of clients that ask for nothing; how many."""
        return resting.look(self.worker, 0)

    def end_by_itself(self) -> None:
        """Nobody does anything more: time alone has to end every exchange, one a time where a client has asked for many.

        AssertionError: some have no end.
        """
        done, idle = -1, 0
        for _ in range(SWEEPS):
            if not any(map(any, self.service.held().values())):
                return
            self.sweep()
            self.settle()
            before, done = done, self.worker.counted()[0]
            idle = idle + 1 if done == before else 0
            assert idle < PATIENCE, f"never ends: {self.service.held()}"

    def close(self) -> None:
        """Everybody goes; what the worker still holds then has leaked. AssertionError says what."""
        self.reading = True
        self.settle()
        self.end_by_itself()
        for end in (*self.clients, *self.endpoints):
            end.half_close()
        self.settle()
        self.leave()
        left, clients = self.poller.open_sockets - self.sockets, self.worker.clients.count
        self.take_all()
        self.listener.stop()
        self.poller.stop()
        assert not self.errors, self.errors
        assert left == 0, f"{left} sockets are left"
        assert clients == 0, f"{clients} clients are left"
        assert not any(map(any, self.service.held().values())), self.service.held()
        exchanges, statuses = self.worker.counted()
        assert exchanges == sum(statuses), (exchanges, statuses)

    def leave(self) -> None:
        """Close all our ends."""
        known = -1
        while known < len(self.endpoints):  # a request may still be tried elsewhere
            known = len(self.endpoints)
            for end in (*self.clients, *self.endpoints):
                self.drop(end)
            self.settle()

    def take_all(self) -> None:
        """What a worker tells of, taken, and what it forgets with its tick, forgotten."""
        half_closed.look(self.worker)
        self.worker.traces.take()
        if spans := self.worker.traces.spans.take():
            span_parts.parts(spans[0], 1)
        self.worker.take_errors()
        self.worker.take_faults()
        self.worker.traffic.take_members()
        self.worker.traffic.take_services()
        self.worker.traffic.take_loads()
        if self.worker.log is not None:
            self.worker.log.take()

    def assert_empty(self) -> None:
        """After the worker has gone, in the debug build: nothing is alive."""
        del self.listener, self.service, self.worker, self.poller, self.loop
        http2_leg.forget_spares()
        spares.forget_spares()
        live = allocations.live()
        assert not live["sockets"], live
        assert not live["buffers"], live
