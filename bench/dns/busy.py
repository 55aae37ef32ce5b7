"""What an answer of the zone waits while pages, lists and events keep the control process busy; how soon a change is in every worker."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.dns.site import Site, container, key, on
from bench.loop import load
from bench.loop.load import Load
from bench.macro.compare import Cores, place
from haystack.dns import wire

SIZE, STARTS = 10_000, 1000
LENGTH = 5  # times a round's length
RATE = 500.0
RUNS, SOCKETS, WORKERS = 20, 16, 2
EVERY = 0.002  # seconds between two questions of one socket
LIMIT = 20.0

Found = list[dict[str, Any]]


def busy(_rounds: int, seconds: int, have: list[int]) -> Found:
    """The slowest answer of each phase."""
    cores = Cores(have, 1)
    with ExitStack() as stack:
        stack.enter_context(on(cores.load))
        made = key(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        site = stack.enter_context(Site(SIZE, HAYSTACK_SSH_AUTHORIZED_KEYS_FILE=f"{made}.pub"))
        place(site.haystack, cores.proxy, cores.load)
        page = Load(lambda: load.get(site.haystack.port, "haystack", "/api/info"), 0.0)
        shell = Load(load.shell(site.haystack.told["ssh"], made, ("services",)), 0.0)
        phases: list[tuple[str, tuple[Load, ...], int]] = [
            ("nothing else", (), 0), ("GET /api/info in a loop", (page,), 0), ("`services` in the shell in a loop", (shell,), 0),
            (f"{STARTS:,} containers start", (), STARTS), ("all three at once", (page, shell), STARTS),
        ]  # fmt: skip
        return [phase(site, cores, seconds * LENGTH, *each) for each in phases]


def phase(site: Site, cores: Cores, seconds: int, name: str, loads: tuple[Load, ...], starts: int) -> dict[str, Any]:
    """One phase, and what the asker saw of it."""
    with ExitStack() as stack:
        for each in loads:
            each.again()
            stack.enter_context(each)
        if starts:
            site.tell(f"grow {starts}")
        told = asked(site, cores, seconds)
        if starts:
            site.read()
    more = f"99.9 % below {told['p999_ms']:.2f} ms; {told['asked']} questions, {told['lost']} lost"
    more += f"; by the clock, with what other programs took: {told['slowest_by_the_clock_ms']:.1f} ms"
    more += "".join(f"; {len(each.took)} done meanwhile" for each in loads)
    title = f"slowest zone answer, {SIZE:,} containers: {name}"
    return {"work": title, "value": told["slowest_ms"], "unit": "ms", "limit": 10, "goal": 3, "more": more, "raw": told}


def asker_command(port: int, cores: set[int], seconds: float, workers: list[int]) -> list[str]:
    """The command line of an asker on these cores."""
    words = ["taskset", "-c", ",".join(map(str, cores)), sys.executable, "-m", "bench.dns.asker"]
    return [*words, str(port), str(seconds), f"{RATE}", *map(str, workers)]


def asked(site: Site, cores: Cores, seconds: float) -> dict[str, float]:
    """What an asker beside the worker saw."""
    command = asker_command(site.port, cores.proxy, seconds, site.haystack.groups()["worker"])
    done = subprocess.run(command, input="\n".join(site.names()), check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def change(_rounds: int, _seconds: int, _have: list[int]) -> Found:
    """From the engine's event until every worker answers to the new name."""
    with Site(SIZE, HAYSTACK_WORKERS=str(WORKERS)) as site:
        took = [arrival(site, SIZE + number) for number in range(RUNS)]
    took.sort()
    more = f"{RUNS} containers, {WORKERS} workers asked by {SOCKETS} sockets; fastest {took[0]:.1f}, slowest {took[-1]:.1f} ms"
    title = f"a container starts among {SIZE:,}: from the engine's event until every worker has its name, median"
    return [{"work": title, "value": took[RUNS // 2], "unit": "ms", "limit": 50, "goal": 20, "more": more, "raw": took}]


def arrival(site: Site, number: int) -> float:
    """Milliseconds until the last socket had the name of a container that starts. Raises TimeoutError."""
    question = wire.question(wire.name(container(number)), wire.A)
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]  # the kernel gives each to one worker
    try:
        for each in sockets:
            each.connect(("127.0.0.1", site.port))
        site.tell("grow 1")
        began = float(site.read())
        return max(_known(sockets, question).values()) * 1000 - began * 1000
    finally:
        for each in sockets:
            each.close()


def _known(sockets: list[socket.socket], question: bytes) -> dict[socket.socket, float]:
    """When each socket had an answer with a record."""
    found: dict[socket.socket, float] = {}
    end = time.monotonic() + LIMIT
    while len(found) < len(sockets):
        if time.monotonic() > end:
            raise TimeoutError("a worker never had the name")
        for each in sockets:
            if each not in found:
                each.send(question)
        ready, _, _ = select.select(sockets, [], [], EVERY)
        now = time.monotonic()
        for each in ready:
            if each.recv(4096)[6:8] != b"\0\0":
                found.setdefault(each, now)
    return found
