"""Endpoints join when they accept: new ones are out until then, old ones in until they refuse."""

import asyncio
import socket

import pytest

from haystack.health import readiness
from haystack.health.arrivals import Arrivals
from haystack.health.connect import accepts


class Ports:
    """Which ports accept, how often each was looked at, and an event at each change that is told."""

    def __init__(self):
        self.trouble = {}
        self.looks = {}
        self.now = 0.0
        self.told = 0
        self.news = asyncio.Event()
        self.look = asyncio.Event()
        self.arrivals = Arrivals(self.changed, self.connect, lambda: self.now)

    def changed(self):
        self.told += 1
        self.news.set()

    async def connect(self, _address, port):
        self.looks[port] = self.looks.get(port, 0) + 1
        self.look.set()
        await asyncio.sleep(0)
        return self.trouble.get(port, "")

    async def change(self):
        await asyncio.wait_for(self.news.wait(), 5)
        self.news.clear()

    async def looked(self, port, times):
        async with asyncio.timeout(5):
            while self.looks.get(port, 0) < times:
                self.look.clear()
                await self.look.wait()


@pytest.fixture
async def ports():
    made = Ports()
    yield made
    made.arrivals.close()


async def test_a_new_one_is_out_until_it_accepts(ports):
    ports.trouble[80] = "does not accept"
    ports.arrivals.add("a", "10.0.0.1", 80, running=False)
    assert ports.arrivals.state("a") == ("port 80 does not accept", False)
    await ports.looked(80, 4)
    assert ports.told == 0
    del ports.trouble[80]
    await ports.change()
    assert ports.arrivals.state("a") == ("", False)


async def test_after_a_while_it_counts_as_broken_but_is_looked_at_still(ports):
    ports.trouble[80] = "does not answer"
    ports.arrivals.add("a", "10.0.0.1", 80, running=False)
    ports.now = readiness.PATIENCE
    await ports.change()
    assert ports.arrivals.state("a") == ("port 80 does not answer", True)
    ports.arrivals.drop("a")
    assert ports.arrivals.state("a") == ("", False)


async def test_one_that_ran_before_is_in_until_it_refuses_twice(ports):
    ports.trouble[80] = "does not accept"
    ports.arrivals.add("a", "10.0.0.1", 80, running=True)
    assert ports.arrivals.state("a") == ("", False)
    ports.arrivals.doubt("a")
    await ports.change()
    assert ports.looks[80] == 2
    assert ports.arrivals.state("a") == ("port 80 does not accept", True)
    del ports.trouble[80]
    await ports.change()
    assert ports.arrivals.state("a") == ("", False)


@pytest.mark.parametrize("running", [True, False])
async def test_one_is_lost_that_was_in_and_refuses(ports, running):
    ports.trouble[80] = "does not accept"
    ports.arrivals.add("a", "10.0.0.1", 80, running=running)
    assert not ports.arrivals.lost("a"), "it has not joined yet, or not refused"
    del ports.trouble[80]
    ports.arrivals.doubt("a")
    await ports.looked(80, 1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    ports.trouble[80] = "does not accept"
    ports.news.clear()
    ports.arrivals.doubt("a")
    await ports.change()
    assert ports.arrivals.lost("a")
    del ports.trouble[80]
    await ports.change()
    assert not ports.arrivals.lost("a")


async def test_a_refused_request_is_looked_into_at_once(ports):
    ports.arrivals.add("a", "10.0.0.1", 80, running=False)
    await ports.change()
    ports.arrivals.doubt("a")
    ports.arrivals.doubt("nobody")
    await ports.looked(80, 2)
    assert ports.arrivals.state("a") == ("", False)
    ports.trouble[80] = "does not accept"
    await asyncio.sleep(0)
    ports.arrivals.doubt("a")
    await ports.change()
    assert ports.arrivals.state("a") == ("port 80 does not accept", False)


async def test_one_that_ran_before_is_left_alone(ports):
    ports.arrivals.add("a", "10.0.0.1", 80, running=True)
    ports.arrivals.add("b", "10.0.0.2", 81, running=False)
    await ports.change()
    assert ports.looks == {81: 1}


async def test_a_thousand_that_hang_delay_no_new_one(ports):
    hang = asyncio.Event()

    async def connect(_address, port):
        if port != 80:
            await hang.wait()
        return ""

    arrivals = Arrivals(ports.changed, connect)
    for number in range(1000):
        arrivals.add(str(number), "10.0.0.1", 1000 + number, running=True)
        arrivals.doubt(str(number))
    arrivals.add("a", "10.0.0.2", 80, running=False)
    await ports.change()
    assert arrivals.state("a") == ("", False)
    arrivals.close()


def test_looks_are_short_at_first_and_cost_little_later():
    assert readiness.pause(0, 1) == 0.005
    assert readiness.pause(0.3, 10_000) == pytest.approx(0.015)
    assert readiness.pause(2, 1) == pytest.approx(0.1)
    assert readiness.pause(1e6, 1) == 5
    assert readiness.pause(2, 1000) == 2
    assert readiness.pause(1e6, 10**6) == 5


async def test_a_port_accepts_from_listening_on():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert await accepts("127.0.0.1", port) == "does not accept"
        server.listen()
        assert await accepts("127.0.0.1", port) == ""
        assert await accepts("::1", port) == "does not accept"


async def test_what_is_the_matter_is_said():
    assert "can't be reached" in await accepts("255.255.255.255", 80)
    assert "can't be reached" in await accepts("no address", 80)
    assert await accepts("127.0.0.1", 1, timeout=-1) == "does not answer"
