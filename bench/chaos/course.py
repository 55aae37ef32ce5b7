"""The whole course of a measurement: each row's containers, and before each proxy one round with them.

A round that can't be played costs itself and nothing else; what has been played is kept at once. Removes only what it made.
"""

from __future__ import annotations

import os
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import docker
import docker.errors
from docker.models.networks import Network

from bench.chaos.fleet import PYTHON, Fleet
from bench.chaos.node import Node, missing
from bench.chaos.peers import Haproxy, NginxPeer
from bench.chaos.rounds import Plan, Round, played
from bench.chaos.rows import Row
from bench.chaos.sealing import Sealing
from bench.macro.process import Haystack, Process

HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
KEPT = 50  # failures of a round that go to the raw file
AROUND = 6.0  # seconds that a round takes besides: containers, proxy, the end of what goes on
TRIES = 8
ATTEMPTS = 2  # at a round: an engine may be too busy to pause a container in time


@dataclass
class Course:
    """What is to be played, and how.

    plan: of a round, by the proxy's name in lower case. protocol: how clients ask. keep: called with all that was found whenever there is
    more of it.
    """

    rows: Sequence[Row]
    peers: Sequence[str]
    plan: Callable[[str], Plan]
    found: dict[str, Any]
    keep: Callable[[dict[str, Any]], None]
    protocol: str = "http"
    sealing: Sealing | None = None
    client: docker.DockerClient = field(default_factory=lambda: docker.from_env(timeout=120))

    def __post_init__(self) -> None:
        self.rows = [row.by(self.protocol) for row in self.rows if self.protocol in row.protocols]
        self.peers = [peer for peer in self.peers if peer != "nginx" or self.protocol != "passthrough"]  # Debian's has no such module

    def play(self) -> None:
        """All rounds of all rows."""
        before = self.steps()
        for number, row in enumerate(self.rows):
            left = sum(seconds for n, seconds in before if n >= number)
            say(f"{row.title} (row {number + 1} of {len(self.rows)}, about {left / 60:.0f} min left)")
            self.forget(row)
            try:
                self.row(row)
            except Exception as error:  # noqa: BLE001 - whatever it was, the other rows are worth playing
                traceback.print_exception(error)
                self.missed(row.name, "", "", error)
        self.client.close()

    def steps(self) -> list[tuple[int, float]]:
        """Seconds of every round, with the number of its row."""
        return [
            (number, self.plan(peer).seconds + AROUND)
            for number, row in enumerate(self.rows)
            for _ in row.kinds
            for peer in self.peers
            if peer == "haystack" or not row.alone
        ]

    def forget(self, row: Row) -> None:
        """What an earlier measurement has of this row and these proxies."""
        for key in ("rounds", "missing"):
            self.found[key] = [
                r
                for r in self.found[key]
                if (r["row"], r.get("protocol", "http")) != (row.name, self.protocol) or r["peer"].lower() not in (*self.peers, "")
            ]

    def row(self, row: Row) -> None:
        """Its rounds, on an engine of its own where it needs one."""
        with ExitStack() as stack:
            client, engine = self.client, None
            if row.node:
                if lacking := missing():
                    raise RuntimeError(f"an engine of its own needs {lacking}")
                engine = stack.enter_context(Node(self.client, ("nginx", PYTHON), live_restore=row.live))
                client = engine.client
                stack.enter_context(engine.inside())
            name, prefix = stack.enter_context(network(client))
            addresses = [f"{prefix}.{number}" for number in range(10, 10 + 2 * row.members)]
            for method, kind in row.kinds.items():
                sealing = self.sealing if self.protocol == "passthrough" else None
                fleet = Fleet(client, kind, f"chaos{os.getpid()}", (name, addresses), sealing, **row.options)
                self.beside(fleet, row, method, engine)

    def beside(self, fleet: Fleet, row: Row, method: str, engine: Node | None) -> None:
        """One round before each proxy, with the same containers."""
        try:
            fleet.grow(row.members)
            for peer in self.peers:
                if peer == "haystack" or not row.alone:
                    self.round(fleet, row, method, peer, engine)
        finally:
            fleet.remove()

    def round(self, fleet: Fleet, row: Row, method: str, peer: str, engine: Node | None) -> None:
        """One round before one proxy; once more where something kept it from being played."""
        for left in reversed(range(ATTEMPTS)):
            try:
                fleet.heal()
                with self.before(peer, fleet, row, engine) as proxy:
                    done = played(proxy, fleet, method, row.act, self.plan(peer), engine)
                say(f"{row.name} {method} {proxy.name}: {done.story(3)}")
                self.found["rounds"].append(record(row, method, proxy, done) | {"protocol": self.protocol})
                break
            except Exception as error:  # noqa: BLE001 - and so are the other rounds
                traceback.print_exception(error)
                if not left:
                    self.missed(row.name, method, peer, error)
        self.keep(self.found)

    def missed(self, row: str, method: str, peer: str, error: Exception) -> None:
        """Keep why this was not played."""
        why = f"{type(error).__name__}: {error}"
        self.found["missing"].append({"row": row, "method": method, "peer": peer, "why": why, "protocol": self.protocol})
        self.keep(self.found)

    def before(self, peer: str, fleet: Fleet, row: Row, engine: Node | None) -> Process:
        """That proxy, set to the fleet's containers. Haystack finds them by itself."""
        sealing = self.sealing if self.protocol != "http" else None
        if peer == "haystack":
            return Haystack(**({"DOCKER_HOST": engine.host if engine else HOST} | row.settings | (sealing.settings if sealing else {})))
        addresses = fleet.network[1] if fleet.network else []
        # those of the containers that a redeploy will bring are told beforehand
        static = addresses if row.name == "redeploy" else [fleet.address(container) for container in fleet.members]
        return Haproxy(static, sealing, raw=self.protocol == "passthrough") if peer == "haproxy" else NginxPeer(static, sealing)


@contextmanager
def network(client: docker.DockerClient) -> Iterator[tuple[str, str]]:
    """A network of our own, so that containers keep their addresses: its name, and what the addresses begin with."""
    made, prefix = networked(client)
    try:
        yield str(made.name), prefix
    finally:
        made.remove()


def networked(client: docker.DockerClient) -> tuple[Network, str]:
    """A network whose addresses nobody had, and what they begin with. Raises APIError."""
    for last in range(TRIES):
        prefix = f"10.213.{random.randrange(256)}"
        pools = [docker.types.IPAMPool(subnet=f"{prefix}.0/24")]
        try:
            return client.networks.create(f"haystack-chaos-{os.getpid()}", ipam=docker.types.IPAMConfig(pool_configs=pools)), prefix
        except docker.errors.APIError:
            if last == TRIES - 1:
                raise
    raise AssertionError


def record(row: Row, method: str, proxy: Process, done: Round) -> dict[str, Any]:
    """What of the round is kept."""
    kept_of = done.report | {"failures": done.report["failures"][:KEPT]}
    figures = {"failed": done.failed, "slowest_ms": done.slowest, "rate": done.rate, "twice": len(done.twice), "lost": done.lost}
    late = len(done.failed_after(row.grace)) if row.grace else None
    whose = {"row": row.name, "method": method, "peer": proxy.name, "done": done.report["done"], "late": late}
    return whose | figures | {"told": done.told, "report": kept_of}


def say(text: str) -> None:
    """To whoever waits, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
