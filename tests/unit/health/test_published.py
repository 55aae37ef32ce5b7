"""Endpoints on another host: at their own address where that answers, else at a port published there; never at another's address."""

import asyncio

import pytest
from msgspec.structs import replace

from haystack.dns import contributions
from haystack.health.failure_texts import REFUSED
from haystack.loop.turns import at_once
from haystack.model.records import STOPPING, Obstacle, Options, Published
from haystack.routing.routing_table import Living
from haystack.views import shapes
from tests.fakes.usual import usual
from tests.oracles import routing_table as oracle
from tests.unit.health.test_monitor import NAME, Rig, container

FAR = Obstacle(why="Haystack has no address on its network bridge", remedy="publish the port")
TAKEN = Obstacle(
    why="its network bridge has the addresses of 10.0.0.0/16, a network that Haystack is on itself", remedy="publish it", certain=True
)
THERE = Published(port=80, protocol="tcp", address="192.0.2.5", host_port=8081)


class Hosts(Rig):
    """Places that accept are told as `address:port`; whoever was asked is noted."""

    def __init__(self):
        super().__init__()
        self.asked, self.look = [], asyncio.Event()

    async def connect(self, address, port):
        self.asked.append(f"{address}:{port}")
        self.look.set()
        trouble = await super().connect(f"{address}:{port}", port)
        return REFUSED if trouble == REFUSED else trouble

    async def ask(self, probe):
        self.asked.append(f"probe {probe.address}:{probe.port}")
        return await super().ask(replace(probe, address=f"{probe.address}:{probe.port}"))

    def endpoints(self):
        return self.registry.snapshot.services[NAME].endpoints

    def places(self):
        return [f"{e.address}:{e.port}" for e in self.endpoints() if e.ready]

    async def reaches(self, *places):
        await self.until(lambda _seen: self.places() == list(places))


@pytest.fixture
async def hosts():
    made = Hosts()
    yield made
    made.monitor.close()


def there(number=1, obstacle=FAR, **fields):
    return container(number, obstacle=obstacle, remote=True, published=(THERE,), **fields)


async def test_where_its_own_address_is_silent_its_published_port_is_used_and_why_is_said(hosts):
    hosts.silent.add("10.0.0.1:80")
    hosts.accepting.add("192.0.2.5:8081")
    hosts.list(there())
    assert hosts.places() == [], "nobody has shown that there is a way to it"
    await hosts.reaches("192.0.2.5:8081")
    (endpoint,) = hosts.endpoints()
    told = "published port 192.0.2.5:8081: 10.0.0.1:80 can't be reached from here, for Haystack has no address on its network bridge"
    assert endpoint.detour.why == told
    (row,) = oracle.rows(hosts.registry.snapshot.services[NAME], usual("p2c", 1.0, 0.0))
    assert [(e.address, e.port) for e in row.listeners[0]] == [("192.0.2.5", 8081)]
    shown = shapes.service_shape(shapes.member_of(hosts.registry.snapshot, hosts.registry.snapshot.services[NAME])(endpoint), 5, 0.0)
    assert (shown["address"], shown["port"], shown["address_reason"], shown["remote"]) == ("192.0.2.5", 8081, told, True)


async def test_a_task_on_haystacks_own_node_shows_itself_first_too(hosts):
    hosts.silent.add("10.0.0.1:80")
    hosts.accepting.add("192.0.2.5:8081")
    hosts.list(replace(there(), remote=False, since=1.0))  # it ran before Haystack did
    assert hosts.places() == []
    await hosts.reaches("192.0.2.5:8081")


async def test_where_its_own_address_answers_that_is_used(hosts):
    hosts.accepting.update({"10.0.0.1:80", "192.0.2.5:8081"})
    hosts.list(there())
    await hosts.reaches("10.0.0.1:80")
    assert hosts.endpoints()[0].detour is None
    assert "192.0.2.5:8081" not in hosts.asked


