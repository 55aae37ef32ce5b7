"""A mapping that shares what has not changed: held against a dict."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haystack.model.sorted_map import SortedMap
from tests.fakes.effort import instructions

KEYS = st.text("abc", max_size=4)
CHANGES = st.lists(st.dictionaries(KEYS, st.none() | st.integers(), max_size=90), max_size=8)


@given(CHANGES)
def test_it_is_a_dict_in_the_order_of_its_keys(changes):
    held, expected = SortedMap.of({}), {}
    for some in changes:
        before, was = held, dict(expected)
        held = held.changed(some)
        expected.update(some)
        expected = {key: expected[key] for key in sorted(expected) if expected[key] is not None}
        assert list(held) == list(held.keys()) == list(expected)
        assert list(held.items()) == list(expected.items())
        assert list(held.values()) == list(expected.values())
        assert len(held) == len(expected)
        assert held == expected
        assert all(held[key] == value for key, value in expected.items())
        assert all(held.get(key) is None and key not in held for key in some if some[key] is None)
        assert before == was


def test_one_of_any_mapping_is_in_order_and_one_of_another_is_the_same():
    made = SortedMap.of({"b": 1, "a": 2})
    assert list(made) == ["a", "b"]
    assert SortedMap.of(made) is made


def test_a_key_that_is_not_there():
    with pytest.raises(KeyError):
        SortedMap.of({"b": 1})["a"]
    with pytest.raises(KeyError):
        SortedMap.of({})["a"]


def test_one_change_costs_no_more_where_there_is_much():
    def cost(size):
        names = [f"{n:06}" for n in range(size)]
        random.Random(1).shuffle(names)
        held = SortedMap.of(dict.fromkeys(names, 1))
        return instructions(lambda: held.changed({"000100x": 2, names[7]: None}))

    assert cost(10000) < 3 * cost(1000)
