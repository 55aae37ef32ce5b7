"""What is usual for a service's endpoints, and what changes it: many gaps, never one."""

from __future__ import annotations

import pytest

from haystack._fast.endpoint.latency import Pace


def paced(*gaps: int, at: int = 0) -> Pace:
    pace = Pace()
    for gap in gaps:
        pace.note(gap, at)
    return pace


def test_of_nothing_nothing_is_known():
    assert Pace().usual() == 0


def test_one_gap_alone_says_nothing():
    assert paced(9_000).usual() == 0


@pytest.mark.parametrize("gap", [0, 1, 2, 3, 4, 5, 7, 12, 100, 250, 1000, 59_999])
def test_what_many_take_is_usual_and_half_as_much_again_at_most(gap):
    assert gap < paced(*[gap] * 100).usual() <= max(2, 1.5 * gap + 1)


@pytest.mark.parametrize("others", [2, 10, 63, 500])
def test_one_that_stood_still_moves_nothing(others):
    assert paced(5_000, *[3] * others).usual() == 4


def test_where_one_of_thirty_takes_long_long_is_usual():
    assert paced(*([3] * 29 + [2_000]) * 10).usual() >= 2_000


def test_a_gap_without_end_is_counted_too():
    assert paced(*[2**62] * 10).usual() > 500_000


def test_what_was_long_ago_is_forgotten_for_what_many_take_now():
    pace = paced(*[4_000] * 500)
    for second in range(1, 12):
        for _ in range(600):
            pace.note(5, second * 1000)
    assert pace.usual() == 6


def test_little_is_kept_however_old_it_is():
    """A service that is asked once a minute is as slow as it ever was."""
    pace = Pace()
    for minute in range(20):
        pace.note(900, minute * 60_000)
    assert pace.usual() > 900
