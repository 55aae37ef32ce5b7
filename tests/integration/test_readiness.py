"""Containers of a real engine join when they listen, and one that a kill did not stop comes back: discovery, health, registry."""

import asyncio
import contextlib
import os

import pytest

from haystack.catalog.registry import Registry
from haystack.discovery.docker import provider as provider_module
from haystack.discovery.docker.timing import Timing
from haystack.health.monitor import Monitor

SLOW = "sleep 1; exec nginx -g 'daemon off;'"
DEAF = "trap '' TERM; nginx; while :; do sleep 0.1; done"
MUTE = "exec sleep 1000"


class Rig:
    def __init__(self):
        self.registry = Registry("haystack")
        self.monitor = self.registry.watcher = Monitor(self.registry.refresh)
        self.seen = []
        self.news = asyncio.Event()
        self.registry.add_reader(self.monitor.follow)
        self.registry.subscribe(self._keep)

    def _keep(self, snapshot):
        self.seen.append(snapshot)
        self.news.set()

    def endpoint(self, container, snapshot=None):
        services = (snapshot or self.registry.snapshot).services.values()
        return next((e for s in services for e in s.endpoints if e.container == container.id), None)

    def life(self, container):
        """(ready, reason) as they followed each other."""
        told = [(e.ready, e.reason) for e in (self.endpoint(container, s) for s in self.seen) if e is not None]
        return [step for step, before in zip(told, [None, *told], strict=False) if step != before]

    async def until(self, wanted, seconds=20):
        async with asyncio.timeout(seconds):
            while not wanted():
                self.news.clear()
                await self.news.wait()


@pytest.fixture
async def rig(client):
    made = Rig()
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    provider = provider_module.DockerProvider(host, timing=Timing(stopping=1.0))
    task = asyncio.create_task(provider.run(made.registry))
    await asyncio.wait_for(made.registry.listed.wait(), 20)
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    made.monitor.close()


async def run(host, command):
    return await asyncio.to_thread(host.run, "nginx", ["sh", "-c", command])


async def test_a_container_that_is_slow_to_listen_joins_when_it_does(rig, host):
    container = await run(host, SLOW)
    await rig.until(lambda: (found := rig.endpoint(container)) is not None and found.ready)
    assert rig.life(container) == [(False, "waiting: port 80 does not accept yet"), (True, "running")]
    endpoint = rig.endpoint(container)
    assert 0.8 < endpoint.since - rig.registry.snapshot.containers[container.id].since < 10
    _, writer = await asyncio.open_connection(endpoint.address, 80)
    writer.close()
    await writer.wait_closed()


async def test_one_that_never_listens_stays_out_and_says_why(rig, host):
    container = await run(host, MUTE)
    other = await run(host, SLOW)
    await rig.until(lambda: (found := rig.endpoint(other)) is not None and found.ready)
    assert rig.life(container) == [(False, "waiting: port 80 does not accept yet")]


async def test_a_kill_that_stops_nothing_is_undone(rig, host):
    container = await run(host, DEAF)
    await rig.until(lambda: (found := rig.endpoint(container)) is not None and found.ready)
    rig.seen.clear()
    await asyncio.to_thread(container.kill, "SIGTERM")
    await rig.until(lambda: rig.endpoint(container) is not None and not rig.endpoint(container).ready)
    assert rig.endpoint(container).reason == "draining: kill SIGTERM"
    await rig.until(lambda: rig.endpoint(container).ready)
    (draining, *_, back) = [step for step in rig.life(container) if step[1] != "waiting: port 80 does not accept yet"]
    assert (draining, back) == ((False, "draining: kill SIGTERM"), (True, "running"))
    await asyncio.to_thread(container.kill, "SIGHUP")
    assert rig.endpoint(container).ready
