"""A service of many containers: who follows the snapshots does for all at once twice the work of half of them, not four times."""

import asyncio

import pytest
from msgspec.structs import replace

from haystack.health.monitor import Monitor
from haystack.loop.turns import at_once
from haystack.model import ports
from haystack.model.records import Container, Listing
from haystack.routing.table_updates import Tables
from tests.fakes.effort import instructions
from tests.fakes.usual import usual
from tests.oracles.snapshot import build

LINEAR = 2.5  # what twice as many may cost; a square is 4


def snapshot(size, version=1, **fields):
    made = [
        Container(
            id=f"{n:012x}".ljust(64, "a"),
            name=f"n{n}",
            engine="e",
            services=("nginx",),
            address=f"10.0.{n >> 8}.{n & 255}",
            ports=(ports.named(80, "tcp"),),
        )
        for n in range(size)
    ]
    return build(version, "haystack", {"x": Listing(containers=tuple(replace(c, **fields) for c in made))}, 1.0)


async def accepts(_address, _port):
    return ""


async def test_the_monitor_begins_to_watch_them():
    def begun(size):
        monitor = Monitor(lambda: None, accepts)
        seen = snapshot(size)
        monitor.expect(seen.containers.values())
        try:
            return instructions(lambda: at_once(monitor.follow(seen)))
        finally:
            monitor.close()

    assert begun(400) < LINEAR * begun(200)
    await asyncio.sleep(0)


@pytest.mark.parametrize("state", ["paused", "stopping"])
def test_the_routing_table_lets_them_go(state):
    def let_go(size):
        tables = Tables(usual("p2c", 60.0, 5.0))
        at_once(tables.follow(snapshot(size), 1.0))
        after = snapshot(size, 2, state=state)
        return instructions(lambda: at_once(tables.follow(after, 2.0)))

    assert let_go(400) < LINEAR * let_go(200)
