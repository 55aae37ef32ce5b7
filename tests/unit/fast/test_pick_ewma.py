"""ewma: goes by answers, fades, and asks again who was not heard of for long."""

from __future__ import annotations

import pytest

from haystack._fast.testing import choose, hear, load, pass_time
from haystack._fast.util import random_numbers
from tests.fakes.members import counts, picker


@pytest.fixture(autouse=True)
def repeatable():
    random_numbers.seed(20)


def heard(*seconds, weights=None):
    """A picker whose members answered after so long, a moment ago."""
    of = picker("ewma", *(weights or [100] * len(seconds)))
    for m, s in zip(of.members, seconds, strict=True):
        hear(of, m, s)
    return of


def serve(of, rounds, seconds, apart=0.01):
    """So many requests, one after the other, each answered after its member's time. Who got them."""
    chosen = []
    for _ in range(rounds):
        m = choose(of, [])
        hear(of, m, seconds[of.members.index(m)])
        chosen.append(m)
        pass_time(apart)
    return counts(of, chosen)


def test_it_wants_to_hear_answers():
    assert picker("ewma", 1, 1).timed
    assert not picker("p2c", 1, 1).timed


def test_the_quicker_of_two_gets_the_requests():
    assert serve(heard(0.1, 0.01), 200, (0.1, 0.01), apart=0)[1] == 200


def test_of_many_the_slowest_gets_nothing_but_a_look_now_and_then():
    times = (0.5, *[0.01] * 9)
    found = serve(heard(*times), 6000, times)
    assert 1 <= found[0] <= 7
    assert min(found[1:]) > 400


def test_times_that_differ_by_noise_are_equal():
    assert serve(heard(0.010, 0.011, weights=(300, 100)), 400, (0.010, 0.011)) == pytest.approx([300, 100], abs=40)


def test_load_counts_as_much_as_time():
    of = heard(0.010, 0.035)
    load(of.members[0].endpoint, 1)
    assert choose(of, []) is of.members[0]
    load(of.members[0].endpoint, 4)
    assert choose(of, []) is of.members[1]


def test_load_counts_over_weight():
    of = heard(0.01, 0.01, weights=(300, 100))
    for _ in range(400):
        load(choose(of, []).endpoint, 1)
    assert [m.endpoint.in_flight for m in of.members] == pytest.approx([300, 100], rel=0.25)


def test_a_slow_answer_counts_at_once():
    of = heard(0.01, 0.02)
    assert choose(of, []) is of.members[0]
    hear(of, of.members[0], 5)
    assert of.members[0].endpoint.latency == 5e9
    assert choose(of, []) is of.members[1]


def test_quick_answers_count_as_time_passes():
    of = heard(1.0, 1.0)
    endpoint = of.members[0].endpoint
    hear(of, of.members[0], 0.1)
    assert endpoint.latency > 0.99e9
    for _ in range(100):
        pass_time(0.5)
        hear(of, of.members[0], 0.1)
    assert endpoint.latency < 0.12e9


def test_who_has_failed_is_left_alone_and_then_asked_again():
    of = heard(0.01, 0.5)
    hear(of, of.members[0], -1)
    assert serve(of, 10, (0.01, 0.5), apart=0) == [0, 10]
    pass_time(11)
    assert serve(of, 100, (0.01, 0.5))[0] > 90


def test_a_new_one_is_asked_once_until_it_answers():
    of = heard(0.01, 0.01)
    new = picker("ewma", 100, 100, 100, of=[*of.members, *picker("ewma", 1).members], old=of)
    found = counts(new, [choose(new, []) for _ in range(300)])
    assert found[2] == 1
    hear(new, new.members[2], 0.01)
    assert serve(new, 300, [0.01] * 3) == pytest.approx([100] * 3, abs=25)


def test_one_that_never_answers_is_asked_once_a_second():
    of = picker("ewma", 100, 100)
    hear(of, of.members[0], 0.01)
    found = 0
    for _ in range(100):
        m = choose(of, [])
        if m is of.members[0]:
            hear(of, m, 0.01)
        else:
            found += 1
        pass_time(0.1)
    assert 8 <= found <= 11


def test_a_slow_one_that_has_become_quick_gets_its_share_again():
    times = [0.5, 0.01, 0.01]
    of = heard(*times)
    assert serve(of, 100, times)[0] == 0
    times[0] = 0.01
    serve(of, 6000, times)
    assert serve(of, 300, times)[0] > 60


def test_a_quiet_service_goes_around():
    of = heard(0.01, 0.5)
    chosen = []
    for _ in range(20):
        pass_time(30)
        chosen.append(choose(of, []))
        hear(of, chosen[-1], 0.01)
    assert counts(of, chosen) == [10, 10]


def test_what_was_heard_outlives_the_picker():
    of = heard(0.5, 0.01)
    new = picker("ewma", 100, 101, of=of.members, old=of)
    assert new is not of
    assert serve(new, 50, (0.5, 0.01), apart=0)[1] == 50
