"""Rates over the newest seconds, and a service's last five minutes."""

import pytest

from haystack.loop.turns import at_once
from haystack.model.durations import slot_of
from haystack.proxy.traffic import Traffic
from haystack.views import rates
from haystack.views.rates import HISTORY, WINDOW, History, Rates

NAME = "web.services.haystack"
A = "a" * 12 + ":80/tcp"
FAST, SLOW = slot_of(0.002), slot_of(0.9)


def some(good, bad=0):
    slots = (FAST, good) + ((SLOW, bad) if bad else ())
    return ((0, 0, good, 0, 0, bad), 0, 0, 0, 1, slots)


@pytest.fixture
def traffic():
    return Traffic()


@pytest.fixture
def seen(traffic):
    return Rates(traffic)


def look(seen, second):
    at_once(seen.look(second))


def test_a_rate_is_of_the_newest_seconds(traffic, seen):
    for second in range(100, 110):
        traffic.put(NAME, A, some(second), 0.0)
        look(seen, second)
    newest = seen.services()[NAME]
    assert newest.requests == sum(range(105, 110)) / WINDOW
    assert seen.services(1)[NAME].requests == 109
    assert seen.endpoints(2)[A].requests == 108.5


def test_errors_and_quantiles_are_of_the_same_seconds(traffic, seen):
    traffic.put(NAME, A, some(95, 5), 0.0)
    look(seen, 7)
    for found in (seen.services()[NAME], seen.endpoints()[A]):
        assert (found.requests, found.errors) == (100, 5)
        assert 0.0015 <= found.p50 <= 0.0025
        assert 0.8 <= found.p99 <= 1.0


def test_who_has_no_traffic_any_more_leaves_the_newest_seconds_but_not_the_history(traffic, seen):
    traffic.put(NAME, A, some(3), 0.0)
    for second in range(10, 10 + WINDOW):
        look(seen, second)
        assert list(seen.services()) == [NAME]
        assert len(seen.endpoints()) == 1
    look(seen, 10 + WINDOW)
    assert (dict(seen.services()), dict(seen.endpoints())) == ({}, {})
    history = seen.history(NAME)
    assert {len(each) for each in history} == {HISTORY}
    assert (history.requests[-1 - WINDOW], sum(history.requests)) == (3, 3)


def test_a_gap_in_the_history_is_of_zeros(traffic, seen):
    for second in (50, 53):
        traffic.put(NAME, A, some(second), 0.0)
        look(seen, second)
    assert seen.history(NAME).requests[-4:] == (50, 0, 0, 53)


def test_the_history_is_forgotten_after_a_time_without_traffic(traffic, seen):
    traffic.put(NAME, A, some(3), 0.0)
    look(seen, 10)
    look(seen, 10 + HISTORY - 1)
    assert seen.history(NAME).requests[0] == 3
    look(seen, 10 + HISTORY)
    assert seen.history(NAME) == History((), (), ())


def test_seconds_in_which_it_was_held_up_count_as_seconds(traffic, seen):
    traffic.put(NAME, A, some(5), 0.0)
    look(seen, 10)
    traffic.put(NAME, A, some(5), 0.0)
    look(seen, 13)
    assert seen.services()[NAME].requests == 10 / 4


def test_no_more_than_so_many_histories_are_kept(traffic, seen, monkeypatch):
    monkeypatch.setattr(rates, "KEPT", 2)
    for name in ("a", "b", "c"):
        traffic.put(name, A, some(1), 0.0)
        look(seen, 1)
    assert [bool(seen.history(name).requests) for name in ("a", "b", "c")] == [True, True, False]
    assert "c" in seen.services()


def test_a_name_that_nobody_asked_for_has_no_rate(seen):
    look(seen, 1)
    with pytest.raises(KeyError):
        seen.services()["nobody"]
    assert seen.services().get("nobody") is None
