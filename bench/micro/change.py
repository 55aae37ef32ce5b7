"""One container's change among 10, 1,000 and 10,000: from the engine's event to the snapshot, the zone and the worker.

Everything is as in `haystack run` but for the engine, which is the tests' fake one: its events, the provider's thread, the registry, the
responder and a worker process with the supervisor. Ten containers a service; each change is a container told to stop, then started anew.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import structlog

from haystack.catalog.registry import Reader, Registry
from haystack.discovery.docker.provider import DockerProvider
from haystack.dns.service import DnsService
from haystack.health.monitor import Monitor
from haystack.loop.turns import Turns
from haystack.model.snapshot import Snapshot
from haystack.proxy import ipc
from haystack.proxy.supervisor import Supervisor
from haystack.settings.settings import load
from tests.fakes.engine import FakeEngine, inspected, rfc3339

SIZES = (10, 1_000, 10_000)
A_SERVICE = 10
STAGES = ("snapshot", "workers told", "zone", "all readers", "worker has it")


class Rig:
    """The control plane around one fake engine. `times` are of the newest version, by stage."""

    def __init__(self, engine: FakeEngine, folder: Path) -> None:
        settings = load({"http_port": "0", "http_alt_port": "0", "bind": "127.0.0.1", "workers": "1"})
        self.engine = engine
        self.registry = Registry("haystack")
        self.monitor = self.registry.watcher = Monitor(self.registry.refresh)
        self.dns = DnsService(settings, self.registry.snapshot, lambda _message: None)
        self.supervisor = Supervisor(settings, str(folder / "admin"))
        self.times: dict[str, float] = {}
        self.version = 0
        self.there = asyncio.Event()
        self.provider = DockerProvider(engine.host)

    async def start(self) -> None:
        """Everything runs, and the worker has what there is."""
        self.supervisor.bind()
        await self.supervisor.start()
        self._listen_to_the_worker()
        for stage, reader in zip(STAGES, (self._begin, self.supervisor.follow, self.dns.follow, self.monitor.follow), strict=False):
            self.registry.add_reader(self._timed(stage, reader))
        self.task = asyncio.create_task(self.provider.run(self.registry))
        await self.registry.listed.wait()
        await self._settled()

    def _timed(self, stage: str, reader: Reader) -> Reader:
        def read(snapshot: Snapshot) -> Turns[None]:
            yield from reader(snapshot)
            self.times[stage] = time.perf_counter()

        return read

    def _begin(self, snapshot: Snapshot) -> Turns[None]:
        self.version = snapshot.version
        yield

    def _listen_to_the_worker(self) -> None:
        take = self.supervisor._take  # noqa: SLF001 - nothing else tells when a worker has a version

        def hear(slot: object, message: object) -> None:
            if isinstance(message, ipc.Ready) and message.version == self.version:
                self.times[STAGES[-1]] = time.perf_counter()
                self.there.set()
            take(slot, message)

        self.supervisor._take = hear  # noqa: SLF001

    async def _settled(self) -> None:
        """Nothing has been published for a while, and the worker has all of it."""
        seen = -1
        while seen != self.version:
            seen = self.version
            await asyncio.sleep(0.3)

    async def change(self, identity: str, action: str) -> list[float]:
        """Milliseconds from the engine's event to each stage."""
        await self._settled()
        self.there.clear()
        if action == "start":  # of a new process: the one that was told to stop is not back by this event
            self.engine.containers[identity]["State"]["StartedAt"] = rfc3339(time.time())
        at = time.perf_counter()
        self.engine.emit(action, identity, **({"signal": "15"} if action == "kill" else {}))
        await asyncio.wait_for(self.there.wait(), 30)
        return [(self.times[stage] - at) * 1000 for stage in STAGES]

    async def close(self) -> None:
        """End it all."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.monitor.close()
        await self.supervisor.drain(1)


async def measure(size: int, rounds: int) -> dict[str, list[list[float]]]:
    """Rows of milliseconds by action."""
    found: dict[str, list[list[float]]] = {"kill": [], "start": []}
    with FakeEngine() as engine, tempfile.TemporaryDirectory() as folder:
        ids = [engine.add(inspected(n, f"g{n // A_SERVICE}-{n}"), event=False) for n in range(size)]
        rig = Rig(engine, Path(folder))
        await rig.start()
        gc.collect()
        for number in range(rounds):
            identity = ids[number * 7919 % size]
            for action, rows in found.items():
                rows.append(await rig.change(identity, action))
        await rig.close()
    return found


def told(size: int, action: str, rows: Iterable[list[float]]) -> str:
    """One line: median and worst of each stage."""
    cells = (f"{statistics.median(column):.1f} / {max(column):.1f}" for column in zip(*rows, strict=True))
    return f"| {size:,} | {action} | {' | '.join(cells)} |"


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    options = parser.parse_args(sys.argv[1:])
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print("Milliseconds from the engine's event, median / worst:\n")
    print(f"| containers | event | {' | '.join(STAGES)} |\n|{' --- |' * (len(STAGES) + 2)}")
    for size in options.sizes:
        with contextlib.suppress(KeyboardInterrupt):
            for action, rows in asyncio.run(measure(size, options.rounds)).items():
                print(told(size, action, rows), flush=True)


if __name__ == "__main__":
    main()
