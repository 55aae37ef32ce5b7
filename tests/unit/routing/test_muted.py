"""Workers are told which endpoints answer nothing any more, also those that had left for another reason, and each once."""

from __future__ import annotations

from msgspec.structs import replace

from haystack.health.policy import Condition
from haystack.loop.turns import at_once
from haystack.model.records import Container, Listing
from haystack.routing.routing_table import Spot
from tests.unit.routing.test_stopped import REFUSES, Rig, container, spot

AWAY = "its node n3 does not answer"


def ended(rig: Rig, *containers: Container) -> set[Spot]:
    """The endpoints that have ended, as it is told with these containers."""
    conditions = {c.id: REFUSES if c.id in rig.lost else Condition() for c in containers}
    doubtful = [f"{c.short_id}:80/tcp" for c in containers]
    found = rig.builder.build({"x": Listing(containers=containers)}, 1.0, 1.0, lambda c, _e: conditions[c.id], doubtful)
    made = at_once(found)
    if made is None:
        return set()
    *_, last = at_once(rig.tables.follow(made, 1.0))
    return set(last.ended)


def test_one_whose_node_falls_silent_has_ended_once() -> None:
    rig = Rig()
    assert ended(rig, container(1), container(2)) == set()
    assert ended(rig, replace(container(1), lost=AWAY), container(2)) == {spot(1)}
    assert ended(rig, replace(container(1), lost=AWAY), container(2), container(3)) == set()


def test_one_that_had_left_since_connections_failed_has_ended_when_its_node_is_known_to_be_away() -> None:
    """Requests that it took before would wait for their time limit."""
    rig = Rig()
    ended(rig, container(1), container(2))
    rig.lost = {container(1).id}
    assert ended(rig, container(1), container(2)) == set()
    assert ended(rig, replace(container(1), lost=AWAY), container(2)) == {spot(1)}


def test_one_that_comes_to_another_address_meanwhile_has_ended_where_it_was() -> None:
    rig = Rig()
    ended(rig, container(1), container(2))
    rig.lost = {container(1).id}
    ended(rig, container(1), container(2))
    assert ended(rig, replace(container(1), address="192.0.2.99", lost=AWAY), container(2)) == {spot(1)}
