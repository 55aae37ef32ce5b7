"""Who is in: each standing by itself, and what becomes of it beside the others."""

import pytest
from msgspec.structs import replace

from haystack.health import policy
from haystack.health.policy import Condition
from haystack.loop.turns import at_once
from haystack.model.records import Container, Options

WAITS = Condition(waiting="port 80 does not accept")
DISTRUSTED = Condition(waiting="port 443 has a certificate that is not accepted: self-signed certificate")
BROKEN = Condition(waiting="port 80 does not accept", overdue=True)
FAILS = Condition(failing="probe: 503 from /up")


def judge(members):
    return at_once(policy.judge(members))


def ejected(at=1.0):
    return Condition(ejected="5 resets in a row", ejected_at=at, until=9.0)


def member(condition=None, policy=None, **fields):
    container = Container(id="1" * 64, name="one", engine="e", options=Options(health_policy=policy), **fields)
    return container, condition or Condition()


def ready(*members):
    return [v.ready for v in judge(members)]


WELL = member()


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (member(state="stopping", state_reason="kill SIGTERM"), "draining: kill SIGTERM"),
        (member(state="paused", state_reason="paused"), "paused"),
        (member(state="absent", state_reason="scaled to zero"), "scaled to zero"),
        (member(state="awaited", state_reason="its task is preparing"), "waiting: its task is preparing"),
        (member(lost="its node n3 does not answer"), "its node n3 does not answer"),
        (member(WAITS), "waiting: port 80 does not accept yet"),
        (member(DISTRUSTED), "waiting: port 443 has a certificate that is not accepted: self-signed certificate"),
        (member(BROKEN), "port 80 does not accept"),
        (member(FAILS), "probe: 503 from /up"),
        (member(health="starting"), "health starting"),
        (member(health="unhealthy"), "health unhealthy"),
        (member(ejected()), "ejected: 5 resets in a row"),
    ],
)
def test_out_while_another_is_well_and_why(odd, reason):
    out, well = judge([odd, WELL])
    assert (out.ready, out.reason, out.awaited, well.ready) == (False, reason, False, True)


def test_what_nothing_leads_to_is_out_even_alone_and_whatever_its_health():
    far = Condition(unreachable="port 80 does not answer: no way")
    for members in ([member(far)], [member(far, health="healthy"), member(state="paused")], [member(far), member(WAITS)]):
        verdict = judge(members)[0]
        assert (verdict.ready, verdict.reason, verdict.awaited, verdict.unreachable) == (False, far.unreachable, False, True)
    out, well = judge([member(far), WELL])
    assert (out.ready, out.unreachable, well.ready) == (False, False, True)
    assert ready(member(far), member(BROKEN)) == [False, True]


def test_an_ejected_one_tells_until_when():
    assert judge([member(ejected()), WELL])[0].until == 9.0


@pytest.mark.parametrize("odd", [member(BROKEN), member(FAILS), member(health="unhealthy"), member(ejected())])
def test_checks_never_put_out_the_last_one_and_that_shows(odd):
    alone, gone = judge([odd, member(state="paused")])
    assert (alone.ready, alone.panic, gone.ready) == (True, True, False)
    assert "but still in" in alone.reason


def test_one_that_starts_alone_is_in_without_alarm():
    (verdict,) = judge([member(health="starting")])
    assert (verdict.ready, verdict.panic) == (True, False)


@pytest.mark.parametrize("gone", [member(state="stopping"), member(state="paused"), member(FAILS, "require")])
def test_some_are_out_even_if_nobody_is_left(gone):
    (verdict,) = judge([gone])
    assert (verdict.ready, verdict.awaited) == (False, False)


def test_what_does_not_accept_yet_is_awaited_where_nobody_else_is_in():
    assert [(v.ready, v.awaited) for v in judge([member(WAITS), member(state="stopping")])] == [(False, True), (False, False)]
    assert [(v.ready, v.awaited) for v in judge([member(WAITS), member(health="unhealthy")])] == [(False, False), (True, False)]


def test_in_a_panic_the_better_ones_are_in():
    assert ready(member(BROKEN), member(FAILS), member(health="starting")) == [False, True, True]
    assert ready(member(BROKEN), member(BROKEN)) == [True, True]
    assert ready(member(BROKEN), member(WAITS)) == [False, False]


def test_require_and_ignore():
    assert ready(member(policy="require", health="starting")) == [False]
    assert ready(member(policy="ignore", health="unhealthy"), WELL) == [True, True]
    assert ready(member(FAILS, "ignore"), WELL) == [False, True]


def test_good_health_is_as_good_as_an_accepting_port_unless_it_is_ignored():
    assert ready(member(WAITS, health="healthy")) == [True]
    assert ready(member(WAITS, "ignore", health="healthy")) == [False]


def test_a_refusal_counts_more_than_the_good_health_of_before():
    assert ready(member(replace(WAITS, lost=True), health="healthy"), WELL) == [False, True]


@pytest.mark.parametrize(("of", "out"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)])
def test_no_more_than_half_are_ejected_and_the_first_ones_stay_out(of, out):
    verdicts = judge([member(ejected(at=-n)) for n in range(of)])
    assert [v.ready for v in verdicts] == [True] * (of - out) + [False] * out
    assert all(v.panic for v in verdicts[: of - out])


def test_half_is_that_of_those_that_could_be_in():
    assert ready(member(ejected(1)), member(ejected(2)), WELL, member(state="paused"), member(FAILS)) == [False, True, True, False, False]


def test_nobody_is_judged():
    assert judge([]) == []


def test_who_is_on_a_node_that_does_not_answer_is_in_where_nobody_else_is():
    lost = member(lost="its node n3 does not answer")
    assert ready(lost, lost) == [True, True]
    assert ready(lost, WELL) == [False, True]
    assert ready(lost, member(BROKEN)) == [True, False]
    assert ready(member(lost="its node n3 does not answer", policy="require"), member(WAITS)) == [True, False]


def test_requests_wait_for_the_first_task_of_a_service_and_for_none_where_none_is_to_come():
    (awaited,) = judge([member(state="awaited", state_reason="its task is preparing")])
    (absent,) = judge([member(state="absent", state_reason="scaled to zero")])
    assert (awaited.ready, awaited.awaited) == (False, True)
    assert (absent.ready, absent.awaited) == (False, False)
