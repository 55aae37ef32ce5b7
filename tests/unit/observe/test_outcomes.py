"""Exchanges that went wrong are kept in bounds: of many alike a few, and what clients cause never in the place of the others."""

from __future__ import annotations

from haystack.model.reports import Outcome
from haystack.observe.outcomes import ALIKE, BY_CLIENTS, MOST, Count, Manner, Outcomes, by_client


def outcome(time: float, **more: object) -> Outcome:
    usual = {
        "worker": 0, "listener": "http:80", "client": "10.0.0.1:5", "method": "GET", "host": "web", "target": "/", "service": "web",
        "candidates": ("10.0.0.2:80",), "endpoint": "10.0.0.2:80", "status": 502, "total_ms": 1.0, "error": "connection_refused",
    }  # fmt: skip
    return Outcome(**usual | {"time": time} | more)  # type: ignore[arg-type]


def test_those_of_a_time_are_told_in_the_order_of_their_ends() -> None:
    outcomes = Outcomes()
    outcomes.take([outcome(12.0), outcome(10.0), outcome(11.0, service="", status=404), outcome(20.0)], 0)
    assert [o.time for o in outcomes.between(10.0, 20.0)] == [10.0, 11.0, 12.0]
    assert outcomes.counts(0, 100) == []


def test_of_many_alike_in_a_second_some_are_kept_and_all_are_counted() -> None:
    outcomes = Outcomes(lambda: 10.7)
    outcomes.take([outcome(10.0 + n / 1000) for n in range(ALIKE + 7)], 100)
    outcomes.take([outcome(10.5, service="other"), outcome(10.6, error="http_response_timeout", status=504)], 3)
    assert len(outcomes.between(10, 11)) == ALIKE + 2
    counts = [Count(10, Manner(), 103), Count(10, Manner("web", "10.0.0.2:80", "connection_refused", 502, ""), 7)]
    assert outcomes.counts(10, 11) == counts
    outcomes.take([outcome(11.0)], 0)
    assert len(outcomes.between(11, 12)) == 1
    assert outcomes.counts(10, 11) == counts
    assert outcomes.counts(11, 12) == []


def test_what_clients_cause_takes_nobody_elses_place() -> None:
    outcomes = Outcomes(lambda: 0.0)
    outcomes.take([outcome(1.0)], 0)
    outcomes.take([outcome(2.0 + n, service="", status=404, error="destination_not_found") for n in range(3 * MOST)], 0)
    assert outcomes.between(0, 2)
    assert len(outcomes.between(2, 1e9)) == BY_CLIENTS
    assert outcomes.begun == 0.0


def test_the_ring_is_bounded_and_says_from_when_on_it_knows() -> None:
    outcomes = Outcomes(lambda: 0.0)
    outcomes.take([outcome(float(n)) for n in range(MOST + 10)], 0)
    outcomes.take([outcome(1e6, service="", status=404)], 0)
    assert len(outcomes.between(0, 1e9)) == MOST + 1
    assert outcomes.begun == 9.0


def test_who_caused_it() -> None:
    assert by_client(outcome(1.0, service="", status=404))
    assert by_client(outcome(1.0, status=413))
    assert by_client(outcome(1.0, status=0, error="connection_terminated"))
    assert not by_client(outcome(1.0))
    assert not by_client(outcome(1.0, status=200, error="", retried="connection_refused"))
    assert not by_client(outcome(1.0, status=0, error="connection_terminated", retried="connection_refused"))
