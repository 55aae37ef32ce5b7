"""Endpoints join when they accept: new ones are out until then, old ones in until they refuse."""

import asyncio
import socket
from collections import Counter

import pytest
from msgspec.structs import replace

from haystack.health import admission_times
from haystack.health.admission import LOOKS, TOGETHER, Arrivals
from haystack.health.tcp_check import accepts
from haystack.model.records import Obstacle


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
    ports.now = admission_times.PATIENCE
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


FAR = Obstacle(why="no network of both", remedy="type `x`")


async def test_one_that_never_answers_behind_an_obstacle_can_not_be_reached_until_it_is(ports):
    ports.trouble[80] = "does not answer"
    ports.arrivals.add("a", "10.0.0.1", 80, running=False)
    ports.arrivals.note("a", FAR)
    while not ports.arrivals.unreached("a"):
        await ports.change()
    assert ports.arrivals.unreached("a") == "port 80 does not answer: no network of both; type `x`"
    del ports.trouble[80]
    await ports.change()
    assert (ports.arrivals.unreached("a"), ports.arrivals.state("a")) == ("", ("", False))


@pytest.mark.parametrize(("refusal", "out"), [(False, False), (True, True)])
async def test_who_refuses_is_there_unless_somebody_else_has_the_address(ports, refusal, out):
    ports.trouble[80] = "does not accept"
    ports.arrivals.add("a", "10.0.0.1", 80, running=False)
    ports.arrivals.note("a", replace(FAR, refusal=refusal))
    await ports.looked(80, 4)
    assert bool(ports.arrivals.unreached("a")) is out


async def test_one_that_is_in_is_looked_at_when_an_obstacle_comes_up_and_stays_if_it_is_none(ports):
    for identity, port in (("a", 80), ("b", 81)):
        ports.arrivals.add(identity, "10.0.0.1", port, running=True)
    ports.trouble[81] = "can't be reached (No route to host)"
    for identity in ("a", "b"):
        ports.arrivals.note(identity, FAR)
    while not ports.arrivals.unreached("b"):
        await ports.change()
    assert (ports.arrivals.state("a"), ports.looks[80]) == (("", False), 1)
    assert ports.arrivals.unreached("b").startswith("port 81 can't be reached (No route to host): no network")


async def test_when_an_obstacle_goes_it_is_looked_at_at_once(ports, monkeypatch):
    monkeypatch.setattr(admission_times, "pause", lambda *_: 0.0 if ports.looks[80] < 3 else 600.0)
    ports.trouble[80] = "does not answer"
    ports.arrivals.add("a", "10.0.0.1", 80, running=False)
    ports.arrivals.note("a", FAR)
    await ports.looked(80, 3)
    ports.news.clear()
    del ports.trouble[80]
    ports.arrivals.note("a", None)
    while ports.arrivals.state("a") != ("", False):  # that there is no obstacle any more is a change of its own
        await ports.change()


async def test_what_an_obstacle_changes_for_one_that_has_failed_already_is_told(ports):
    ports.trouble[80] = "does not answer"
    ports.arrivals.add("a", "10.0.0.1", 80, running=False)
    await ports.looked(80, 3)
    for obstacle in (FAR, None):
        ports.arrivals.changed.clear()
        ports.arrivals.note("a", obstacle)
        assert ports.arrivals.changed == {"a"}
        assert bool(ports.arrivals.unreached("a")) is (obstacle is not None)


async def test_hundreds_that_never_answer_delay_no_new_one(ports, monkeypatch):
    """More than may be looked at at once, each for as long as a look may take."""
    monkeypatch.setattr(admission_times, "pause", lambda *_: 0.0)
    looks, hang, silent = Counter(), asyncio.Event(), asyncio.Event()

    async def connect(_address, port):
        if port == 80:
            return ""
        looks[port] += 1
        if len(looks) > LOOKS and min(looks.values()) >= 2:
            silent.set()
        if looks[port] > 2:
            await hang.wait()
        return "does not answer"

    arrivals = Arrivals(ports.changed, connect)
    for number in range(LOOKS + 1):
        arrivals.add(str(number), "10.0.0.1", 1000 + number, running=False)
    await asyncio.wait_for(silent.wait(), 10)
    arrivals.add("a", "10.0.0.2", 80, running=False)
    while arrivals.state("a") != ("", False):
        await ports.change()
    arrivals.close()


def test_looks_are_short_at_first_and_cost_little_later():
    assert admission_times.pause(0, 1) == 0.005
    assert admission_times.pause(0.3, 10_000) == pytest.approx(0.015)
    assert admission_times.pause(2, 1) == pytest.approx(0.1)
    assert admission_times.pause(1e6, 1) == 5
    assert admission_times.pause(2, 1000) == 2
    assert admission_times.pause(1e6, 10**6) == 5


async def test_a_port_accepts_from_listening_on():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert await accepts("127.0.0.1", port) == "does not accept"
        server.listen()
        assert await accepts("127.0.0.1", port) == ""
        assert await accepts("::1", port) == ("does not accept" if has_ipv6() else "can't be reached (Cannot assign requested address)")


def has_ipv6():
    """Whether this machine has the address: in containers it is missing more often than not."""
    with socket.socket(socket.AF_INET6) as trial:
        try:
            trial.bind(("::1", 0))
        except OSError:
            return False
    return True


async def test_what_is_the_matter_is_said():
    assert "can't be reached" in await accepts("255.255.255.255", 80)
    assert "can't be reached" in await accepts("no address", 80)
    assert await accepts("127.0.0.1", 1, timeout=-1) == "does not answer"


async def test_of_hundreds_that_come_at_once_few_are_looked_at_in_one_round_of_the_loop(ports):
    rounds = Counter()
    now, loop, done = 0, asyncio.get_running_loop(), asyncio.Event()

    def tick():
        nonlocal now, ticker
        now += 1
        ticker = loop.call_soon(tick)

    async def connect(_address, _port):
        rounds[now] += 1
        if rounds.total() == 300:
            done.set()
        return ""

    ticker = loop.call_soon(tick)
    arrivals = Arrivals(ports.changed, connect)
    for number in range(300):
        arrivals.add(str(number), "10.0.0.1", number, running=False)
    async with asyncio.timeout(5):
        await done.wait()
    ticker.cancel()
    assert max(rounds.values()) <= TOGETHER
    assert len(rounds) <= 2 * 300 / TOGETHER  # and not one by one, for they wait