async def test_an_address_that_is_anothers_here_is_never_asked(hosts):
    hosts.accepting.update({"10.0.0.1:80", "192.0.2.5:8081"})
    hosts.list(there(obstacle=TAKEN))
    await hosts.reaches("192.0.2.5:8081")
    hosts.list(there(obstacle=TAKEN), container(2, obstacle=TAKEN, remote=True))
    assert hosts.seen()[1][0] is False
    await hosts.until(lambda seen: seen[1][1] == f"port 80 can't be reached: {TAKEN.told}")
    assert not [each for each in hosts.asked if each.startswith("10.0.0.")]


async def test_one_whose_port_is_forwarded_before_it_listens_is_waited_for(hosts):
    hosts.silent.add("10.0.0.1:80")
    hosts.list(there())
    async with asyncio.timeout(5):
        while hosts.asked.count("192.0.2.5:8081") < 3:
            hosts.look.clear()
            await hosts.look.wait()
    assert hosts.seen() == [(False, "waiting: port 80 does not accept yet", True)]
    hosts.accepting.add("192.0.2.5:8081")
    await hosts.reaches("192.0.2.5:8081")


async def test_where_neither_answers_it_is_unreachable(hosts):
    hosts.silent.update({"10.0.0.1:80", "192.0.2.5:8081"})
    hosts.list(there())
    await hosts.until(lambda seen: seen == [(False, f"port 80 does not answer: {FAR.told}", False)])


async def test_a_health_check_goes_where_requests_go(hosts):
    hosts.silent.add("10.0.0.1:80")
    hosts.accepting.add("192.0.2.5:8081")
    hosts.well.add("192.0.2.5:8081")
    hosts.list(there(options=Options(health={"path": "/up"})))
    await hosts.reaches("192.0.2.5:8081")
    assert "probe 192.0.2.5:8081" in hosts.asked


async def test_one_that_stops_is_drained_where_it_was(hosts):
    hosts.silent.add("10.0.0.1:80")
    hosts.accepting.add("192.0.2.5:8081")
    hosts.list(there())
    await hosts.reaches("192.0.2.5:8081")
    hosts.list(there(state=STOPPING))
    (endpoint,) = hosts.endpoints()
    assert (endpoint.ready, endpoint.address, endpoint.port) == (False, "192.0.2.5", 8081)


async def test_dns_has_its_own_address_and_port_for_its_neighbours(hosts):
    hosts.silent.add("10.0.0.1:80")
    hosts.accepting.add("192.0.2.5:8081")
    hosts.list(there())
    await hosts.reaches("192.0.2.5:8081")
    service = hosts.registry.snapshot.services[NAME]
    seen = []
    made = at_once(contributions.of_service("haystack", service, lambda e: seen.append(e) or contributions.host("10.0.0.1", None)))
    (target,) = [target for facts in made.values() for target in facts.srv]
    assert target.port == 80


async def test_the_endpoints_of_an_engine_that_is_lost_are_looked_at(hosts):
    hosts.accepting.update({"10.0.0.1:80", "10.0.0.2:80"})
    hosts.list(container(1), container(2))
    hosts.accepting.discard("10.0.0.2:80")
    hosts.monitor.doubt([container(n).id for n in (1, 2)])
    await hosts.reaches("10.0.0.1:80")


async def test_where_neither_an_engine_nor_an_endpoint_of_it_answers_the_host_is_lost_and_what_was_sent_there_ends(hosts):
    hosts.accepting.update({"10.0.0.1:80", "10.0.0.2:80"})
    hosts.list(container(1), container(2))
    hosts.accepting.discard("10.0.0.2:80")
    hosts.silent.add("10.0.0.2:80")
    ids = [container(n).id for n in (1, 2)]
    hosts.monitor.doubt(ids)
    await hosts.until(lambda seen: seen[1][1] == "its host is lost: port 80 does not answer, and neither does its engine")
    assert not Living(hosts.registry.snapshot).has(ids[1], f"{ids[1][:12]}:80/tcp")
    assert Living(hosts.registry.snapshot).has(ids[0], f"{ids[0][:12]}:80/tcp")
    hosts.monitor.doubt([])
    await hosts.until(lambda seen: "its host is lost" not in seen[1][1])
    hosts.accepting.add("10.0.0.2:80")
    await hosts.reaches("10.0.0.1:80", "10.0.0.2:80")
