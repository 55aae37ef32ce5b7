"""Which endpoint a request is sent to next. Times in milliseconds."""

from collections import Counter

import pytest

from haystack._fast.endpoint.endpoint import Route
from haystack._fast.exchange.testing import Attempt, Reports, judge_member, state_of
from haystack._fast.testing import load
from haystack.model.service_options import ServiceOptions
from tests.fakes.members import members, picker

NOW = 10_000


def service(count, balance="roundrobin", retry=()):
    """A route with so many members, and these."""
    of = members(count)
    return Route("web", picker(balance, *[100] * count, of=of), ServiceOptions(timeout=60.0, retry=retry)), of


def fail(route, member, now=NOW):
    Reports().fault(member, route.queue, "error", now)


def silence(route, member, others, now=NOW):
    """Make it silent: five requests wait there for a second, and the others answer. Gives those that wait."""
    stuck = [Attempt(route) for _ in range(5)]
    for attempt in stuck:
        assert attempt.next(now, member) is member
    answer(route, others, now + 1000)
    for attempt in stuck:
        attempt.waits()
    judge_member(member, route.queue, now + 1001)
    assert state_of(member.endpoint)["phase"] == "silent"
    return stuck


def answer(route, of, now):
    for member in of:
        attempt = Attempt(route)
        attempt.next(now - 1, member)
        attempt.answered(now)


def test_each_is_tried_once_and_then_there_is_none():
    route, of = service(3)
    attempt = Attempt(route)
    tried = []
    while (member := attempt.next(NOW)) is not None:
        tried.append(member)
        attempt.leave()
    assert sorted(m.endpoint.key for m in tried) == sorted(m.endpoint.key for m in of)
    assert not attempt.found_all_full


def test_no_more_than_eight_are_tried():
    route, _ = service(20)
    attempt = Attempt(route)
    for left in range(8, 0, -1):
        assert attempt.has_others, left
        assert attempt.next(NOW) is not None
        attempt.leave()
    assert not attempt.has_others
    assert attempt.next(NOW) is None


def test_the_clients_own_endpoint_comes_first():
    route, of = service(5)
    assert [Attempt(route).next(NOW, of[3]) for _ in range(5)] == [of[3]] * 5


def test_the_clients_own_endpoint_does_not_come_first_once_it_has_gone():
    route, of = service(3)
    of[1].endpoint.retire(True)
    assert {Attempt(route).next(NOW, of[1]) for _ in range(3)} == set(of)  # the picker's, whose table is the old one


def test_the_clients_own_endpoint_does_not_come_first_while_it_is_full():
    route, of = service(3)
    of[1].endpoint.hold(route, 1)
    load(of[1].endpoint, 1)
    assert {Attempt(route).next(NOW, of[1]) for _ in range(6)} == {of[0], of[2]}


def test_a_full_one_is_passed_over_and_may_be_tried_after_the_next_failure():
    route, of = service(2)
    of[0].endpoint.hold(route, 1)
    load(of[0].endpoint, 1)
    attempt = Attempt(route)
    assert attempt.next(NOW) is of[1]
    attempt.leave()
    load(of[0].endpoint, -1)
    assert attempt.next(NOW) is of[0]


def test_where_all_are_full_it_says_so():
    route, of = service(3)
    for member in of:
        member.endpoint.hold(route, 1)
        load(member.endpoint, 1)
    attempt = Attempt(route)
    assert attempt.next(NOW) is None
    assert attempt.found_all_full


def test_what_one_fails_at_goes_to_whoever_has_room():
    """The picker names one that is full: that the request stayed with the error would be for want of looking."""
    route, of = service(50, "random", retry=(503,))
    attempt = Attempt(route)
    failing = attempt.next(NOW)
    *full, free = [member for member in of if member is not failing]
    for member in full:
        member.endpoint.hold(route, 1)
        load(member.endpoint, 1)
    assert attempt.failed(NOW, 503)
    assert attempt.member is free


@pytest.mark.parametrize("balance", ["random", "roundrobin"])
@pytest.mark.parametrize("trouble", ["has just failed", "keeps requests waiting"])
def test_what_one_fails_at_goes_to_one_without_trouble_where_others_have_room_too(balance, trouble):
    """Not to the one that stands first, and the request does not stay with the error for that."""
    route, of = service(50, balance, retry=(503,))
    attempt = Attempt(route)
    failing = attempt.next(NOW)
    troubled, *full, free = [member for member in of if member is not failing]
    if trouble == "has just failed":
        fail(route, troubled)
    else:
        waiting = Attempt(route)
        waiting.next(NOW, troubled)
        waiting.waits()
    for member in full:
        member.endpoint.hold(route, 1)
        load(member.endpoint, 1)
    assert attempt.failed(NOW + 1, 503)
    assert attempt.member is free


def test_what_fails_at_once_does_not_all_go_to_the_same_one():
    route, of = service(50, "random", retry=(503,))
    free = of[::5]
    for member in set(of[2:]) - set(free):
        member.endpoint.hold(route, 1)
        load(member.endpoint, 1)
    gone_to = Counter()
    for _ in range(200):
        attempt = Attempt(route)
        attempt.next(NOW, of[1])
        assert attempt.failed(NOW, 503)
        gone_to[attempt.member] += 1
        attempt.leave()
    assert set(gone_to) == set(free)
    assert max(gone_to.values()) < 60  # of 20 on average


