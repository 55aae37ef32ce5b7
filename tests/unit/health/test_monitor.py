"""The monitor with a registry: an endpoint's way in, as everybody sees it."""

import asyncio
import time

import pytest
from msgspec.structs import replace

from haystack.catalog.registry import Registry
from haystack.health.monitor import Monitor
from haystack.health.probe import judged
from haystack.health.tcp_check import GREETINGS
from haystack.model import ports
from haystack.model.records import Container, Listing, Obstacle, Options
from haystack.model.reports import FailureRow
from tests.fakes.usual import usual
from tests.oracles import routing_table as oracle

NAME = "nginx.services.haystack"


def container(number, since=1.0, **fields):
    made = {"services": ("nginx",), "address": f"10.0.0.{number}", "ports": (ports.named(80, "tcp"),), "since": since}
    return Container(id=f"{number:x}" * 64, name=f"n{number}", engine="e", **(made | fields))


class Rig:
    def __init__(self):
        self.accepting = set()
        self.silent = set()
        self.well = set()
        self.greeted = []
        self.registry = Registry("haystack")
        self.monitor = self.registry.watcher = Monitor(self.registry.refresh, self.connect, self.ask)
        self.registry.add_reader(self.monitor.follow)
        self.news = asyncio.Event()
        self.registry.subscribe(lambda _: self.news.set())

    async def connect(self, address, _port, greeting=b""):
        self.greeted.append(greeting)
        await asyncio.sleep(0.001)
        return "" if address in self.accepting else "does not answer" if address in self.silent else "does not accept"

    async def ask(self, probe):
        await asyncio.sleep(0.001)
        return judged(probe, 200 if probe.address in self.well else 503, "")

    def list(self, *containers):
        self.registry.replace("x", Listing(containers=containers))
        self.registry.flush()

    def seen(self):
        service = self.registry.snapshot.services.get(NAME)
        return [(e.ready, e.reason, e.awaited) for e in service.endpoints] if service else []

    async def until(self, wanted):
        async with asyncio.timeout(5):
            while not wanted(self.seen()):
                self.news.clear()
                await self.news.wait()


@pytest.fixture
async def rig():
    made = Rig()
    yield made
    made.monitor.close()


WAITS = "waiting: port 80 does not accept yet"


async def test_those_that_ran_before_are_in_at_once_and_a_new_one_when_it_accepts(rig):
    rig.accepting.add("10.0.0.1")
    rig.list(container(1))
    assert rig.seen() == [(True, "running", False)]
    rig.list(container(1), container(2))
    assert rig.seen() == [(True, "running", False), (False, WAITS, False)]
    rig.accepting.add("10.0.0.2")
    await rig.until(lambda seen: [ready for ready, *_ in seen] == [True, True])


async def test_a_restarted_one_is_new_again_even_if_its_end_was_never_seen(rig):
    rig.accepting.add("10.0.0.1")
    rig.list(container(1))
    rig.list(container(1, since=2.0))
    assert rig.seen() == [(False, WAITS, True)]
    await rig.until(lambda seen: seen[0][0])


@pytest.mark.parametrize(("options", "greeting"), [(Options(protocol="h2c"), b""), (Options(proxy_protocol=2), GREETINGS[2])])
async def test_so_is_one_whose_connections_are_made_in_another_way(rig, options, greeting):
    """As by a static file, whose labels change while its containers run."""
    rig.accepting.add("10.0.0.1")
    rig.list(container(1))
    rig.list(container(1, options=options))
    assert rig.seen() == [(False, WAITS, True)]
    await rig.until(lambda seen: seen[0][0])
    assert rig.greeted[-1] == greeting


async def test_so_is_one_that_was_told_to_stop_and_did_not(rig):
    rig.accepting.add("10.0.0.1")
    rig.list(container(1))
    rig.accepting.clear()
    rig.list(container(1, state="stopping", state_reason="kill SIGTERM"))
    assert rig.seen() == [(False, "draining: kill SIGTERM", False)]
    rig.list(container(1))
    assert rig.seen() == [(False, WAITS, True)]


