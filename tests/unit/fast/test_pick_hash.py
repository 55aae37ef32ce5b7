"""hash: the same key to the same member, a change moves its own share only, nobody is overloaded."""

from __future__ import annotations

from collections import Counter
from math import ceil

import pytest

from haystack._fast.balance.pickers import make
from haystack._fast.testing import choose, digest_of, load
from haystack._fast.util import random_numbers
from tests.fakes.members import counts, members, picked, picker

KEYS = 20_000


@pytest.fixture(autouse=True)
def repeatable():
    random_numbers.seed(20)


def owners(of, keys=KEYS):
    """The name of each key's member."""
    return [m.endpoint.key for m in picked(of, keys)]


def moved(before, after):
    return sum(a != b for a, b in zip(before, after, strict=True)) / len(before)


def test_a_key_has_one_member():
    of = picker("hash", *[100] * 10)
    assert len({choose(of, [], 7) for _ in range(50)}) == 1


def test_all_workers_agree_whatever_the_order():
    assert owners(picker("hash", *[100] * 20)) == owners(picker("hash", *[100] * 20, of=members(20)[::-1]))


def test_the_ring_is_the_same_after_a_restart():
    """Pinned: a new release that moved the keys would cost everybody their sessions and caches."""
    of = picker("hash", *[100] * 5)
    assert [of.members.index(choose(of, [], key)) for key in range(12)] == PINNED


PINNED = [2, 3, 4, 2, 2, 1, 4, 1, 3, 0, 1, 4]


@pytest.mark.parametrize("size", [2, 5, 50, 500])
def test_shares_are_equal_within_the_roughness_of_a_ring(size):
    """With 100 points each, shares vary by a tenth, and drawing the keys adds 3 %."""
    of = picker("hash", *[100] * size)
    found = counts(of, picked(of, size * 1000))
    assert max(abs(n / 1000 - 1) for n in found) < 0.48
    assert sum((n / 1000 - 1) ** 2 for n in found) / size < 0.15**2


@pytest.mark.parametrize("weights", [(100, 200), (1, 2, 3, 4), (50, 100, 65535), (1,) * 20 + (20,), (7, 3)])
def test_shares_follow_the_weights(weights):
    of = picker("hash", *weights)
    found = counts(of, picked(of, 50_000))
    for n, w in zip(found, weights, strict=True):
        share = w / sum(weights)
        assert n / 50_000 == pytest.approx(share, rel=0.45, abs=0.004)


@pytest.mark.parametrize("size", [2, 5, 50, 500, 5000])
def test_one_that_goes_moves_its_own_keys_only(size):
    of = members(size)
    before = owners(picker("hash", *[100] * size, of=of))
    gone = of[size // 2].endpoint.key
    after = owners(picker("hash", *[100] * (size - 1), of=of[: size // 2] + of[size // 2 + 1 :]))
    assert all(a == b for a, b in zip(before, after, strict=True) if a != gone)
    assert gone not in after


@pytest.mark.parametrize("size", [1, 2, 5, 50, 500])
def test_one_that_comes_takes_its_own_share_only(size):
    of = members(size + 1)
    before = owners(picker("hash", *[100] * size, of=of[:-1]))
    after = owners(picker("hash", *[100] * (size + 1), of=of))
    assert all(a == b for a, b in zip(before, after, strict=True) if b != of[-1].endpoint.key)
    assert moved(before, after) == pytest.approx(1 / (size + 1), rel=0.5)


def test_another_weight_moves_no_more_than_its_difference():
    of = members(10)
    before = owners(make("hash", of, [100] * 10))
    after = owners(make("hash", of, [100] * 9 + [150]))
    assert moved(before, after) == pytest.approx(0.5 / 10.5, rel=0.5)
    assert all(b == of[-1].endpoint.key for a, b in zip(before, after, strict=True) if a != b)


def test_without_weight_it_owns_nothing():
    of = members(5)
    assert owners(make("hash", of, [100] * 4 + [0])) == owners(make("hash", of[:4], [100] * 4))


@pytest.mark.parametrize("weights", [[100] * 5, [100, 200, 300], [100] * 50, [1000, 10, 10]])
def test_one_hot_key_overloads_nobody(weights):
    of = picker("hash", *weights)
    total = 300
    for _ in range(total):
        load(choose(of, [], 42).endpoint, 1)
    for m, w in zip(of.members, weights, strict=True):
        assert m.endpoint.in_flight <= ceil(1.25 * total * w / sum(weights))


def test_what_is_over_goes_to_one_other_member_and_comes_back():
    of = picker("hash", *[100] * 10)
    first = choose(of, [], 42)
    load(first.endpoint, 5)
    second = choose(of, [], 42)
    assert second is not first
    assert {id(choose(of, [], 42)) for _ in range(20)} == {id(second)}
    load(first.endpoint, -5)
    assert choose(of, [], 42) is first


def test_load_that_leaves_is_counted_back():
    of = picker("hash", *[100] * 3)
    before = owners(of, 500)
    for m in of.members:
        load(m.endpoint, 100)
        load(m.endpoint, -100)
    assert owners(of, 500) == before


def test_retries_of_a_key_go_the_same_way():
    of = picker("hash", *[100] * 20)
    way = []
    for _ in range(6):
        way.append(choose(of, way, 7))
    again = picker("hash", *[100] * 20)
    other = []
    for _ in range(6):
        other.append(choose(again, other, 7))
    assert [m.endpoint.key for m in way] == [m.endpoint.key for m in other]


def test_a_digest_is_the_same_everywhere_and_well_spread():
    assert [digest_of(b""), digest_of(b"a"), digest_of(b"12345678"), digest_of(b"123456789")] == DIGESTS
    texts = [f"/path/{n}".encode() for n in range(20_000)]
    assert len({digest_of(t) for t in texts}) == len(texts)
    for shift in (0, 20, 40, 58):
        found = Counter(digest_of(t) >> shift & 63 for t in texts)
        assert sum((n - 312.5) ** 2 / 312.5 for n in found.values()) / 63 < 1.6


def test_a_digest_goes_on_from_another():
    assert digest_of(b"b", digest_of(b"a")) != digest_of(b"b")
    assert digest_of(b"a\0") != digest_of(b"a")


DIGESTS = [16294208416658607535, 9127380109402988925, 12087791905157423774, 3534113810549401284]
