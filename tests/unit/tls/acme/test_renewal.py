"""When certificates are renewed, and how waiting grows."""

import pytest

from haystack.tls.acme import renewal
from haystack.tls.acme.renewal import DAY, OF_AUTHORITY, OF_LOOKS, OF_NAMES

MARKS = [f"{number:x}" for number in range(200)]


@pytest.mark.parametrize(("days", "earliest", "latest"), [(90, 55.5, 60), (365, 225, 243.4), (6, 2.7, 3), (10, 4.5, 5)])
def test_a_third_of_a_long_life_is_left_and_half_of_a_short_one_each_a_little_else(days, earliest, latest):
    found = [renewal.due(mark, 0.0, days * DAY) / DAY for mark in MARKS]
    assert earliest <= min(found) < max(found) <= latest
    assert len(set(found)) == len(MARKS)
    assert found == [renewal.due(mark, 0.0, days * DAY) / DAY for mark in MARKS]


def test_a_suggested_window_is_kept_to():
    found = [renewal.due(mark, 0.0, 90 * DAY, (50 * DAY, 52 * DAY)) for mark in MARKS]
    assert 50 * DAY <= min(found) < 50.2 * DAY
    assert 51.8 * DAY < max(found) <= 52 * DAY


def test_one_that_is_new_is_not_renewed_whatever_is_suggested():
    assert renewal.due("x", 1000.0, 1000.0 + 90 * DAY, (0.0, 1.0)) == 1000.0 + DAY
    assert renewal.due("x", 1000.0, 1000.0 + 8000.0, (0.0, 1.0)) == 2000.0


@pytest.mark.parametrize("window", [(5.0, 5.0), (6.0, 5.0)])
def test_a_window_that_is_none_does_not_count(window):
    assert renewal.due("x", 0.0, 90 * DAY, window) == renewal.due("x", 0.0, 90 * DAY)


@pytest.mark.parametrize("pace", [OF_NAMES, OF_AUTHORITY, OF_LOOKS])
def test_waiting_grows_up_to_its_most_whatever_chance_says(pace):
    waits = [pace.wait(failures, 0.5) for failures in range(1, 2000)]
    assert waits[0] == pace.first
    assert waits == sorted(waits)
    assert waits[-1] == pace.most
    assert pace.wait(1, 0.0) == pytest.approx(0.8 * pace.first)
    assert pace.wait(5000, 1.0) == pytest.approx(1.2 * pace.most)


def test_retry_after_is_the_least_and_what_is_about_to_expire_is_tried_sooner():
    now = 1000.0
    assert renewal.again(1, 0.5, 0.0, now, 7200.0) == now + 7200.0
    assert renewal.again(9, 0.5, 0.0, now) == now + DAY
    assert renewal.again(9, 0.5, now + 2 * DAY, now) <= now + 6 * 3600
    assert renewal.again(9, 0.5, now - 1, now) == now + DAY