async def test_one_that_started_with_us_is_new(rig):
    rig.list(container(1, since=time.time() - 1), container(2))
    assert [ready for ready, *_ in rig.seen()] == [False, True]


async def test_one_of_before_that_refuses_leaves_while_another_accepts(rig):
    rig.accepting.add("10.0.0.1")
    rig.list(container(1), container(2))
    assert [ready for ready, *_ in rig.seen()] == [True, True]
    rig.monitor._arrivals.doubt("222222222222:80/tcp")
    await rig.until(lambda seen: seen[1] == (False, "port 80 does not accept", False))
    rig.list(container(2))
    assert rig.seen() == [(True, "port 80 does not accept, but still in: no other endpoint is better (panic)", False)]
    assert rig.registry.snapshot.problems[0][1].subject == "health of http"


async def test_one_that_refuses_leaves_whatever_docker_said_of_it_before(rig):
    rig.accepting |= {"10.0.0.1", "10.0.0.2"}
    rig.list(container(1))
    rig.list(container(1), container(2, health="healthy"))
    await asyncio.sleep(0.05)
    await rig.until(lambda seen: all(ready for ready, *_ in seen))
    rig.accepting.discard("10.0.0.2")
    rig.monitor.failures([FailureRow("222222222222:80/tcp", NAME, 9, refused=1, streak=1)])
    await rig.until(lambda seen: seen[1] == (False, WAITS, False))
    rig.accepting.add("10.0.0.2")
    await rig.until(lambda seen: seen[1] == (True, "running", False))


async def test_ports_that_do_not_speak_http_join_at_once(rig):
    rig.list()
    rig.list(container(1, ports=(ports.named(6379, "tcp"), ports.named(53, "udp"))))
    assert [ready for ready, *_ in rig.seen()] == [True, True]


async def test_who_is_gone_is_forgotten(rig):
    rig.list()
    rig.list(container(1))
    assert rig.seen() == [(False, WAITS, True)]
    rig.list()
    assert rig.monitor._lives == {}
    assert rig.monitor._arrivals._known == {}
    assert rig.monitor._arrivals._waiting == 0
    rig.list(replace(container(1), since=3.0))
    rig.accepting.add("10.0.0.1")
    await rig.until(lambda seen: seen[0][0])


def failed(number, **kinds):
    return FailureRow(f"{number:x}" * 12 + ":80/tcp", NAME, 5, streak=5, ended=5, faulty=5, others=100, **kinds)


async def test_who_fails_too_often_is_out_for_a_while_and_it_shows(rig, monkeypatch):
    rig.accepting |= {"10.0.0.1", "10.0.0.2"}
    rig.list(container(1), container(2))
    monkeypatch.setattr("haystack.health.outliers.SHORTEST", 0.05)
    rig.monitor.failures([failed(2, errors=5), failed(3, errors=5)])
    await rig.until(lambda seen: seen[1] == (False, "ejected: 5 failures in a row (5 5xx)", False))
    (endpoint,) = [e for e in rig.registry.snapshot.services[NAME].endpoints if not e.ready]
    assert 0 < endpoint.until - endpoint.since < 1
    await rig.until(lambda seen: seen[1] == (True, "running", False))
    assert rig.monitor.ejections.counts == {(NAME, "faults"): 1}


async def test_a_label_exempts_from_ejection(rig):
    rig.accepting |= {"10.0.0.1", "10.0.0.2"}
    rig.list(container(1), container(2, options=Options(eject=False)))
    rig.monitor.failures([failed(2, errors=5), failed(1, errors=5)])
    await rig.until(lambda seen: seen[0] == (False, "ejected: 5 failures in a row (5 5xx)", False))
    assert rig.monitor.ejections._out.keys() == {"111111111111:80/tcp"}


async def test_a_label_that_comes_while_it_is_ejected_ends_that(rig):
    rig.accepting |= {"10.0.0.1", "10.0.0.2"}
    rig.list(container(1), container(2))
    rig.monitor.failures([failed(2, errors=5)])
    await rig.until(lambda seen: not seen[1][0])
    rig.list(container(1), container(2, options=Options(eject=False)))
    await rig.until(lambda seen: seen[1] == (True, "running", False))


