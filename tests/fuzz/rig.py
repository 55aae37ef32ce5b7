"""A whole worker's data plane in this process, turned by hand: clients and endpoints on unix sockets, every byte of both recorded.

The loop is not a real one, so that a script does the same each time: `settle` runs what is ready until nothing is.
"""

from __future__ import annotations

import select
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from haystack._fast import ledger, pick
from haystack._fast.cells import Cell, Member, Route
from haystack._fast.listener import Listener
from haystack._fast.plane import Plane
from haystack._fast.poller import Poller
from haystack._fast.route import Router
from haystack.proxy.channel import Limits

TURNS = 20_000
FLOOD = 300_000
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
)


class HandLoop:
    """The part of an event loop that a Poller uses."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []
        self.ready = select.poll()

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        self.callback = callback
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


class End:
    """Our end of a connection. seen: what came; sent: what the other side was sent; over: it sends no more;
    heard: which of all hearings was its last."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.seen = bytearray()
        self.sent = bytearray()
        self.over = False
        self.heard = 0
        sock.setblocking(False)

    def send(self, data: bytes) -> None:
        """What the socket takes of it, and no more."""
        try:
            size = self.sock.send(data)
        except OSError:
            return
        self.sent += data[:size]

    def receive(self) -> bool:
        """Read what is there; True: something was."""
        before = len(self.seen), self.over
        try:
            while not self.over and self.sock.fileno() >= 0:
                data = self.sock.recv(1 << 16)
                self.seen += data
                self.over = not data
        except BlockingIOError:
            pass
        except OSError:
            self.over = True
        return before != (len(self.seen), self.over)

    def half_close(self) -> None:
        with suppress(OSError):  # it may have gone
            self.sock.shutdown(socket.SHUT_WR)


def listening(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(path)
    made.listen(64)
    made.setblocking(False)
    return made


class Places:
    """Where clients and endpoints meet the plane; made once, for they cost more than an exchange."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="haystack-fuzz-")
        self.front = str(Path(self.folder.name, "front"))
        self.backs = [str(Path(self.folder.name, name)) for name in ("one", "two")]
        self.listener = listening(self.front)
        self.endpoints = [listening(path) for path in self.backs]

    def close(self) -> None:
        for sock in (self.listener, *self.endpoints):
            sock.close()
        self.folder.cleanup()


class Rig:
    """One plane, from its first client to its last. Every Host that is an IP address leads to two endpoints, both played by us."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.errors: list[Exception] = []
        self.loop = HandLoop()
        self.poller = Poller(self.loop, self.errors.append)
        router = Router()
        self.plane = Plane(self.poller, router, [80])
        self.plane.limit(LIMITS)
        self.cells = [Cell(path, path) for path in places.backs]
        members = [Member(cell, "fuzz", 80) for cell in self.cells]
        router.fall_back(Route("fuzz", pick.make("roundrobin", members, [100, 100]), 1))
        self.listener = Listener(self.plane, places.listener.fileno(), 0)
        self.streams = self.poller.open_streams
        self.clients: list[End] = []
        self.endpoints: list[End] = []
        self.reading = True
        self.hearings = 0
        self.ends: dict[int, End] = {}
        self.ready = select.poll()
        for door in places.endpoints:
            self.ready.register(door, select.POLLIN)

    def client(self) -> End:
        """The newest client that is still there, or a new one."""
        return self.clients[-1] if self.clients and self.clients[-1].sock.fileno() >= 0 else self.connect()

    def connect(self) -> End:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.places.front)
        self.clients.append(self.watch(sock))
        return self.clients[-1]

    def endpoint(self) -> End | None:
        """The endpoint's connection that was asked something last."""
        there = [end for end in self.endpoints if end.sock.fileno() >= 0]
        return max(there, key=lambda end: end.heard, default=None)

    def settle(self) -> None:
        """Run until nothing is left to do. AssertionError: it never ends."""
        for _ in range(TURNS):
            moved = self.loop.turn()
            moved = self.look() or moved
            if not moved:
                return
        raise AssertionError("the plane never comes to rest")

    def look(self) -> bool:
        """Take new connections and read what came; True: there was any."""
        moved = False
        for fd, _ in self.ready.poll(0):
            if end := self.ends.get(fd):
                moved = (self.reading and self.hear(end)) or moved
            else:
                door = next(door for door in self.places.endpoints if door.fileno() == fd)
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

    def close(self) -> None:
        """Everybody goes; what the plane still holds then has leaked. AssertionError says what."""
        self.reading = True
        self.settle()
        for end in (*self.clients, *self.endpoints):
            end.half_close()
        self.settle()
        known = -1
        while known < len(self.endpoints):  # a request may still be tried elsewhere
            known = len(self.endpoints)
            for end in (*self.clients, *self.endpoints):
                self.drop(end)
            self.settle()
        left = self.poller.open_streams - self.streams
        in_flight = [cell.in_flight for cell in self.cells]
        pooled = [cell.pooled for cell in self.cells]
        self.plane.take_traces()
        self.listener.stop()
        self.poller.stop()
        assert not self.errors, self.errors
        assert left == 0, f"{left} streams are left"
        assert not any(in_flight + pooled), f"in flight: {in_flight}, pooled: {pooled}"

    def assert_empty(self) -> None:
        """After the plane has gone, in the debug build: nothing is alive."""
        del self.listener, self.plane, self.poller, self.loop
        live = ledger.live()
        assert not live["streams"], live
        assert not live["buffers"], live
