"""Tasks that managers list no more, and that their engines have still: they stop slowly, or managers don't reach their node."""

import pytest

from haystack.discovery.docker import client as border
from haystack.discovery.docker import inspect
from haystack.discovery.swarm.manager import Lists, Manager
from haystack.discovery.swarm.members import Members
from haystack.discovery.swarm.session import Session
from haystack.discovery.swarm.sightings import Sightings
from haystack.discovery.swarm.timing import Timing
from haystack.model.listed import Listed
from haystack.model.records import Engine, Listing
from tests.fakes.engine import inspected
from tests.fakes.sink import FakeSink
from tests.fakes.swarm import FakeSwarm, ident

ALIASES = ("traefik",)
RULE = {"traefik.http.routers.web.rule": "Host(`a.example`)"}
GUARDED = RULE | {"traefik.http.routers.web.middlewares": "auth"}
ENGINE = Engine(id="e", name="n1", host="tcp://x", address="10.77.0.9", remote=True, node=ident("node", 1))


@pytest.fixture
def swarm():
    with FakeSwarm() as fake:
        fake.add_node()
        yield fake


@pytest.mark.parametrize("why", ["it stops slowly", "its node is down"])
def test_it_is_guarded_as_its_own_spec_says(swarm, why):
    sink = FakeSink()
    sightings = Sightings("swarm").before(sink)
    client = border.connect(swarm.host, None, 10.0)
    timing = Timing(leaving=0.0)
    session = Session(client, Manager(client, Lists(ALIASES), timing), Members(aliases=ALIASES), sightings.take, timing, swarm.host)
    web = swarm.add_service(1, "web", container=GUARDED)
    task = swarm.add_task(1, web)
    raw = inspected(1, f"web.1.{task}")
    raw["Config"]["Labels"] = GUARDED
    seen = inspect.container(raw, "e", (), ALIASES).container
    sightings.replace("e1", Listing(engine=ENGINE, containers=Listed.of((seen,))))
    hosts = []
    sink.replace = lambda source, listing: hosts.append([each.options.hosts for each in listing.containers]) if source == "e1" else None
    session._poll()
    swarm.add_service(1, "web", container=RULE)  # which asks for passwords itself from now on
    if why == "it stops slowly":
        swarm.tasks[task] = swarm.tasks[task].replace('"DesiredState":"running"', '"DesiredState":"shutdown"')
    else:
        swarm.add_node(state="down")
    session._poll()
    client.close()
    assert hosts == [[()], [()]]