async def test_who_refuses_is_out_until_it_accepts(rig):
    rig.accepting.add("10.0.0.1")
    rig.list(container(1), container(2))
    rig.monitor.failures([FailureRow("222222222222:80/tcp", NAME, 1, refused=1, streak=1)])
    await rig.until(lambda seen: not seen[1][0])
    rig.accepting.add("10.0.0.2")
    await rig.until(lambda seen: seen[1] == (True, "running", False))


async def test_one_that_is_ejected_again_when_its_time_is_up_but_not_its_timer_stays_out(rig, monkeypatch):
    rig.list(container(1), container(2))
    rig.monitor.ejections._clock = lambda: now
    now = 1000.0
    rig.monitor.failures([failed(2, errors=5)])
    (first, _), history = rig.monitor.ejections._out["222222222222:80/tcp"], rig.monitor.ejections._histories["222222222222:80/tcp"]
    now = history.until
    rig.monitor.failures([failed(2, errors=5)])
    (second, _) = rig.monitor.ejections._out["222222222222:80/tcp"]
    assert (first.cancelled(), second.cancelled()) == (True, False)


async def test_an_ejection_ends_with_its_container(rig):
    rig.accepting.add("10.0.0.1")
    rig.list(container(1), container(2))
    rig.monitor.failures([failed(2, resets=5)])
    rig.list(container(1))
    assert (rig.monitor.ejections._out, rig.monitor.ejections._histories) == ({}, {})


async def test_one_that_is_probed_joins_and_leaves_by_its_answers(rig):
    asks = Options(health={"path": "/up", "interval": "0.01", "fall": "3"})
    rig.accepting |= {"10.0.0.1", "10.0.0.2"}
    rig.list(container(1))
    rig.list(container(1), container(2, options=asks))
    await rig.until(lambda seen: seen[1] == (False, "waiting: no successful check of /up yet", False))
    rig.well.add("10.0.0.2")
    await rig.until(lambda seen: seen[1] == (True, "running", False))
    assert rig.monitor.told("222222222222:80/tcp").startswith("200 from /up 0.")
    assert rig.monitor.told("111111111111:80/tcp") == ""
    rig.well.clear()
    await rig.until(lambda seen: seen[1] == (False, "probe: 503 from /up, 3 in a row", False))
    rig.list(container(2, options=asks))
    assert rig.seen() == [(True, "probe: 503 from /up, 3 in a row, but still in: no other endpoint is better (panic)", False)]
    rig.list()
    assert rig.monitor._prober._known == {}


async def test_a_probe_that_is_asked_for_later_is_asked_and_one_that_is_not_any_more_is_forgotten(rig):
    """As in a static file, whose labels change while its containers run."""
    asks = Options(health={"path": "/up", "interval": "0.01", "fall": "2"})
    rig.list(container(1), container(2))
    rig.list(container(1), container(2, options=asks))
    assert [ready for ready, *_ in rig.seen()] == [True, True]
    await rig.until(lambda seen: seen[1] == (False, "probe: 503 from /up, 2 in a row", False))
    rig.list(container(1), container(2))
    await rig.until(lambda seen: seen[1] == (True, "running", False))
    assert rig.monitor._prober._known == {}


async def test_a_probe_that_is_asked_for_in_another_way_starts_from_what_was_known(rig):
    asks = Options(health={"path": "/up", "interval": "0.01", "fall": "1"})
    rig.list(container(1), container(2, options=asks))
    await rig.until(lambda seen: not seen[1][0])
    rig.list(container(1), container(2, options=Options(health={"path": "/up", "interval": "0.02", "fall": "9"})))
    rig.registry.flush()  # as it is built again, now that it is asked in another way
    assert not rig.seen()[1][0]
    rig.well.add("10.0.0.2")
    await rig.until(lambda seen: seen[1][0])


