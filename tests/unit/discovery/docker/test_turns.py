"""Whose turn it is to be looked at, by a clock that the test sets."""

import pytest

from haystack.discovery.docker.turns import DOUBTED, MOST, SLOW, TOGETHER, Turns


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def turns(clock):
    return Turns(1.0, 180.0, clock)


def begun(turns):
    """All that may be asked about now."""
    return list(iter(turns.next, None))


def failed(turns, identity):
    """It could not be looked at."""
    (look,) = [look for look in begun(turns) if look.identity == identity]
    turns.landed(look, seen=False)


def test_so_many_are_asked_about_at_once_and_those_of_events_come_first(turns):
    turns.want_all(f"l{n}" for n in range(9))
    turns.want("e")
    first = begun(turns)
    assert [look.identity for look in first] == ["e", *(f"l{n}" for n in range(TOGETHER - 1))]
    turns.landed(first[2], seen=True)
    assert [look.identity for look in begun(turns)] == [f"l{TOGETHER - 1}"]


def test_one_that_hangs_holds_nobody_up_for_longer_than_a_slow_answer_takes(turns, clock):
    for number in range(MOST - 1):
        turns.want(f"h{number}")
    waits = []
    while len(begun(turns)) == TOGETHER:
        waits.append(turns.wake() - clock.now)
        clock.now = turns.wake()
    turns.want("new")
    assert [look.identity for look in begun(turns)] == ["new"]
    assert sum(waits) <= SLOW * (MOST // TOGETHER)


def test_no_more_than_so_many_hang_at_once(turns, clock):
    for number in range(MOST + 5):
        turns.want(f"h{number}")
    begun_at_all = 0
    for _ in range(20):
        begun_at_all += len(begun(turns))
        clock.now += SLOW
    assert begun_at_all == MOST
    assert turns.wake() == float("inf"), "an answer comes first"


def test_those_that_could_not_be_looked_at_have_a_lane_of_their_own(turns, clock):
    for number in range(6):
        turns.want(f"h{number}")
        failed(turns, f"h{number}")
    clock.now += 1.0
    assert len(begun(turns)) == DOUBTED
    for number in range(TOGETHER):
        turns.want(f"n{number}")
    assert [look.identity for look in begun(turns)] == [f"n{number}" for number in range(TOGETHER)]


def test_one_that_can_not_be_looked_at_is_looked_at_less_and_less_often(turns, clock):
    turns.want("h")
    failed(turns, "h")
    waits = []
    for _ in range(9):
        waits.append(turns.wake() - clock.now)
        clock.now = turns.wake()
        failed(turns, "h")
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 180]


def test_an_event_about_it_in_between_makes_no_new_beginning(turns, clock):
    turns.want("h")
    failed(turns, "h")
    turns.want("h")
    look = turns.next()
    assert look.doubted
    turns.want("h")
    turns.landed(look, seen=False)
    (again,) = begun(turns)
    turns.landed(again, seen=False)
    assert turns.wake() == clock.now + 4.0


def test_what_was_asked_before_it_ended_does_not_count(turns):
    turns.want("a")
    look = turns.next()
    turns.forget("a")
    assert turns.landed(look, seen=True) is False
    assert turns.next() is None


def test_one_that_ends_and_starts_while_it_is_asked_about_is_asked_about_again(turns):
    turns.want("a")
    look = turns.next()
    turns.forget("a")
    turns.want("a", 7.0)
    assert turns.landed(look, seen=True) is False
    again = turns.next()
    assert (again.identity, again.told) == ("a", 7.0)
    assert turns.landed(again, seen=True) is True


def test_an_answer_that_may_be_older_than_a_change_waits_for_the_next_one(turns):
    turns.want("a")
    look = turns.next()
    turns.outdate("a")
    assert turns.landed(look, seen=True) is False
    assert turns.landed(turns.next(), seen=True) is True
    turns.outdate("a")
    assert turns.next() is None, "nothing was being asked"


def test_an_event_makes_nobody_wait_for_another_answer(turns):
    """It is asked once more, but what comes now is newer than what was known."""
    turns.want("a")
    look = turns.next()
    turns.want("a")
    assert turns.landed(look, seen=True) is True
    assert turns.next().identity == "a"


def test_a_list_has_been_looked_at_once_all_of_it_has_been_or_can_not_be(turns):
    turns.want("h")
    failed(turns, "h")
    turns.want_all(["a", "b", "c", "h"])
    looks = {look.identity: look for look in begun(turns)}
    assert set(looks) == {"a", "b", "c"}
    turns.landed(looks["a"], seen=True)
    turns.landed(looks["b"], seen=False)
    assert not turns.round_over
    turns.forget("c")
    assert turns.round_over
