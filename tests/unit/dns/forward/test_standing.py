"""When a nameserver is skipped, for how long, and who is asked instead, by itself."""

import pytest

from haystack.dns.forward.nameservers import Nameserver
from haystack.dns.forward.standing import Failure, Standing, Standings, order
from haystack.dns.forward.times import TIMES


@pytest.fixture
def two():
    return Standings().of([Nameserver("192.0.2.1"), Nameserver("192.0.2.2")])


def test_one_lost_datagram_is_no_silence(two):
    two[0].silent(10.0, 1, 11.0)
    assert two[0].skipped_since is None


def test_who_has_answered_others_since_is_not_silent(two):
    two[0].heard(10.5, None)
    two[0].silent(10.0, 3, 11.0)
    assert two[0].skipped_since is None


def test_the_silent_one_is_last_until_it_is_heard(two):
    first, second = two
    first.silent(10.0, 2, 11.0)
    assert order(two, 11.0) == ([second, first], None)
    first.heard(20.0, None)
    assert order(two, 20.0) == ([first, second], None)


def test_it_is_asked_beside_once_a_while_and_less_and_less_often(two):
    first, _ = two
    first.silent(10.0, 2, 11.0)
    now, waits = 11.0, []
    for _ in range(9):
        since = now
        while order(two, now).probed is None:
            now += 0.25
        assert order(two, now).probed is None  # one question at a time
        waits.append(now - since)
        first.missed(now)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert first.skipped_since == 11.0


def test_what_was_long_ago_counts_no_more(two):
    first, _ = two
    for at in (10.0, 20.0, 30.0):
        first.failed(Failure.UNREACHABLE, at)
        first.heard(at + 5, None)
    first.heard(30.0 + TIMES.calm + 1, None)
    first.failed(Failure.UNREACHABLE, 200.0)
    assert order(two, 201.0).probed is first


@pytest.mark.parametrize("failure", Failure)
def test_only_who_is_not_there_or_speaks_no_dns_is_skipped_at_once(two, failure):
    two[0].failed(failure, 10.0)
    assert (two[0].skipped_since is not None) == (failure in (Failure.UNREACHABLE, Failure.LYING, Failure.GARBLED))
    assert two[0].failures == {failure: 1}


def test_where_all_are_skipped_the_order_is_as_configured(two):
    for each in two:
        each.failed(Failure.UNREACHABLE, 10.0)
    assert order(two, 100.0) == (two, None)


def test_the_round_trip_time_is_smoothed():
    one = Standing(Nameserver("192.0.2.1"))
    one.heard(1.0, 0.08)
    one.heard(2.0, 0.16)
    one.heard(3.0, None)
    assert one.rtt == pytest.approx(0.09)


def test_what_it_can_not_do_is_remembered_for_an_hour():
    one = Standing(Nameserver("192.0.2.1"))
    one.learn(10.0, plain=True, caseless=False)
    one.learn(2000.0, plain=True, caseless=True)
    assert (one.plain(3609.0), one.plain(3610.0), one.caseless(3610.0)) == (True, False, True)


def test_a_nameserver_is_the_same_whatever_it_is_asked_for():
    standings = Standings()
    server = Nameserver("192.0.2.1")
    assert standings.of([server]) == standings.of([server])
