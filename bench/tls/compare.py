"""Runs the scenarios: alternating rounds, the proxy on a core of its own, load and origin on another.

Every figure is of a round in which nothing failed, after the origin's own body came through that very proxy in that very way.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.macro.compare import READY, Cores, Row, measured, place
from bench.macro.idle import settled
from bench.macro.origin import Origin
from bench.macro.process import Process
from bench.tls.certificate import Certificate
from bench.tls.client import Client, H2Client
from bench.tls.drivers import Http2
from bench.tls.peers import GrpcOrigin, Site
from bench.tls.scenarios import Contestant, Scenario

WARM_UP = 1


def run(scenario: Scenario, rounds: int, seconds: int, contestants: list[Contestant], have: list[int]) -> list[Row]:
    """The rows of one scenario. Raises RuntimeError when a proxy does not do that work, or a round had an error."""
    cores = Cores(have, 1)
    Process.files()
    with ExitStack() as stack:
        shown = Certificate(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="haystack-bench-"))))
        origin = stack.enter_context(GrpcOrigin() if scenario.grpc else Origin())
        place(origin, cores.load, cores.load)
        site = Site(origin.port, shown, scenario.grpc)
        if scenario.idle:
            return [_idle(c, scenario, site, number) for number in range(rounds) for c in turned(contestants, number)]
        peers = {c.name: ready(stack, c, scenario, site, cores) for c in contestants}
        rows = []
        for number in range(rounds):
            for contestant in turned(contestants, number):
                row = measure(peers[contestant.name], scenario, shown, seconds, cores, origin)
                rows.append({"scenario": scenario.name, "round": number, "peer": contestant.name} | row)
        return rows


def turned(contestants: list[Contestant], number: int) -> list[Contestant]:
    """Another one begins each round, so that none always follows the same one."""
    at = number % len(contestants)
    return contestants[at:] + contestants[:at]


def ready(stack: ExitStack, contestant: Contestant, scenario: Scenario, site: Site, cores: Cores) -> Process:
    """The proxy, started, pinned, proved and warm."""
    peer = stack.enter_context(contestant.make(site))
    prove(peer, contestant, scenario, site.certificate)
    place(peer, cores.proxy, cores.load)
    scenario.driver.run(peer, site.certificate, WARM_UP, cores.load)
    return peer


def prove(peer: Process, contestant: Contestant, scenario: Scenario, shown: Certificate) -> None:
    """Wait until it does that work; it may not know of its endpoint yet. Raises RuntimeError when it never does."""
    end = time.monotonic() + READY
    while True:
        try:
            return scenario.driver.prove(peer, shown)
        except (RuntimeError, OSError, ValueError) as error:
            if time.monotonic() > end or str(error).startswith("no HTTP/2"):
                raise RuntimeError(f"{contestant.name}: {error}") from error
        time.sleep(0.02)


def measure(peer: Process, scenario: Scenario, shown: Certificate, seconds: int, cores: Cores, origin: Process) -> Row:
    """One round of one contestant. Raises RuntimeError when anything failed: such a figure says nothing."""
    try:
        return measured(peer, lambda: scenario.driver.run(peer, shown, seconds, cores.load), cores, origin)
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"{peer.name}: {error}: {error.stderr}") from error


def _idle(contestant: Contestant, scenario: Scenario, site: Site, number: int) -> Row:
    """A fresh process each round: memory that was freed once is not given back, and would hide the next round's."""
    kind = H2Client if isinstance(scenario.driver, Http2) else Client
    with contestant.make(site) as peer, ExitStack() as stack:
        prove(peer, contestant, scenario, site.certificate)
        before = settled(peer)
        for _ in range(scenario.idle):
            stack.enter_context(kind(peer.port, site.certificate.ca)).get("/")
        after = settled(peer)
    kib = (after - before) / scenario.idle
    return {"scenario": scenario.name, "round": number, "peer": contestant.name, "before_kib": before, "after_kib": after, "kib": kib}
