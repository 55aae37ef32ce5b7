"""One round: a load on a service through a proxy while something happens to its containers; and what of it is to be told."""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from bench.chaos.client import Order
from bench.chaos.events import Scene
from bench.chaos.fleet import Fleet, answering
from bench.chaos.node import Node
from bench.chaos.sealing import Sealing
from bench.macro.process import Process

LIMIT = 60.0
ROOT = Path(__file__).resolve().parents[2]
_names = (f"{number:x}." for number in itertools.count(1))


class Client:
    """The load, from the first connection to the report."""

    def __init__(self, order: Order) -> None:
        self.order = order

    def __enter__(self) -> Self:
        # to a file: a report with many failures is more than a pipe holds
        self._told = tempfile.NamedTemporaryFile(prefix="haystack-chaos-", suffix=".json")
        command = [sys.executable, "-m", "bench.chaos.client", json.dumps(asdict(self.order)), self._told.name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        if self._process.stdout:
            self._process.stdout.readline()
        return self

    def report(self) -> dict[str, Any]:
        """Stop asking; what became of every request."""
        self._process.communicate(timeout=LIMIT)
        found: dict[str, Any] = json.load(self._told)
        return found

    def __exit__(self, *exc: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
        self._told.close()


@dataclass
class Round:
    """What a round gave. twice: ids that were processed more than once; lost: answered with 200 and never processed."""

    report: dict[str, Any]
    told: list[tuple[float, str]]
    twice: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """Requests without the right answer."""
        return int(self.report["failed"])

    @property
    def slowest(self) -> float:
        """Milliseconds of the slowest right answer."""
        return max((one["ms"] for one in self.report["slowest"]), default=0.0)

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return float(self.report["rate"])

    def failed_after(self, grace: float) -> list[dict[str, Any]]:
        """Failures that were sent more than `grace` seconds after the last thing that was done."""
        return [f for f in self.report["failures"] if f["at"] - self.since(f["at"])[0] > grace]

    def since(self, at: float) -> tuple[float, str]:
        """The last thing that had been done then, and when."""
        return max((done for done in self.told if done[0] <= at), default=(self.report["begun"], "the beginning"))

    def story(self, shown: int = 12) -> str:
        """What failed and what was slow, and after what, for a reader who looks for the reason."""
        begun = self.report["begun"]
        lines = [f"{self.report['done']} right, {self.failed} failed {self.report['kinds']}, {self.report['who']}"]
        lines += [f"  {at - begun:7.3f} {text}" for at, text in self.told]
        for name, one in [("failed", f) for f in self.report["failures"][:shown]] + [("slow", s) for s in self.report["slowest"][:4]]:
            done, text = self.since(one["at"])
            after = f"{(one['at'] - done) * 1e3:.1f} ms after {text}"
            lines.append(f"  {one['at'] - begun:7.3f} {name} {after}: " + ", ".join(f"{k} {v}" for k, v in one.items() if k != "at"))
        return "\n".join(lines)


@dataclass(frozen=True)
class Plan:
    """How a round goes.

    pace: seconds before, between and after. victims: to how many containers it happens (None: all). pause: seconds that each
    connection rests after an answer. seconds: it happens again until so many have passed. limit: seconds for a request. protocol: how
    clients ask, as client.PROTOCOLS has it; sealing: where that is within TLS.
    """

    connections: int = 64
    pace: float = 1.0
    victims: int | None = None
    pause: float = 0.0
    seconds: float = 0.0
    limit: float = 15.0
    protocol: str = "http"
    sealing: Sealing | None = None

    def order(self, proxy: Process, fleet: Fleet, method: str) -> Order:
        """What the load asks."""
        port, ca = (proxy.port, "") if self.protocol == "http" else (proxy.secure, str(self.sealing.ca) if self.sealing else "")
        how = {"name": next(_names), "pause": self.pause, "limit": self.limit, "protocol": self.protocol, "ca": ca}
        return Order(port, fleet.host, method, self.connections, **how)

    def connect(self, proxy: Process, fleet: Fleet) -> Callable[[], socket.socket] | None:
        """A connection through the proxy to this fleet; None: a plain one will do."""
        sealing = self.sealing
        return (lambda: sealing.connected(proxy.secure, fleet.host)) if sealing and self.protocol != "http" else None


def played(proxy: Process, fleet: Fleet, method: str, act: Callable[[Scene], None], plan: Plan, engine: Node | None = None) -> Round:
    """Load the fleet's service through the proxy from before until after the act. engine: the fleet's, where the act needs it."""
    return side_by_side(proxy, fleet, method, act, [plan], engine)[0]


def side_by_side(
    proxy: Process, fleet: Fleet, method: str, act: Callable[[Scene], None], plans: Sequence[Plan], engine: Node | None = None
) -> list[Round]:
    """The same with several loads at once, which may ask in different ways; the first plan says how it goes."""
    plan = plans[0]
    fleet.heal()
    answering(proxy, fleet, plan.connect(proxy, fleet))
    orders = [each.order(proxy, fleet, method) for each in plans]
    scene = Scene(fleet, proxy, plan.pace, plan.victims, time.monotonic() + plan.seconds, engine, plan.sealing)
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(order)) for order in orders]
        scene.play(act)
        rounds = [Round(client.report(), scene.told) for client in clients]
    if method == "POST":
        processed = fleet.processed()
        for done, order in zip(rounds, orders, strict=True):
            check(done, processed, order.name)
    return rounds


def check(done: Round, processed: list[str], prefix: str) -> None:
    """Hold what the origins processed against what was answered."""
    counts = Counter(number for number in processed if number.startswith(prefix))
    done.twice = [number for number, count in counts.items() if count > 1]
    if len(counts) < done.report["done"]:
        done.lost = [f"{done.report['done'] - len(counts)} answers with 200 to requests that nobody processed"]
