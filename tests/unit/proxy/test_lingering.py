"""Services that have lost their last endpoint stay known for a while."""

from __future__ import annotations

from haystack.proxy.channel import EndpointRow, ServiceRow, Table
from haystack.proxy.lingering import Lingering


def row(name: str, *hosts: str, endpoints: int = 1) -> ServiceRow:
    made = tuple(EndpointRow(f"{name}{n}:80/tcp", "192.0.2.1", 80, 100) for n in range(endpoints))
    return ServiceRow(name, (name, *hosts), "p2c", "", 60_000, (made,))


def test_a_service_that_goes_stays_without_endpoints_until_its_time_is_up() -> None:
    lingering = Lingering(60.0)
    first = Table(1, (row("a"), row("b")))
    assert lingering.add(Table(0, ()), first, 0.0) == first
    second = lingering.add(first, Table(2, (row("b"),)), 10.0)
    assert [(r.name, r.listeners) for r in second.services] == [("b", row("b").listeners), ("a", ((),))]
    assert lingering.next_end() == 70.0
    again = lingering.add(second, Table(3, (row("b"),)), 69.0)
    assert [r.name for r in again.services] == ["b", "a"]
    assert [r.name for r in lingering.add(again, Table(4, (row("b"),)), 70.0).services] == ["b"]
    assert lingering.next_end() is None


def test_a_service_that_comes_back_is_itself_again() -> None:
    lingering = Lingering(60.0)
    first = Table(1, (row("a"),))
    gone = lingering.add(first, Table(2, ()), 0.0)
    assert lingering.add(gone, Table(3, (row("a", endpoints=2),)), 5.0) == Table(3, (row("a", endpoints=2),))
    assert lingering.next_end() is None


def test_its_time_counts_from_its_last_end() -> None:
    """Gone, back and gone again: the second time is what counts."""
    lingering = Lingering(60.0)
    table = lingering.add(Table(1, (row("a"),)), Table(2, ()), 0.0)
    table = lingering.add(table, Table(3, (row("a"),)), 50.0)
    lingering.add(table, Table(4, ()), 100.0)
    assert lingering.next_end() == 160.0


def test_a_host_that_a_live_service_has_taken_over_is_the_live_ones() -> None:
    lingering = Lingering(60.0)
    first = Table(1, (row("old", "app.example"),))
    now = lingering.add(first, Table(2, (row("new", "app.example"),)), 0.0)
    assert [(r.name, r.hosts) for r in now.services] == [("new", ("new", "app.example")), ("old", ("old",))]
