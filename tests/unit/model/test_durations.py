"""Slots of durations: where their bounds are, and what a quantile read off them is worth."""

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haystack._fast.testing import duration_slot
from haystack.model.durations import EDGES, SLOTS, quantile, slot_of

MILLISECOND = 1_000_000


@given(st.integers(0, 10**13))
def test_workers_count_in_the_slot_that_the_control_process_reads(ns):
    assert duration_slot(ns) == bisect_left(EDGES, ns)


@pytest.mark.parametrize("edge", EDGES)
def test_a_bound_belongs_to_the_slot_below_it(edge):
    slot = EDGES.index(edge)
    assert [duration_slot(edge + more) for more in (-1, 0, 1)] == [slot, slot, slot + 1]
    assert slot_of(edge / 1e9) == slot


@pytest.mark.parametrize("bound", [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60])
def test_the_usual_bounds_are_bounds_of_slots(bound):
    assert round(bound * 1e9) in EDGES


@given(st.lists(st.integers(10_001, 10**12), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_quantile_is_off_by_the_width_of_a_slot_at_most(durations, q):
    counts = [0] * SLOTS
    for ns in durations:
        counts[bisect_left(EDGES, ns)] += 1
    exact = sorted(durations)[max(0, -int(-q * len(durations) // 1) - 1)] / 1e9
    assert exact / 1.26 <= quantile(counts, q) <= exact * 1.26


def test_nothing_has_no_quantile():
    assert quantile([0] * SLOTS, 0.99) == 0.0


def test_many_of_one_slot_are_spread_within_it():
    counts = [0] * SLOTS
    counts[bisect_left(EDGES, 11 * MILLISECOND)] = 100  # above 10 ms, up to 12 ms
    assert quantile(counts, 0.5) == pytest.approx(0.011)
    assert quantile(counts, 1.0) == pytest.approx(0.012)


def test_what_took_longer_than_any_bound_is_told_as_the_last_bound():
    counts = [0] * (SLOTS - 1) + [3]
    assert quantile(counts, 0.5) == 1000.0
