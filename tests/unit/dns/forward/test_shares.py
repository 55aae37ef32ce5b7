"""Shares and turns, by themselves."""

from hypothesis import given
from hypothesis import strategies as st

from haystack.dns.forward.shares import Queue, Shares, client_of


def taken(shares, client, tries=1000):
    return sum(shares.take(client) for _ in range(tries))


def test_one_client_has_half_and_the_next_a_part_of_what_is_left():
    shares = Shares(100)
    assert [taken(shares, client) for client in "abc"] == [50, 25, 13]


def test_what_is_given_back_is_free():
    shares = Shares(10)
    assert taken(shares, "a") == 5
    for _ in range(5):
        shares.give("a")
    assert (shares.used, taken(shares, "b")) == (0, 5)


def test_a_single_place_can_be_had():
    shares = Shares(1)
    assert shares.take("a")
    assert not shares.take("b")


@given(places=st.integers(1, 200), clients=st.lists(st.sampled_from("abcdefgh"), max_size=400))
def test_whoever_has_nothing_gets_a_place_while_one_is_free_and_none_is_counted_twice(places, clients):
    shares, held = Shares(places), []
    for client in clients:
        free = places - shares.used
        if shares.take(client):
            held.append(client)
        else:
            assert held.count(client) >= free
    assert shares.used == len(held) <= places
    for client in held:
        shares.give(client)
    assert (shares.used, dict(shares._by)) == (0, {})


def drained(queue, may=lambda _client: True):
    found = []
    while turn := queue.next(may):
        queue.remove(turn[1], [turn[0]])
        found.append(turn)
    return found


def test_lines_take_turns():
    queue = Queue()
    for n in range(3):
        queue.put("a", f"a{n}")
    queue.put("b", "b0")
    queue.put("c", "c0")
    assert [item for _, item in drained(queue)] == ["a0", "b0", "c0", "a1", "a2"]


def test_a_client_that_may_not_is_passed_over_and_keeps_its_line():
    queue = Queue()
    queue.put("a", 1)
    queue.put("b", 2)
    assert drained(queue, lambda client: client != "a") == [("b", 2)]
    assert drained(queue) == [("a", 1)]


def test_an_item_in_two_lines_leaves_both():
    queue = Queue()
    queue.put("a", 1)
    queue.put("a", 2)
    queue.put("b", 2)
    queue.remove(2, ["a", "b", "c"])
    assert drained(queue) == [("a", 1)]
    assert queue.next(lambda _client: True) is None


def test_an_address_counts_for_its_client():
    assert client_of("192.0.2.1") == client_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert client_of("2001:db8::1") == client_of("2001:db8::ffff:2") != client_of("2001:db8:0:1::1")
    assert client_of("fe80::1%eth0") == client_of("fe80::2%eth1")
    assert client_of("") == ""
