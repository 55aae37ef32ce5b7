"""Pickers: whom they choose, how evenly, and what they never choose."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from haystack._fast.cells import Cell, Member, Route
from haystack._fast.pick import PICKERS, choose

ROUNDS = 20_000


def route(*weights, picker="random"):
    members = [Member(Cell(f"c{n}", ("127.0.0.1", 1000 + n)), "web", 80) for n in range(len(weights))]
    return Route("web", members, list(weights), PICKERS[picker], 1000)


def shares(of):
    """Which part of the choices each member got."""
    counted = Counter(id(choose(of, [])) for _ in range(ROUNDS))
    return [counted[id(m)] / ROUNDS for m in of.members]


@pytest.fixture(params=PICKERS)
def picker(request):
    return request.param


def test_nobody_is_chosen_of_nobody(picker):
    assert choose(route(picker=picker), []) is None


def test_one_is_chosen_of_one_whatever_its_weight(picker):
    for weight in (0, 1, 100):
        of = route(weight, picker=picker)
        assert choose(of, []) is of.members[0]


def test_each_is_tried_once_and_then_none(picker):
    of = route(100, 50, 0, 100, picker=picker)
    for _ in range(100):
        tried = []
        while (member := choose(of, tried)) is not None:
            assert member not in tried
            tried.append(member)
        assert len(tried) == 4
        assert tried[-1] is of.members[2]


def test_eight_tries_are_the_end(picker):
    of = route(*[100] * 20, picker=picker)
    assert choose(of, of.members[:8]) is None
    assert choose(of, of.members[:7]) in of.members[7:]


def test_without_weight_only_when_nothing_else_is_left(picker):
    of = route(0, 100, picker=picker)
    assert {id(choose(of, [])) for _ in range(200)} == {id(of.members[1])}
    assert choose(of, [of.members[1]]) is of.members[0]


def test_all_without_weight_are_better_than_none(picker):
    of = route(0, 0, picker=picker)
    assert choose(of, []) in of.members


def test_equal_members_get_equal_shares(picker):
    assert shares(route(100, 100, 100, 100, picker=picker)) == pytest.approx([0.25] * 4, abs=0.02)


@pytest.mark.parametrize("weights", [(100, 50), (2, 1), (10, 30, 60), (1000, 500)])
def test_random_follows_the_weights(weights):
    expected = [w / sum(weights) for w in weights]
    assert shares(route(*weights)) == pytest.approx(expected, abs=0.02)


def test_a_small_weight_beside_a_large_one_still_gets_some():
    assert shares(route(100_000, 1))[1] == pytest.approx(0.01, abs=0.005)


def test_p2c_takes_two_equal_members_in_turn():
    of = route(100, 100, picker="p2c")
    chosen = [choose(of, []) for _ in range(50)]
    assert all(a is not b for a, b in pairwise(chosen))
