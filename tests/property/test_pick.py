"""Whatever the weights, the load, the tries and the changes: a pick is a member that was not tried, one with weight while there is one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from haystack._fast.balance.pickers import PICKERS, make
from haystack._fast.testing import choose, hear, load, pass_time
from haystack._fast.util import random_numbers
from tests.fakes.members import members

WEIGHT = st.one_of(st.just(0), st.just(100), st.integers(1, 65535))
STEP = st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 9), st.integers(-1, 3), st.sampled_from([0.0, 0.5, 20.0]))


def check(of, weights, tried, member):
    left = [m for m in of if m not in tried]
    heavy = [m for m, w in zip(of, weights, strict=True) if w and m not in tried]
    if not left or len(tried) >= 8:
        assert member is None
    else:
        assert member in (heavy or left)


@settings(max_examples=300)
@given(st.sampled_from(sorted(PICKERS)), st.lists(WEIGHT, max_size=30), st.lists(STEP, max_size=20), st.integers(0, 2**64 - 1))
def test_a_pick_is_the_best_of_what_is_left(balance, weights, steps, seed):
    random_numbers.seed(seed)
    of = members(len(weights))
    picker = make(balance, of, weights)
    for key, tries, by, seconds in steps:
        tried = []
        for _ in range(tries):
            member = choose(picker, tried, key)
            check(of, weights, tried, member)
            if member is None:
                break
            tried.append(member)
        pass_time(seconds)
        for member in tried:
            load(member.endpoint, max(by, -member.endpoint.in_flight))
            hear(picker, member, by)


@settings(max_examples=100)
@given(
    st.sampled_from(sorted(PICKERS)),
    st.lists(st.lists(WEIGHT, min_size=12, max_size=12), min_size=1, max_size=8),
    st.integers(0, 2**64 - 1),
)
def test_so_it_is_after_every_change_of_the_table(balance, tables, seed):
    random_numbers.seed(seed)
    everybody = members(12)
    picker = None
    for weights in tables:
        of = [m for m, w in zip(everybody, weights, strict=True) if w != 1]
        kept = [w for w in weights if w != 1]
        picker = make(balance, of, kept, picker)
        tried = []
        for key in range(9):
            member = choose(picker, tried, key)
            check(of, kept, tried, member)
            if member is None:
                break
            load(member.endpoint, 1)
            tried.append(member)
        for member in tried[::2]:
            load(member.endpoint, -1)


@settings(max_examples=100)
@given(st.sampled_from(["roundrobin", "leastconn"]), st.lists(st.integers(1, 1000), min_size=2, max_size=20), st.integers(0, 2**64 - 1))
def test_turns_are_never_off_by_more_than_a_round(balance, weights, seed):
    """In any stretch of virtual time each has its turns but for one at most, so the count is off by 1 and its share of the others' ones."""
    random_numbers.seed(seed)
    picker = make(balance, members(len(weights)), weights)
    found = dict.fromkeys(map(id, picker.members), 0)
    for number in range(1, 400):
        found[id(choose(picker, []))] += 1
        for member, weight in zip(picker.members, weights, strict=True):
            share = weight / sum(weights)
            assert abs(found[id(member)] - number * share) <= 1 + share * len(weights) + 0.01


@settings(max_examples=100)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20), st.lists(st.tuples(st.integers(0, 19), st.integers(-3, 5)), max_size=60))
def test_leastconn_is_never_wrong_about_the_least(weights, changes):
    of = members(len(weights))
    picker = make("leastconn", of, weights)
    for number, by in changes:
        endpoint = of[number % len(of)].endpoint
        load(endpoint, max(by, -endpoint.in_flight))
        least = min(m.endpoint.in_flight / w for m, w in zip(of, weights, strict=True))
        member = choose(picker, [])
        assert member.endpoint.in_flight / weights[of.index(member)] - least < 1e-5
