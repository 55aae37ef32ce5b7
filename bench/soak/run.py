"""python -m bench soak (make soak): Haystack before several origins under mixed work, endpoints coming and going meanwhile.

Fails where a body was wrong, an answer was not the one ordered, anything hung, a worker died, or memory or descriptors grew.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
import traceback
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from bench.macro.process import Haystack, Process
from bench.soak.watch import Watch, complaint, tenth
from bench.soak.work import KINDS, RUDE, STEADY, Client, Work
from tests.fakes.ports import free_port

CLIENTS = 48
ORIGINS = 6
LOOK = 0.5
CHANGE = 1.0
PATIENCE = 60.0
POOLED = 60.0  # seconds after which no unused upstream connection may be left
SHOWN = 5
CONTAINER = """[[container]]
name = "{image}{port}"
image = "{image}"
address = "127.0.0.1"
ports = ["{port}/tcp"]
labels = {{ "haystack.port" = "{port}"{labels} }}
"""


def entry(image: str, port: int, label: str = "") -> str:
    """One container of the static file. label: what follows `"haystack.` of one more."""
    return CONTAINER.format(image=image, port=port, labels=f', "haystack.{label}"' if label else "")


class Origins(Process):
    """The origins, all in one process; ports: where."""

    name = "the origins of the soak"

    def start(self) -> None:
        """Start on free ports."""
        self.ports = [free_port() for _ in range(ORIGINS)]
        self.port = self.ports[-1]
        self.launch(sys.executable, "-m", "bench.soak.origin", *map(str, self.ports))


@dataclass
class Tally:
    """What happened. done and failed: by kind."""

    done: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    reasons: list[str] = field(default_factory=list)
    changes: int = 0
    moved: int = 0

    def failure(self, kind: str, error: BaseException) -> None:
        """Count it, and keep the first few with their place."""
        self.failed[kind] += 1
        if len(self.reasons) < SHOWN:
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.reasons.append(f"{kind}: {type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})")


class Table:
    """The static file. change(): some endpoints go, some come; two of each service always stay, and so does its name.

    But for the service that has one at a time, another one each time, and now and then none: its requests wait meanwhile. The first two of
    a crowded service take few exchanges at once, so that its requests queue; those of a loyal one never change.
    """

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self.path = folder / "static.toml"
        self._ports = ports
        self._random = random.Random(2)

    def change(self) -> None:
        """Replace the file at once, as an editor does."""
        entries = []
        for image in (STEADY.split(".")[0], RUDE.split(".")[0]):
            kept = self._ports[:2] + [port for port in self._ports[2:] if self._random.random() < 0.6]
            entries += [entry(image, port) for port in kept]
        entries += [entry("crowded", port, 'max_connections" = "4') for port in self._ports[: self._random.randint(2, 3)]]
        entries += [entry("loyal", port, 'sticky" = "soak') for port in self._ports[:2]]
        entries += [entry("lone", port) for port in [self._random.choice([*self._ports, None])] if port]
        entries += [entry(f"passing{n}", self._ports[0]) for n in range(self._random.randrange(20))]
        fresh = self.path.with_suffix(".new")
        fresh.write_text("\n".join(entries))
        fresh.replace(self.path)


def run(minutes: float) -> tuple[str, list[str]]:
    """Run: the report as Markdown, and what went wrong, a line each."""
    Process.files()
    with ExitStack() as stack:
        origins = stack.enter_context(Origins())
        table = Table(origins.folder, origins.ports)
        table.change()
        haystack = stack.enter_context(Haystack(HAYSTACK_STATIC=str(table.path), HAYSTACK_WORKERS="2"))
        watch, tally = Watch(haystack), Tally()
        wrong = uvloop.run(soak(haystack, table, watch, tally, minutes * 60))
        wrong += leftovers(watch)
        return report(watch, tally, minutes), wrong


async def soak(haystack: Haystack, table: Table, watch: Watch, tally: Tally, seconds: float) -> list[str]:
    """All of it, for so long. What went wrong, a line each."""
    watch.begin()
    await answering(haystack.port)
    end = time.monotonic() + seconds
    clients = [Client(haystack.port, random.Random(number)) for number in range(CLIENTS)]
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(working(client, tally, end))
        group.create_task(every(CHANGE, end, table.change))
        group.create_task(every(LOOK, end, watch.look))
    tally.moved = sum(client.moved for client in clients)
    tally.changes = int(seconds / CHANGE)
    return [f"{count} of {kind} failed" for kind, count in tally.failed.items()] + tally.reasons


async def answering(port: int) -> None:
    """Until the first work goes through: the table has arrived. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        for work in (w for w in KINDS if w.__name__ in {"lone", "small"}):
            while not await succeeds(work, Client(port, random.Random(0))):  # noqa: ASYNC110 - nothing announces an answer
                await asyncio.sleep(0.05)


async def succeeds(work: Work, client: Client) -> bool:
    """Whether it went through."""
    try:
        await work(client)
    except Exception:  # noqa: BLE001 - asked again until it does
        return False
    return True


async def working(client: Client, tally: Tally, end: float) -> None:
    """One client's life: work of every kind at random, each within its time."""
    kinds, weights = list(KINDS), list(KINDS.values())
    while time.monotonic() < end:
        (work,) = client.random.choices(kinds, weights)
        try:
            async with asyncio.timeout(PATIENCE):
                await work(client)
        except Exception as error:  # noqa: BLE001 - counted and told, whatever it is
            tally.failure(work.__name__, error)
        else:
            tally.done[work.__name__] += 1


async def every(seconds: float, end: float, act: Any) -> None:
    """Do it at each tick until the end."""
    while time.monotonic() < end:
        act()
        await asyncio.sleep(seconds)


def leftovers(watch: Watch) -> list[str]:
    """What is wrong with the processes now that every client has left."""
    names = watch.names()
    gone = [f"process {pid} has ended" for pid in watch.kib if pid not in names]
    if gone:
        return gone
    found = watch.leaked(POOLED)
    return found + [text for pid, samples in watch.kib.items() if (text := complaint(f"{names[pid]} {pid}", samples))]


def report(watch: Watch, tally: Tally, minutes: float) -> str:
    """What was done and what the memory was, as Markdown."""
    lines = [f"{minutes:g} minutes, {CLIENTS} clients, {tally.changes} changes of the table, {tally.moved / 1e9:.1f} GB of bodies checked."]
    lines += ["", "| work | done | failed |", "| --- | --- | --- |"]
    lines += [f"| {work.__name__.replace('_', ' ')} | {tally.done[work.__name__]} | {tally.failed[work.__name__]} |" for work in KINDS]
    lines += ["", "| process | KiB in the second tenth | in the last |", "| --- | --- | --- |"]
    names = watch.names()
    for pid, samples in watch.kib.items():
        lines.append(f"| {names.get(pid, 'ended')} | {tenth(samples, 1):,.0f} | {tenth(samples, 9):,.0f} |")
    return "\n".join(lines)