async def test_one_that_starts_slowly_gets_its_weight_by_and_by(rig):
    rig.list(container(1))
    rig.accepting.add("10.0.0.2")
    rig.list(container(1), container(2, options=Options(weight=50, health={"slow_start": "0.2"})))
    shares = []

    def warm(_seen):
        (endpoint,) = [e for e in rig.registry.snapshot.services[NAME].endpoints if e.container_name == "n2"]
        (row,) = oracle.of(rig.registry.snapshot, usual("p2c", 1.0, 0.0)).services
        if endpoint.ready:
            assert row.listeners[0][1].weight == round(50 * endpoint.share)
            shares.append(endpoint.share)
        return endpoint.ready and endpoint.share == 1.0

    await rig.until(warm)
    assert shares == sorted(shares)
    assert shares[0] < 1
    assert rig.monitor._step is None


async def test_one_that_worked_and_refuses_is_waited_for(rig):
    rig.list(container(1))
    rig.monitor.failures([FailureRow("111111111111:80/tcp", NAME, 9, refused=1, streak=1)])
    await rig.until(lambda seen: seen == [(False, WAITS, True)])


async def test_one_that_has_done_nothing_but_refuse_is_broken(rig):
    rig.list(container(1))
    rig.monitor.failures([FailureRow("111111111111:80/tcp", NAME, 1, refused=1, streak=1)])
    await rig.until(lambda seen: seen[0][1].startswith("port 80 does not accept, but still in"))


FAR = Obstacle(why="Haystack has no address on its network shop", remedy="type `docker network connect shop front`")
TOLD = f"port 80 does not answer: {FAR.told}"


@pytest.mark.parametrize("since", [1.0, time.time()], ids=["long ago", "now"])
@pytest.mark.parametrize("health", ["none", "healthy"])
async def test_what_no_network_leads_to_is_told_with_what_to_type_and_in_as_soon_as_it_is_reached(rig, since, health):
    rig.silent |= {"10.0.0.1", "10.0.0.2"}
    rig.list(*(container(n, since, obstacle=FAR, health=health) for n in (1, 2)))
    await rig.until(lambda seen: seen == [(False, TOLD, False)] * 2)
    service = rig.registry.snapshot.services[NAME]
    assert [(p.subject, p.message) for p in service.problems] == [("network", f"n1 and 1 more can't be reached: {FAR.told}")]
    (row,) = oracle.rows(service, usual("p2c", 1.0, 1.0))
    assert (row.why, row.awaited, row.listeners) == (TOLD, False, ((),))
    assert all(e.unreachable for e in service.endpoints)
    rig.accepting |= rig.silent  # by a route that nobody told of
    await rig.until(lambda seen: seen == [(True, "running", False)] * 2)
    assert rig.registry.snapshot.services[NAME].problems == ()


async def test_one_that_is_reached_is_in_whatever_its_networks_say_and_out_when_it_is_not_any_more(rig):
    rig.accepting.add("10.0.0.1")
    rig.silent.add("10.0.0.1")
    rig.list(container(1, obstacle=FAR))
    assert rig.seen() == [(True, "running", False)]
    rig.accepting.clear()
    rig.monitor.failures([FailureRow("111111111111:80/tcp", NAME, 1, timeouts=1, streak=1)])
    await rig.until(lambda seen: seen == [(False, TOLD, False)])


async def test_one_whose_network_haystack_joins_is_looked_at_then(rig):
    rig.silent.add("10.0.0.1")
    rig.list(container(1, obstacle=FAR))
    await rig.until(lambda seen: seen == [(False, TOLD, False)])
    rig.accepting.add("10.0.0.1")
    rig.list(container(1))
    await rig.until(lambda seen: seen == [(True, "running", False)])


async def test_one_that_refuses_is_there_whatever_its_networks_say(rig, monkeypatch):
    monkeypatch.setattr("haystack.health.admission_times.PATIENCE", 0.05)
    rig.list(container(1, time.time(), obstacle=FAR))
    await rig.until(lambda seen: seen[0][0])
    assert rig.seen()[0][1].startswith("port 80 does not accept, but still in")
