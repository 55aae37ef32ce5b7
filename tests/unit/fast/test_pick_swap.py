"""What a swap of the table leaves alone: turns, load, averages. Who comes is neither flooded nor starved."""

from __future__ import annotations

import gc

import pytest

from haystack._fast.balance.pickers import PICKERS
from haystack._fast.routing.router import Router
from haystack._fast.testing import choose, hear, load
from haystack._fast.util import random_numbers
from haystack.model.service_options import ServiceOptions
from haystack.proxy.worker_routes import Routes
from haystack.routing.rows import EndpointRow, ServiceRow, Table
from tests.fakes.members import counts, member, members, picked, picker


@pytest.fixture(autouse=True)
def repeatable():
    random_numbers.seed(20)


@pytest.fixture(params=PICKERS)
def balance(request):
    return request.param


@pytest.mark.parametrize("balance", ["roundrobin", "leastconn"])
@pytest.mark.parametrize("size", [5, 50])
def test_turns_go_on_across_swaps(balance, size):
    """However often the table changes, the members that stay are served in the same order and none is served twice in a round."""
    of = picker(balance, *[100] * size)
    expected = picked(of, size)
    for extra in range(100, 110):
        chosen = []
        for start in range(size):
            of = picker(balance, *[100] * size, *[0] * (start % 2), of=[*expected, *members(start % 2, extra)], old=of)
            chosen.append(choose(of, []))
        assert counts(of, chosen)[:size] == [1] * size
        assert chosen == expected


@pytest.mark.parametrize("balance", ["roundrobin", "leastconn", "p2c", "ewma"])
def test_quiet_members_that_come_get_their_share_at_once_and_no_more(balance):
    old = picker(balance, *[100] * 10)
    for m in picked(old, 1000):
        hear(old, m, 0.01)
    new = picker(balance, *[100] * 12, of=[*old.members, *members(2, 10)], old=old)
    chosen = []
    for _ in range(1200):
        chosen.append(choose(new, []))
        hear(new, chosen[-1], 0.01)
    first, all_of = counts(new, chosen[:120]), counts(new, chosen)
    assert max(first[10:]) <= 30
    assert min(all_of) > 60
    assert max(all_of) < 140


def test_leastconn_fills_a_new_one_to_the_load_of_the_others_and_no_further():
    old = picker("leastconn", *[100] * 4)
    for m in old.members:
        load(m.endpoint, 10)
    new = picker("leastconn", *[100] * 5, of=[*old.members, member(9)], old=old)
    for _ in range(25):
        load(choose(new, []).endpoint, 1)
    assert [m.endpoint.in_flight for m in new.members] == [13] * 5


@pytest.mark.parametrize("balance", ["roundrobin", "leastconn"])
def test_a_heavier_weight_counts_from_now_on(balance):
    old = picker(balance, 100, 100, 100)
    picked(old, 1001)
    new = picker(balance, 100, 100, 400, of=old.members, old=old)
    found = counts(new, picked(new, 600))
    assert found == pytest.approx([100, 100, 400], abs=4)


@pytest.mark.parametrize("balance", ["roundrobin", "leastconn"])
def test_who_comes_back_has_saved_up_no_turns(balance):
    of = members(3)
    one = picker(balance, 100, 100, 100, of=of)
    picked(one, 30)
    two = picker(balance, 100, 100, 0, of=of, old=one)
    picked(two, 300)
    three = picker(balance, 100, 100, 100, of=of, old=two)
    assert counts(three, picked(three, 30)) == pytest.approx([10] * 3, abs=1)


@pytest.mark.parametrize("balance", ["leastconn", "hash"])
def test_load_of_before_the_swap_is_seen_and_leaves(balance):
    old = picker(balance, *[100] * 3)
    for m in old.members:
        load(m.endpoint, 7)
    new = picker(balance, *[100] * 4, of=[*old.members, member(9)], old=old)
    load(old.members[1].endpoint, -7)
    assert [m.endpoint.in_flight for m in new.members] == [7, 0, 7, 0]
    assert {new.members.index(choose(new, [], key)) for key in range(50)} == {1, 3}
    assert choose(old, [], 1) in old.members


def test_pickers_and_cells_may_go_in_any_order(balance):
    of = members(5)
    endpoints = [m.endpoint for m in of]
    pickers = [picker(balance, *[100] * n, of=of[:n]) for n in range(1, 6)]
    del of
    for number in (2, 0, 3):
        pickers[number] = None
        gc.collect()
        for endpoint in endpoints:
            load(endpoint, 1)
            load(endpoint, -1)
    endpoints.clear()
    pickers.clear()
    gc.collect()


def test_the_workers_routes_hand_the_picker_on():
    router = Router()
    routes = Routes((80, 8080), router)
    a, b, c = (EndpointRow(f"{n}:80/tcp", f"10.0.0.{n}", 80, 100) for n in (1, 2, 3))

    def shown(*endpoints, balance="roundrobin", host="web"):
        row = ServiceRow("web", (host,), ServiceOptions(balance=balance, timeout=1.0), (endpoints,))
        routes.apply(Table(1, (row,)))
        return [router.lookup(listener, host.encode(), b"/").picker for listener in (0, 1)]

    first, alt = shown(a, b)
    assert shown(a, b, host="www") == [first, alt]
    last = choose(first, [])
    changed, _ = shown(a, b, c)
    assert changed is not first
    assert choose(changed, []) is not last
    assert type(shown(a, balance="hash:path")[0]) is PICKERS["hash"]
