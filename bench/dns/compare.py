"""Runs the scenarios: alternating rounds, the server on one core, dnsperf and Haystack's control process on another.

Each figure is of a round in which no answer was an error, after the server gave the right answers.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from bench.dns import dnsperf, names
from bench.dns.scenarios import UPSTREAM, Scenario
from bench.dns.servers import CoreDns, Knot, prove
from bench.macro.compare import Cores, Row, place
from bench.macro.meter import Cpu, cpu, machine_us
from bench.macro.process import Process

T = TypeVar("T")
PART = 0.8  # of the highest rate, at which nothing may be lost
SAMPLE = 6


def run(scenario: Scenario, rounds: int, seconds: int, have: list[int]) -> list[Row]:
    """The rows of one scenario. Raises RuntimeError when a round had an error."""
    cores = Cores(have, 1)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = stack.enter_context(Knot(UPSTREAM.zone_file(), names.FORWARDED))
        place(upstream, cores.load, cores.load)
        questions = folder / "questions"
        questions.write_text(names.questions(scenario.records()))
        servers = {name: ready(stack, each, scenario, cores) for name, each in there(scenario, upstream.port).items()}
        rows = []
        for number in range(rounds):
            for name in turned(list(servers), number):
                row = measure(servers[name], questions, seconds, cores)
                rows.append({"scenario": scenario.name, "round": number, "peer": name} | row)
        return rows


def there(scenario: Scenario, upstream: int) -> dict[str, Process]:
    """The servers that are installed: CoreDNS may not be."""
    return {name: each for name, each in scenario.servers(upstream).items() if not isinstance(each, CoreDns) or shutil.which("coredns")}


def turned(found: list[T], number: int) -> list[T]:
    """Another one begins each round, so that none always follows the same one."""
    at = number % len(found)
    return found[at:] + found[:at]


def ready(stack: ExitStack, server: Process, scenario: Scenario, cores: Cores) -> Process:
    """The server, started, proved and pinned."""
    stack.enter_context(server)
    records = list(scenario.records())
    prove(server, records[:SAMPLE] + records[-SAMPLE:])
    place(server, cores.proxy, cores.load)
    return server


def measure(server: Process, questions: Path, seconds: int, cores: Cores) -> Row:
    """One round of one server: as fast as it can, then at PART of that. Raises RuntimeError when an answer was an error."""
    dnsperf.run(server.port, questions, cores.load)  # all of it is known, and kept, from here on
    groups = server.groups()
    before = {part: cpu(pids) for part, pids in groups.items()}
    began, busy = time.monotonic(), machine_us()
    told = dnsperf.run(server.port, questions, cores.load, seconds=seconds)
    took, busy = (time.monotonic() - began) * 1e6, machine_us() - busy
    if told.bad or not told.completed:
        raise RuntimeError(f"{server.name}: {told.bad} errors in {told.completed} answers: no figure")
    spent = {part: cpu(pids) - before[part] for part, pids in groups.items()}
    steady = dnsperf.run(server.port, questions, cores.load, seconds=seconds, rate=told.rate * PART)
    return row(spent, told, took, busy) | {"lost": steady.lost, "slowest_ms": steady.slowest_ms, "steady_rate": steady.rate}


def row(spent: dict[str, Cpu], told: dnsperf.Report, took: float, busy: float) -> Row:
    """Figures of one round. spent: by part, the first one answers."""
    first, *others = spent.values()
    each = first.each(told.completed)
    ours = first.total + sum(c.total for c in others) + told.cpu_us
    return {
        "user_us": each.user,
        "system_us": each.system,
        "cpu_us": each.total,
        "control_us": sum(c.total for c in others) / told.completed,
        "rate": told.rate,
        "mean_ms": told.mean_ms,
        "highest_lost": told.lost,
        "server_busy": first.total / took,
        "load_busy": told.cpu_us / took,
        "others_busy": max(0.0, busy - ours) / took,
    }