def test_what_one_fails_at_stays_its_answer_where_nobody_has_room():
    route, of = service(4, retry=(503,))
    attempt = Attempt(route)
    failing = attempt.next(NOW)
    for member in of:
        if member is not failing:
            member.endpoint.hold(route, 1)
            load(member.endpoint, 1)
    assert not attempt.failed(NOW, 503)


@pytest.mark.parametrize("balance", ["p2c", "random", "roundrobin", "leastconn"])
def test_where_most_are_full_a_request_goes_to_one_that_has_room_and_is_well(balance):
    """An endpoint that fails at once always has room. Without this rule it would get every request that full endpoints can't take."""
    route, of = service(50, balance)
    failing, *full, free = of
    fail(route, failing)
    for member in full:
        member.endpoint.hold(route, 1)
        load(member.endpoint, 1)
    for _ in range(200):
        attempt = Attempt(route)
        assert attempt.next(NOW) is free
        attempt.leave()
    free.endpoint.hold(route, 1)
    load(free.endpoint, 1)
    assert Attempt(route).next(NOW) is failing, "rather than wait for room"


def test_one_that_failed_before_it_waits_for_room_waits_no_longer_than_others():
    """As in a worker: a turn in vain prolongs nothing."""
    route, of = service(2)
    attempt = Attempt(route, woken=lambda _attempt: None)
    attempt.next(NOW)
    assert attempt.broke(NOW, unseen=True) == "again"
    for member in of:
        member.endpoint.hold(route, 1)
        load(member.endpoint, 1)
    for now, decision in ((NOW, "join"), (NOW + 500, "join first"), (NOW + 900, "join first")):
        assert (attempt.look_again(now) if attempt.in_queue else attempt.next(now)) is None
        assert attempt.join(now, 1000, 10) == decision
        assert attempt.until == NOW + 1000
        attempt.wake_next()


def test_one_with_room_is_found_among_many_that_are_full():
    """The picker looks at a few only."""
    route, of = service(50, "random")
    for member in of[:-1]:
        member.endpoint.hold(route, 1)
        load(member.endpoint, 1)
    assert Attempt(route).next(NOW) is of[-1]


def test_one_that_has_just_failed_is_avoided_for_a_moment():
    route, of = service(2)
    fail(route, of[0])
    assert {Attempt(route).next(NOW + 49) for _ in range(4)} == {of[1]}
    assert {Attempt(route).next(NOW + 50) for _ in range(4)} == set(of)


def test_where_the_second_choice_has_just_failed_too_the_first_is_asked():
    """So many fail that avoiding all of them would bury the others."""
    route, of = service(3, "random")
    for member in of[:2]:
        fail(route, member)
    assert {Attempt(route).next(NOW + 1) for _ in range(300)} == set(of)


def test_the_first_request_after_the_pause_is_the_probe_of_a_silent_one():
    route, of = service(3)
    stuck = silence(route, of[0], of[1:])
    due = state_of(of[0].endpoint)["next_probe"]
    assert of[0] not in {Attempt(route).next(due - 1) for _ in range(6)}
    for attempt in stuck:
        attempt.leave()
    judge_member(of[0], route.queue, due)
    assert Attempt(route).next(due) is of[0]
    assert of[0] not in {Attempt(route).next(due) for _ in range(6)}
    assert state_of(of[0].endpoint)["probes"] == 1


def test_a_request_that_can_not_be_repeated_is_a_probe_only_where_no_other_has_come_for_five_seconds():
    route, of = service(3)
    silence(route, of[0], of[1:])
    due = state_of(of[0].endpoint)["next_probe"]
    judge_member(of[0], route.queue, due)
    assert of[0] not in {Attempt(route, idempotent=False).next(due + 4999) for _ in range(6)}
    assert Attempt(route, idempotent=False).next(due + 5000) is of[0]


def test_what_waits_at_a_silent_one_moves_to_one_that_answers_once():
    route, of = service(3)
    first, *_ = silence(route, of[0], of[1:])
    assert first.move(NOW + 1002)
    assert first.member in of[1:]
    assert first.repeats == 1
    assert not first.move(NOW + 1003)


def test_it_moves_to_one_that_keeps_nobody_waiting_and_has_not_just_failed():
    route, of = service(4)
    stuck = silence(route, of[0], of[1:])
    late = Attempt(route)
    late.next(NOW + 1000, of[1])
    late.waits()
    fail(route, of[2], NOW + 1001)
    assert all(attempt.move(NOW + 1002) for attempt in stuck)
    assert {attempt.member for attempt in stuck} == {of[3]}


def test_nothing_moves_where_all_others_have_just_failed():
    route, of = service(3)
    stuck = silence(route, of[0], of[1:])
    for member in of[1:]:
        fail(route, member, NOW + 1001)
    assert not any(attempt.move(NOW + 1002) for attempt in stuck)
    assert all(attempt.move(NOW + 1060) for attempt in stuck)


def test_a_request_in_flight_keeps_the_route_of_a_service_that_has_left():
    """Its time limit and its log line are those of the service, not of nobody's."""
    route, _ = service(2)
    attempt = Attempt(route)
    attempt.next(NOW)
    route.end()
    assert attempt.broke(NOW + 1, False) == "again"
    assert attempt.route is route
