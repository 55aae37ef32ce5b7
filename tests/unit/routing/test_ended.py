"""Which endpoints have ended, of those that left the table: their containers are dead, gone or paused, and not only told to stop."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from haystack.health.policy import Condition, judge
from haystack.loop.turns import at_once
from haystack.model.records import Container, Options
from haystack.model.service_options import ServiceOptions
from haystack.routing.routing_table import is_mute
from haystack.routing.rows import EndpointRow, ServiceRow, Table
from tests.fakes.state import ENDPOINT
from tests.oracles.routing_table import changes


def row(name: str, *ids: str) -> ServiceRow:
    return ServiceRow(
        name, (name,), ServiceOptions(balance="p2c", timeout=60.0), (tuple(EndpointRow(i, "192.0.2.1", 80, 100) for i in ids),)
    )


def ended(old: Table, new: Table, living: frozenset[str]) -> set[str]:
    *_, last = changes(old, new, living)
    return {spot[0] for spot in last.ended}


def test_one_that_left_and_does_not_live_has_ended() -> None:
    old, new = Table(1, (row("s", "a", "b", "c"),)), Table(2, (row("s", "a"),))
    assert ended(old, new, frozenset({"a", "b"})) == {"c"}


def test_those_of_a_service_that_went_altogether() -> None:
    assert ended(Table(1, (row("s", "a", "b"),)), Table(2, ()), frozenset({"b"})) == {"a"}


def test_none_where_nothing_changed_or_nobody_knows() -> None:
    table = Table(1, (row("s", "a"),))
    assert ended(table, Table(2, table.services), frozenset({"a"})) == set()
    *_, last = changes(table, Table(2, ()))
    assert last.ended == ()


@pytest.mark.parametrize("silent", [True, False])
def test_one_that_a_worker_found_silent_answers_nobody(silent: bool) -> None:
    """The other workers have too few requests there to find it, and theirs shall not wait for a time limit."""
    container = Container(id="1" * 64, name="one", engine="e", options=Options())
    out, _ = at_once(
        judge([(container, Condition(ejected="whatever the words", silent=silent, ejected_at=1.0, until=9.0)), (container, Condition())])
    )
    assert is_mute(replace(ENDPOINT, ready=out.ready, cause=out.cause)) is silent


def test_one_whose_node_does_not_answer_answers_nobody_unless_nobody_else_does() -> None:
    """What waits there is sent to others, if it may be."""
    lost = Container(id="1" * 64, name="one", engine="e", lost="its node n3 does not answer")
    out, _ = at_once(judge([(lost, Condition()), (replace(lost, lost=""), Condition())]))
    assert is_mute(replace(ENDPOINT, ready=out.ready, cause=out.cause))
    (alone,) = at_once(judge([(lost, Condition())]))
    assert not is_mute(replace(ENDPOINT, ready=alone.ready, cause=alone.cause))
