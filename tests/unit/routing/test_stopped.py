"""Workers are told which endpoints have been told to stop, also those that had left for what came of it, and each once."""

from __future__ import annotations

import msgspec

from haystack.catalog.incremental import Builder
from haystack.health.policy import Condition
from haystack.loop.turns import at_once
from haystack.model import ports
from haystack.model.records import STOPPING, Container, Listing
from haystack.model.snapshot import Snapshot
from haystack.routing.routing_table import Spot
from haystack.routing.table_updates import Tables
from tests.fakes.usual import usual

AWAY = Condition(gone="its host is lost: neither its engine nor its port answers")
REFUSES = Condition(waiting="port 80 does not answer", lost=True)


def container(number: int, state: str = "running") -> Container:
    listed = (ports.named(80, "tcp"),)
    identity = f"{number:x}" * 64
    return Container(id=identity, name=f"c{number}", engine="e", services=("web",), address=f"10.0.0.{number}", ports=listed, state=state)


def spot(number: int) -> Spot:
    return f"{number:x}" * 12 + ":80/tcp", f"10.0.0.{number}", 80


class Rig:
    """What a worker is told of as containers come and go."""

    def __init__(self) -> None:
        self.builder = Builder(Snapshot(version=0, created=0.0, origin="haystack"))
        self.tables = Tables(usual("p2c", 60.0, 10.0))
        self.lost: set[str] = set()
        self.away: set[str] = set()

    def show(self, *containers: Container, stopped: frozenset[str] = frozenset()) -> set[Spot]:
        """The endpoints that were told to stop, as it is told with these containers. lost: ids of those whose port refuses."""
        conditions = {c.id: REFUSES for c in containers if c.id in self.lost} | {c.id: AWAY for c in containers if c.id in self.away}
        doubtful = [f"{c.short_id}:80/tcp" for c in containers]
        found = self.builder.build(
            {"x": Listing(containers=containers)}, 1.0, 1.0, lambda c, _e: conditions.get(c.id, Condition()), doubtful
        )
        made = at_once(found)
        if made is None:
            return set()
        *_, last = at_once(self.tables.follow(msgspec.structs.replace(made, stopped=stopped), 1.0))
        return set(last.stopped)


def test_one_that_leaves_as_it_is_told_to_stop_is_told_once() -> None:
    rig = Rig()
    assert rig.show(container(1), container(2)) == set()
    assert rig.show(container(1, STOPPING), container(2)) == {spot(1)}
    assert rig.show(container(1, STOPPING), container(2), container(3)) == set()
    assert rig.show(container(2), stopped=frozenset({container(1).id})) == set()


def test_one_that_had_left_since_its_port_refused_is_told_when_the_word_comes() -> None:
    """The port closes before the engine tells of the signal."""
    rig = Rig()
    rig.show(container(1), container(2))
    rig.lost.add(container(1).id)
    assert rig.show(container(1), container(2)) == set()
    assert rig.show(container(1, STOPPING), container(2)) == {spot(1)}


def test_one_that_has_ended_by_then_is_told_of_too_and_one_that_died_by_itself_is_not() -> None:
    rig = Rig()
    rig.show(container(1), container(2), container(3))
    assert rig.show(container(2), stopped=frozenset({container(1).id})) == {spot(1)}


def test_one_whose_host_is_lost_is_told_of_and_one_whose_container_has_ended_is_not() -> None:
    """A request that was taken from one silent endpoint may be taken from another one too, where both were on a host that is lost."""
    rig = Rig()
    rig.show(container(1), container(2), container(3))
    rig.away = {container(1).id, container(2).id}
    assert rig.show(container(1), container(2), container(3)) == {spot(1), spot(2)}
    assert rig.show(container(1), container(2), container(3, "exited")) == set()
