"""A Swarm of 10,000 tasks on 100 nodes: what a poll costs, and that one in which nothing has changed changes nothing."""

import time

import pytest

from haystack.catalog.registry import Registry
from haystack.discovery.docker import client as border
from haystack.discovery.swarm.manager import Lists, Manager
from haystack.discovery.swarm.members import Members
from haystack.discovery.swarm.session import Session
from haystack.discovery.swarm.sightings import Sightings
from haystack.discovery.swarm.timing import Timing
from tests.fakes.swarm import FakeSwarm, container_id, ident

SERVICES, EACH, NODES = 1000, 10, 100
LIKE_REAL = {"Spec2": {"Filler": ["some text as long as what Docker tells of placement and networks"] * 30}}  # 2 KB a task, as with Docker
CPU = 0.2  # seconds of it that a poll may take


def add_task(swarm, number, address=""):
    address = address or f"10.1.{number // 250}.{number % 250 + 1}/16"
    place = {"slot": number % EACH + 1, "node": ident("node", number % NODES + 1), "address": address}
    swarm.add_task(number, ident("service", number // EACH), **place, **LIKE_REAL)


@pytest.fixture(scope="module")
def swarm():
    made = FakeSwarm()
    for number in range(1, NODES + 1):
        made.add_node(number, f"n{number}", f"10.77.0.{number}")
    for number in range(SERVICES):
        made.add_service(number, f"s{number}", replicas=EACH, ports=[{"TargetPort": 80, "Protocol": "tcp"}])
    for number in range(SERVICES * EACH):
        add_task(made, number)
    with made:
        yield made


@pytest.fixture
def session(swarm):
    """Polls when it is told to. told: pictures."""
    client = border.connect(swarm.host, None, 10.0)
    told = []
    made = Session(client, Manager(client, Lists(), Timing(answer=30.0)), Members(), told.append, Timing(), swarm.host)
    made.told = told
    yield made
    client.close()


@pytest.mark.untraced
def test_a_poll_in_which_nothing_has_changed_costs_little_and_tells_nothing(session):
    session._poll()
    assert [len(each.containers) for each in session.told] == [SERVICES * EACH]
    spent = []
    for _ in range(3):
        began = time.thread_time()
        session._poll()
        spent.append(time.thread_time() - began)
    assert len(session.told) == 1
    assert min(spent) < CPU


async def test_one_task_that_changes_changes_its_own_container_and_service_alone(swarm, session):
    registry, sightings = Registry("haystack"), Sightings("swarm")
    sightings.before(registry)
    session._poll()
    sightings.take(session.told[-1])
    registry.flush()
    before = registry.snapshot
    assert (len(before.containers), len(before.services)) == (SERVICES * EACH, SERVICES)

    add_task(swarm, 4321, address="10.9.9.9/16")
    session._poll()
    old, new = session.told[-2:]
    assert [c.id for c in new.containers if old.containers.by_id.get(c.id) is not c] == [container_id(4321)]
    sightings.take(new)
    registry.flush()
    assert registry.snapshot.version == before.version + 1
    assert registry.snapshot.change.containers == {container_id(4321)}
    assert registry.snapshot.change.services == {"s432.nginx.services.haystack"}
    add_task(swarm, 4321)
