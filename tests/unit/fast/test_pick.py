"""What all pickers promise: nobody twice, nobody without weight before the others, the end after eight."""

from __future__ import annotations

import pytest

from haystack._fast.balance.pickers import PICKERS, make
from haystack._fast.testing import choose
from haystack.settings.balance import BALANCES
from tests.fakes.members import counts, members, picked, picker

SIZES = (2, 5, 50, 500, 5000)


@pytest.fixture(params=PICKERS)
def balance(request):
    return request.param


def test_the_table_has_what_labels_and_settings_take():
    assert tuple(PICKERS) == BALANCES


def test_what_the_table_does_not_have_is_refused():
    with pytest.raises(KeyError):
        make("luck", members(2), [100, 100])


def test_nobody_is_chosen_of_nobody(balance):
    assert choose(picker(balance), []) is None


@pytest.mark.parametrize("weight", [0, 1, 100])
def test_one_is_chosen_of_one_whatever_its_weight(balance, weight):
    of = picker(balance, weight)
    assert choose(of, []) is of.members[0]
    assert choose(of, of.members) is None


def test_where_nobody_has_weight_all_share(balance):
    """Without a key, that is: one of them alone would have everything."""
    of = picker(balance, 0, 0, 0)
    assert {id(choose(of, [])) for _ in range(200)} == {id(member) for member in of.members}


def test_each_is_tried_once_and_then_none(balance):
    of = picker(balance, 100, 50, 0, 100)
    for key in range(100):
        tried = []
        while (member := choose(of, tried, key)) is not None:
            assert member not in tried
            tried.append(member)
        assert len(tried) == 4
        assert tried[-1] is of.members[2]


@pytest.mark.parametrize("size", SIZES)
def test_those_tried_are_passed_over_at_any_size(balance, size):
    of = picker(balance, *[100] * size)
    for key in range(50):
        tried = []
        for _ in range(min(size, 8)):
            tried.append(choose(of, tried, key))
        assert len(set(map(id, tried))) == min(size, 8)
        assert choose(of, tried, key) is None


def test_without_weight_only_when_nothing_else_is_left(balance):
    of = picker(balance, 0, 100, 0)
    assert {id(m) for m in picked(of, 200)} == {id(of.members[1])}
    spare = choose(of, [of.members[1]])
    assert spare in (of.members[0], of.members[2])
    assert {spare, choose(of, [of.members[1], spare])} == {of.members[0], of.members[2]}


def test_all_without_weight_are_better_than_none(balance):
    of = picker(balance, 0, 0)
    assert choose(of, []) in of.members
    assert choose(of, of.members[:1]) is of.members[1]


def test_the_greatest_key_leads_to_somebody_too(balance):
    of = picker(balance, 0, 0, 0)
    key = 2**64 - 2
    assert None not in (choose(of, of.members[:2], key), choose(of, of.members[1:], key), choose(of, of.members[::2], key))


@pytest.mark.parametrize("size", SIZES)
def test_everybody_gets_something(balance, size):
    of = picker(balance, *[100] * size)
    found = counts(of, picked(of, size * 30))
    assert min(found) > 0


def test_a_picker_for_which_nothing_has_changed_goes_on(balance):
    of = members(3)
    first = make(balance, of, [1, 0, 3])
    assert make(balance, list(of), [1, 0, 3], first) is first
    for changed, weights in ((of, [1, 3, 0]), (of, [1, 0, 4]), (of[:2], [1, 0]), (of[::-1], [1, 0, 3]), (members(3), [1, 0, 3])):
        assert make(balance, changed, weights, first) is not first


def test_another_algorithm_is_another_picker(balance):
    old = picker("random" if balance != "random" else "p2c", 1, 2, 3)
    new = make(balance, old.members, [1, 2, 3], old)
    assert type(new) is PICKERS[balance]
    assert counts(new, picked(new, 300))[2] > 0
