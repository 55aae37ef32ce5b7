"""Which endpoints have ended, of those that left the table: their containers are dead, gone or paused, and not only told to stop."""

from __future__ import annotations

from haystack.proxy.channel import EndpointRow, ServiceRow, Table
from haystack.proxy.table import changes


def row(name: str, *ids: str) -> ServiceRow:
    return ServiceRow(name, (name,), "p2c", "", 60_000, (tuple(EndpointRow(i, "192.0.2.1", 80, 100) for i in ids),))


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
