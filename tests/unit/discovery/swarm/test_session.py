"""How soon a manager is asked again: while something goes on, each second; else every 15 s."""

import pytest
from requests import exceptions

from haystack.discovery.docker import client as border
from haystack.discovery.swarm.manager import Lists, Manager
from haystack.discovery.swarm.members import Members
from haystack.discovery.swarm.session import Session
from haystack.discovery.swarm.timing import Timing
from tests.fakes.swarm import FakeSwarm

BUSY, REST = 1.0, 15.0
QUIET = {"stirred": 0.0}  # nothing has happened of late


@pytest.fixture
def swarm():
    with FakeSwarm() as fake:
        fake.add_node()
        yield fake


@pytest.fixture
def session(swarm):
    """One with these times."""
    client = border.connect(swarm.host, None, 10.0)

    def made(**times):
        timing = Timing(**QUIET | times)
        return Session(client, Manager(client, Lists(), timing), Members(), lambda _picture: None, timing, swarm.host)

    yield made
    client.close()


def test_the_usual_times():
    assert (Timing().busy, Timing().rest) == (BUSY, REST)


def test_a_swarm_at_rest_is_polled_at_the_slow_pace(swarm, session):
    swarm.add_task(1, swarm.add_service(1, "web"))
    assert session()._poll() == REST


def test_a_swarm_is_polled_at_the_fast_pace_after_something_has_happened(swarm, session):
    assert session(stirred=600.0)._poll() == BUSY


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("updating", BUSY),
        ("rollback_started", BUSY),
        ("paused", REST),
        ("completed", REST),
        ("rollback_paused", REST),
        ("rollback_completed", REST),
    ],
)
def test_while_an_update_or_a_rollback_runs(swarm, session, state, expected):
    swarm.add_task(1, swarm.add_service(1, "web"))
    swarm.add_service(2, "shop", UpdateStatus={"State": state})
    assert session()._poll() == expected


def test_while_a_task_is_on_its_way_unless_it_fails_or_that_takes_for_ever(swarm, session):
    web = swarm.add_service(1, "web")
    swarm.add_task(1, web, state="preparing")
    assert session()._poll() == BUSY
    assert session(patient=0.0)._poll() == REST
    swarm.add_task(1, web, state="preparing", status={"Err": "no such image"})
    assert session()._poll() == REST


def test_until_a_task_that_is_to_end_has_ended(swarm, session):
    web = swarm.add_service(1, "web")
    swarm.add_task(1, web)
    one = session()
    assert one._poll() == REST
    swarm.add_task(1, web, desired="shutdown")
    assert one._poll() == BUSY
    swarm.add_task(1, web, desired="shutdown", state="shutdown")
    assert one._poll() == REST


@pytest.mark.parametrize("path", ["/services", "/nodes", "/tasks", "/networks"])
def test_a_list_that_trickles_ends_a_poll(swarm, session, monkeypatch, path):
    monkeypatch.setattr(border, "LONG", 0.3)
    swarm.add_task(1, swarm.add_service(1, "web"))
    swarm.dripping[path] = "body"
    with pytest.raises(exceptions.ConnectionError) as failed:
        session()._poll()
    assert border.late(failed.value)
    swarm.dripping.clear()


def test_an_image_that_is_not_described_costs_itself_alone(swarm, session):
    swarm.add_task(1, swarm.add_service(1, "web"))
    swarm.dripping["/images/nginx:latest/json"] = "body"
    one = session(answer=0.5)
    one._poll()
    assert one.polls == 1
    swarm.dripping.clear()
