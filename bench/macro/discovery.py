"""How long the traffic lags behind a real engine: a container that starts, and one that is being ended.

Start: from the first answer of the container's own port to its first answer through Haystack, both asked every
millisecond. End: from the time stamp of the engine's event to the sending of the last request that the container
answered (negative: before the event). It is sent a SIGTERM that it ignores, so it could go on answering. In the `die`
series it is sent SIGKILL: a dead container answers nothing, so there it is the last exchange that tried it at all, by
Haystack's access log.
"""

from __future__ import annotations

import asyncio
import os
import statistics
from typing import Any

import docker
from docker.models.containers import Container

from bench.macro.load import Stream, first_answer
from bench.macro.process import Haystack

LABELS = {"bench": "haystack"}
SERVE = ["sh", "-c", "hostname > /index.html; exec httpd -f -h /"]
QUIET = 0.3
LIMIT = 20.0


class Engine:
    """The containers of this run: removed at its end, and no others."""

    def __init__(self) -> None:
        self.client = docker.from_env()
        self.made: list[Container] = []

    def start(self, name: str, image: str, **options: Any) -> Container:
        """A running container. Its host name is its name, so that an answer tells who gave it."""
        made = self.client.containers.create(image, name=name, hostname=name, labels=LABELS | options.pop("labels", {}), **options)
        self.made.append(made)
        made.start()
        return made

    def remove(self) -> None:
        """Remove what start() made, newest first."""
        while self.made:
            self.made.pop().remove(force=True)

    def address(self, container: Container) -> str:
        """The container's address on its first network."""
        container.reload()
        networks = container.attrs["NetworkSettings"]["Networks"]
        return str(next(iter(networks.values()))["IPAddress"])

    def event_time(self, container: Container, action: str, since: float) -> int:
        """The timeNano of the container's event, which may still be on its way. Raises TimeoutError."""
        stream = self.client.events(
            since=int(since), until=int(since) + LIMIT, decode=True, filters={"container": container.id, "event": action}
        )
        try:
            for event in stream:
                return int(event["timeNano"])
        finally:
            stream.close()
        raise TimeoutError(f"the engine told of no {action}")


def run(runs: int) -> dict[str, Any]:
    """Milliseconds of every run of each series. failed: requests that did not end with 200 while a container went."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    with Haystack(DOCKER_HOST=host, HAYSTACK_ACCESS_LOG="json") as haystack:
        return asyncio.run(_run(haystack, runs))


async def _run(haystack: Haystack, runs: int) -> dict[str, Any]:
    port = haystack.port
    found: dict[str, Any] = {"start_ms": [], "kill_ms": [], "die_ms": [], "failed": {"kill_ms": 0, "die_ms": 0}}
    for number in range(runs):
        found["start_ms"].append(await _guarded(started, port, f"bench{os.getpid()}s{number}"))
    for series, signal, action in (("kill_ms", "SIGTERM", "kill"), ("die_ms", "SIGKILL", "die")):
        for number in range(runs):
            name = f"bench{os.getpid()}{action}{number}"
            late, failed = await _guarded(ended, haystack, name, signal, action)
            found[series].append(late)
            found["failed"][series] += failed
    return found


async def _guarded(measure: Any, where: Any, name: str, *options: str) -> Any:
    """Run one measurement and remove its containers, whatever happens."""
    engine = Engine()
    try:
        return await measure(engine, where, name, *options)
    finally:
        await asyncio.to_thread(engine.remove)
        engine.client.close()


async def started(engine: Engine, port: int, name: str) -> float:
    """Milliseconds from the container's own first answer to the first through Haystack."""
    through = asyncio.create_task(first_answer(port, f"{name}.nginx.services.haystack"))
    try:
        container = await asyncio.to_thread(engine.start, f"{name}-1", "nginx")
        address = await asyncio.to_thread(engine.address, container)
        own = await first_answer(80, name, address)
        return (await through - own) / 1e6
    finally:
        through.cancel()


async def ended(engine: Engine, haystack: Haystack, name: str, signal: str, action: str) -> tuple[float, int]:
    """Milliseconds from the event to the last request sent to that container, and how many requests failed meanwhile."""
    pair = [await asyncio.to_thread(engine.start, f"{name}-{n}", "busybox", command=SERVE, labels={"haystack.port": "80"}) for n in (1, 2)]
    stream = Stream(haystack.port, f"{name}.busybox.services.haystack")
    await first_answer(haystack.port, stream.host)
    stream.start()
    try:
        await _both(stream, name)
        stream.failed = 0
        return await _last(engine, haystack, stream, pair[0], signal, action)
    finally:
        await stream.stop()


async def _both(stream: Stream, name: str) -> None:
    """Until both containers have answered."""
    async with asyncio.timeout(LIMIT):
        while stream.who() < {f"{name}-1", f"{name}-2"}:  # noqa: ASYNC110 - nothing announces an answer
            await asyncio.sleep(0.01)


async def _last(engine: Engine, haystack: Haystack, stream: Stream, victim: Container, signal: str, action: str) -> tuple[float, int]:
    address = await asyncio.to_thread(engine.address, victim)
    since = stream.answers[-1].sent / 1e9
    await asyncio.to_thread(victim.kill, signal=signal)
    event = await asyncio.to_thread(engine.event_time, victim, action, since)
    await asyncio.sleep(QUIET)
    if action == "die":
        return haystack.last_try(f"{address}:80") * 1e3 - event / 1e6, stream.failed
    return (stream.last_sent_to(str(victim.name)) - event) / 1e6, stream.failed


def table(result: dict[str, Any]) -> str:
    """Median and worst of each series as Markdown."""
    words = {
        "start_ms": "own port answers → first answer through Haystack",
        "kill_ms": "`kill` event → last request sent there",
        "die_ms": "`die` event → last request tried there (SIGKILL)",
    }
    lines = ["| | median ms | worst ms | runs | requests failed |", "| --- | --- | --- | --- | --- |"]
    for key, word in words.items():
        values = result[key]
        failed = result["failed"].get(key, "")
        lines.append(f"| {word} | {statistics.median(values):.1f} | {max(values):.1f} | {len(values)} | {failed} |")
    return "\n".join(lines)
