"""One worker's place, as the supervisor keeps it: its sockets stay, its process may change.

Adds up what its processes count. Never starts or ends one.
"""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Iterable

from haystack.dns import counts as dns_counts
from haystack.dns.messages import DnsCounts
from haystack.proxy import ipc
from haystack.proxy.counters import Asked, Place
from haystack.proxy.heartbeat import Pulse
from haystack.proxy.lending import Descriptor
from haystack.proxy.spawn import WorkerProcess

HOPELESS = 3
WINDOW = 60.0  # seconds in which deaths of workers that had served are told


def ended(status: int | None) -> str:
    """How a process ended, in words."""
    if status is None:
        return "it could not be started"
    if status < 0:
        return f"killed by signal {-status} ({signal.strsignal(-status)})"
    return f"it ended with status {status}"


class Slot:
    """One worker's place: its sockets stay, its process may change. state: starting, serving, draining, dead."""

    def __init__(self, number: int, sockets: list[tuple[int, Descriptor]]) -> None:
        self.slot = number
        self.sockets = sockets
        self.pid = 0
        self.state = "dead"
        self.restarts = 0
        self.deaths = 0  # in a row, none of which had served for a second
        self.died_at: deque[float] = deque(maxlen=100)
        self.last = ""  # how the last one of them ended
        self.connections = 0
        self.clients = 0  # connections of theirs, of those
        self.exchanges = 0
        self.hidden, self.outside = 0, 0  # connections, as the worker tells
        self.gateway = ""
        self.told = 0  # members, since its process began
        self.members: dict[int, tuple[Asked, Place]] = {}  # what to count its requests under, by member
        self.dns_before = self.dns_now = dns_counts.NOTHING  # of processes that have ended, and of the one there is
        self.channel: ipc.Channel | None = None
        self.worker: WorkerProcess | None = None
        self.pulse = Pulse()
        self.started = 0.0  # of the loop's clock, the process that it has now
        self.settled = asyncio.Event()  # it serves, or none of them ever will

    @property
    def trouble(self) -> str:
        """That its processes die again and again; empty where they don't."""
        return f"worker {self.slot} died {self.deaths} times in a row: {self.last}" if self.deaths >= HOPELESS else ""

    def frailty(self, now: float) -> str:
        """That its processes have died several times of late, though each had served; empty where not. now: of the loop's clock."""
        count = sum(now - at < WINDOW for at in self.died_at)
        return f"worker {self.slot} died {count} times in the last minute: {self.last}" if count >= HOPELESS and not self.trouble else ""

    def died(self, now: float, *, steady: bool) -> None:
        """Count a death. steady: it had served for a while."""
        self.died_at.append(now)
        self.restarts += 1
        self.deaths = 1 if steady else self.deaths + 1
        self.last = ended(self.status)

    def forget(self) -> None:
        """Another process begins to count: it knows no member yet."""
        self.told = 0
        self.members.clear()
        self.dns_before, self.dns_now = dns_counts.ended(self.dns), dns_counts.NOTHING

    def learn(self, counts: ipc.Counts) -> None:
        """Take in how it stands, and the members that its process has counted for the first time."""
        self.exchanges, self.connections, self.clients = counts.exchanges, counts.connections, counts.clients
        self.hidden, self.gateway, self.outside = counts.hidden, counts.gateway, counts.outside
        for service, port, identity, address, number in counts.members:
            self.told += 1
            self.members[self.told] = (service, port), Place(identity, address, number)

    @property
    def dns(self) -> DnsCounts:
        """What DNS has done here, over all processes."""
        return dns_counts.total((self.dns_before, self.dns_now))

    def unlearn(self, members: Iterable[int]) -> None:
        """Its process has let go of these."""
        for member in members:
            del self.members[member]

    @property
    def status(self) -> int | None:
        """How its process ended; None where it runs, or there was none."""
        return self.worker.process.poll() if self.worker is not None else None
