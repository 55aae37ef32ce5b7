"""Runs the scenarios: alternating rounds, the proxy on cores of its own, wrk and the origin on another.

Every figure is of a round in which nothing failed, after the origin's own body came through that very proxy.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from bench.macro import wrk
from bench.macro.idle import memory
from bench.macro.meter import cpu, machine_us, pin
from bench.macro.origin import Origin, SinkOrigin, content
from bench.macro.process import Process
from bench.macro.scenarios import Contestant, Scenario

WARM_UP, WARM_UP_MANY = 1, 4
READY = 30.0

Row = dict[str, Any]


class Cores:
    """Which cores the proxy has and which the load. On few cores several workers have to share with the load."""

    def __init__(self, have: list[int], workers: int) -> None:
        self.proxy = set(have[:workers])
        self.load = set(have[workers:]) or set(have)
        if workers > 1 and len(have) < workers + 2:
            self.proxy = self.load = set(have)


def run(scenario: Scenario, rounds: int, seconds: int, only: tuple[str, ...], have: list[int]) -> list[Row]:
    """The rows of one scenario. only: names of the contestants (empty: all). Raises RuntimeError when a round had an error."""
    cores = Cores(have, scenario.workers)
    Process.files()
    contestants = [c for c in scenario.contestants if not only or c.name.lower() in only]
    with ExitStack() as stack:
        origin = stack.enter_context(_origin(scenario))
        place(origin, cores.load, cores.load)
        if scenario.idle:
            return [_idle(c, scenario, origin, number) for number in range(rounds) for c in turned(contestants, number)]
        peers = {c.name: ready(stack, c, scenario, origin, cores) for c in contestants}
        rows = []
        for number in range(rounds):
            for contestant in turned(contestants, number):
                load = contestant.load or scenario.load
                warm(peers[contestant.name], load, cores)
                row = measure(peers[contestant.name], load, seconds, cores, origin)
                rows.append({"scenario": scenario.name, "round": number, "peer": contestant.name} | row)
        return rows


def _origin(scenario: Scenario) -> Process:
    return SinkOrigin() if scenario.origin == "sink" else Origin(wide=scenario.origin == "wide")


def turned(contestants: list[Contestant], number: int) -> list[Contestant]:
    """Another one begins each round, so that none always follows the same one."""
    at = number % len(contestants)
    return contestants[at:] + contestants[:at]


def ready(stack: ExitStack, contestant: Contestant, scenario: Scenario, origin: Process, cores: Cores) -> Process:
    """The proxy, started, pinned, proved and warm."""
    load = contestant.load or scenario.load
    peer = stack.enter_context(contestant.make(origin.port))
    for number in {0, load.hosts - 1}:
        prove(peer, load, number)
    place(peer, cores.proxy, cores.load)
    wrk.run(load, peer.port, WARM_UP, cores.load)
    return peer


def warm(peer: Process, load: wrk.Load, cores: Cores) -> None:
    """Open the upstream connections again that ended while others had their turn: where there are thousands, they would be the figure."""
    if load.hosts > 1:
        wrk.run(load, peer.port, WARM_UP_MANY, cores.load)


def place(peer: Process, first: set[int], rest: set[int]) -> None:
    """Pin the part that carries the requests to these cores and the rest to those."""
    for number, pids in enumerate(peer.groups().values()):
        for pid in pids:
            pin(pid, rest if number else first)


def prove(peer: Process, load: wrk.Load, number: int = 0) -> None:
    """Wait until the origin's own body comes back through the peer: a fast 404 is no figure. Raises RuntimeError."""
    end = time.monotonic() + READY
    while (got := fetch(peer.port, load, number)) != content(load.path):
        if time.monotonic() > end:
            raise RuntimeError(f"{peer.name} does not answer with the origin's body: {got[:200]!r}")
        time.sleep(0.02)


def fetch(port: int, load: wrk.Load, number: int) -> bytes:
    """The body of one answer; empty when the connection fails."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        fields = dict(line.split(": ", 1) for line in load.fields)
        connection.request(load.method, load.path, b"x" * load.body or None, headers={"Host": load.name(number)} | fields)
        return connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return b""
    finally:
        connection.close()


def measure(peer: Process, load: wrk.Load, seconds: int, cores: Cores, origin: Process) -> Row:
    """One round of one contestant. Raises RuntimeError when anything failed: such a figure says nothing."""
    return measured(peer, lambda: wrk.run(load, peer.port, seconds, cores.load), cores, origin)


def measured(peer: Process, drive: Callable[[], wrk.Report], cores: Cores, origin: Process) -> Row:
    """What the proxy and all others used while that load ran. Raises RuntimeError when anything failed."""
    groups = peer.groups() | {"origin": [pid for pids in origin.groups().values() for pid in pids]}
    before = {part: [cpu([pid]) for pid in pids] for part, pids in groups.items()}
    began, busy = time.monotonic(), machine_us()
    told = drive()
    took, busy = (time.monotonic() - began) * 1e6, machine_us() - busy
    used = {part: [cpu([pid]) - b for pid, b in zip(pids, before[part], strict=True)] for part, pids in groups.items()}
    if told.errors or not told.requests:
        raise RuntimeError(f"{peer.name}: {told.errors} errors in {told.requests} requests: no figure")
    ours = sum(c.total for part in used.values() for c in part) + told.cpu_us
    served = used.pop("origin")
    first, *others = used.values()
    control = sum(c.total for part in others for c in part) / told.requests
    user = sum(c.user for part in used.values() for c in part) / told.requests
    system = sum(c.system for part in used.values() for c in part) / told.requests
    return {
        "user_us": user,
        "system_us": system,
        "cpu_us": user + system,
        "control_us": control,
        "workers_us": [c.total / told.requests for c in first],
        "rate": told.rate,
        "p50_ms": told.p50_ms,
        "p99_ms": told.p99_ms,
        "requests": told.requests,
        "proxy_busy": sum(c.total for c in first) / took / len(cores.proxy),
        "load_busy": (sum(c.total for c in served) + told.cpu_us) / took / len(cores.load),
        "origin_busy": sum(c.total for c in served) / took,
        "others_busy": max(0.0, busy - ours) / took,
    }


def _idle(contestant: Contestant, scenario: Scenario, origin: Process, number: int) -> Row:
    """A fresh process each round: memory that was freed once is not given back, and would hide the next round's."""
    with contestant.make(origin.port) as peer:
        prove(peer, scenario.load)
        each = memory(peer, scenario.load)
    return {"scenario": scenario.name, "round": number, "peer": contestant.name} | each
