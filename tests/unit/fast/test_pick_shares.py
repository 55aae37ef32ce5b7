"""How much each member gets: by weight, and by load."""

from __future__ import annotations

from itertools import pairwise

import pytest

from haystack._fast.testing import choose, load
from haystack._fast.util import random_numbers
from tests.fakes.members import chi_square, counts, picked, picker

WEIGHTS = [
    (100, 100),
    (100, 50),
    (2, 1),
    (10, 30, 60),
    (1000, 500),
    (1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    (100,) * 50,
    (65535, 9000, 100),
    (1,) * 30 + (50,),
]


@pytest.fixture(autouse=True)
def repeatable():
    random_numbers.seed(20)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("balance", ["random", "p2c"])
def test_who_draws_draws_by_weight(balance, weights):
    of = picker(balance, *weights)
    assert chi_square(counts(of, picked(of, 40_000)), list(weights)) < 2.5 + 6 / len(weights)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("balance", ["roundrobin", "leastconn"])
def test_who_takes_turns_is_exact_in_every_stretch(balance, weights):
    of = picker(balance, *weights)
    chosen = picked(of, 4000)
    for start in range(0, 4000, 500):
        for size in (10, 100, 500):
            stretch = counts(of, chosen[start : start + size])
            fair = [size * w / sum(weights) for w in weights]
            assert max(abs(n - f) for n, f in zip(stretch, fair, strict=True)) < 2.01 + max(weights) / sum(weights) * len(weights) / 2


@pytest.mark.parametrize("balance", ["roundrobin", "leastconn"])
def test_equal_members_go_around(balance):
    of = picker(balance, *[100] * 5)
    chosen = picked(of, 50)
    assert all(a is b for a, b in zip(chosen, chosen[5:], strict=False))
    assert len(set(map(id, chosen[:5]))) == 5


def test_p2c_takes_two_equal_members_in_turn():
    chosen = picked(picker("p2c", 100, 100), 50)
    assert all(a is not b for a, b in pairwise(chosen))


def test_leastconn_finds_the_least_loaded_of_all():
    of = picker("leastconn", *[100] * 500)
    for number, m in enumerate(of.members):
        load(m.endpoint, 2 + number % 3)
    load(of.members[321].endpoint, -2)
    load(of.members[123].endpoint, -1)
    assert choose(of, []) is of.members[321]
    assert choose(of, [of.members[321]]) is of.members[123]
    load(of.members[321].endpoint, 50)
    assert choose(of, []) is of.members[123]


def test_leastconn_counts_load_by_weight():
    of = picker("leastconn", 10, 20, 70)
    for _ in range(1000):
        load(choose(of, []).endpoint, 1)
    assert [m.endpoint.in_flight for m in of.members] == pytest.approx([100, 200, 700], abs=1)


def test_leastconn_sees_what_another_route_does_to_its_cell():
    of = picker("leastconn", 100, 100)
    other = picker("leastconn", 100, 100, of=list(of.members))
    load(of.members[0].endpoint, 1)
    assert choose(of, []) is choose(other, []) is of.members[1]
    load(of.members[0].endpoint, -1)
    load(of.members[1].endpoint, 1)
    assert choose(of, []) is choose(other, []) is of.members[0]


def test_p2c_holds_load_in_proportion_to_weight():
    of = picker("p2c", 10, 20, 70)
    for _ in range(2000):
        load(choose(of, []).endpoint, 1)
    assert [m.endpoint.in_flight for m in of.members] == pytest.approx([200, 400, 1400], rel=0.1)


def test_p2c_keeps_the_fullest_close_to_the_mean():
    of = picker("p2c", *[100] * 100)
    for _ in range(10_000):
        load(choose(of, []).endpoint, 1)
    assert max(m.endpoint.in_flight for m in of.members) <= 105
