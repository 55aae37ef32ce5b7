"""Services that have lost their last endpoint stay known for a while."""

from __future__ import annotations

import msgspec

from haystack.model.service_options import ServiceOptions
from haystack.routing.rows import EndpointRow, ServiceRow
from haystack.routing.tombstones import Lingering


def row(name: str, *hosts: str, endpoints: int = 1) -> ServiceRow:
    made = tuple(EndpointRow(f"{name}{n}:80/tcp", "192.0.2.1", 80, 100) for n in range(endpoints))
    return ServiceRow(name, (name, *hosts), ServiceOptions(balance="p2c", timeout=60.0), (made,))


def test_a_service_that_goes_stays_without_endpoints_until_its_time_is_up() -> None:
    lingering = Lingering(60.0)
    assert lingering.next_end() is None
    lingering.gone(row("a"), 10.0)
    assert [(r.name, r.listeners) for r in lingering.rows(())] == [("a", ((),))]
    assert lingering.next_end() == 70.0
    assert lingering.expire(69.0) == []
    assert lingering.expire(70.0) == ["a"]
    assert list(lingering.rows(())) == []
    assert lingering.next_end() is None


def test_a_service_that_comes_back_is_itself_again() -> None:
    lingering = Lingering(60.0)
    lingering.gone(row("a"), 0.0)
    lingering.back("a")
    assert list(lingering.rows(())) == []
    assert lingering.next_end() is None


def test_what_is_told_of_it_is_why_its_last_endpoint_left_and_else_that_it_is_gone() -> None:
    lingering = Lingering(60.0)
    lingering.gone(row("a"), 0.0, 1234.5)
    lingering.gone(msgspec.structs.replace(row("b"), why="draining: kill SIGTERM", since=1200.0), 0.0, 1234.5)
    assert [(r.why, r.since) for r in lingering.rows(())] == [("gone", 1234.5), ("draining: kill SIGTERM", 1200.0)]


def test_its_time_counts_from_its_last_end() -> None:
    """Gone, back and gone again: the second time is what counts."""
    lingering = Lingering(60.0)
    lingering.gone(row("a"), 0.0)
    lingering.back("a")
    lingering.gone(row("a"), 100.0)
    assert lingering.next_end() == 160.0


def test_a_host_that_a_live_service_has_taken_over_is_the_live_ones() -> None:
    lingering = Lingering(60.0)
    lingering.gone(row("old", "app.example"), 0.0)
    assert [r.hosts for r in lingering.rows({("app.example", "/")})] == [("old",)]
