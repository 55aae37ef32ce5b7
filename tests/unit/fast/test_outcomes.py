"""What a worker keeps of exchanges that went wrong though nobody follows traces: which, with what, and how many."""

from __future__ import annotations

from typing import Any, NamedTuple

from haystack.model.reports import Outcome, outcome_of
from haystack.proxy import ipc, worker_traces
from tests.fuzz.ends import End
from tests.fuzz.rig import ANSWER, Rig
from tests.fuzz.service import Manner

ONE, BOTH = 0b1, 0b11
GET = b"GET /x HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: 1.2.3.4\r\nContent-Length: 0\r\n\r\n"
FAILING = b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"
A_SECOND, BY_CLIENTS = 50, 10


class Kept(NamedTuple):
    """What a test looks at."""

    tried: int
    status: int
    error: str
    retried: str


def asked(rig: Rig, request: bytes = GET) -> tuple[End, End]:
    """A client, and the connection on which an endpoint has its request."""
    client = rig.connect()
    client.send(request)
    rig.settle()
    found = rig.endpoint()
    assert found is not None
    return client, found


def taken(rig: Rig) -> list[Outcome]:
    rows, _ = rig.worker.traces.take_outcomes()
    return [outcome_of(row, 3, lambda port: f"http:{port}") for row in rows]


def kept(rig: Rig) -> list[Kept]:
    return [Kept(len(o.candidates), o.status, o.error, o.retried) for o in taken(rig)]


def say(rig: Rig, end: End, data: bytes) -> None:
    end.send(data)
    rig.settle()


def test_one_that_went_well_leaves_nothing(rig: Rig) -> None:
    for _ in range(3):
        _, endpoint = asked(rig)
        say(rig, endpoint, ANSWER)
    assert rig.worker.traces.take_outcomes() == ([], 0)
    assert rig.worker.traces.take() == ([], 0)


def test_one_that_was_answered_elsewhere_names_both_endpoints_and_why(rig: Rig) -> None:
    client, endpoint = asked(rig)
    endpoint.half_close()
    rig.settle()
    other = rig.endpoint()
    assert other is not None
    say(rig, other, ANSWER)
    assert bytes(client.seen).startswith(b"HTTP/1.1 200 ")
    (outcome,) = taken(rig)
    assert (outcome.status, outcome.error, outcome.retried) == (200, "", "connection_terminated")
    assert len(set(outcome.candidates)) == 2
    assert outcome.endpoint == outcome.candidates[-1]
    assert (outcome.worker, outcome.listener, outcome.method, outcome.target, outcome.service) == (3, "http:80", "GET", "/x", "fuzz")
    assert outcome.total_ms >= 0
    assert (outcome.failed, outcome.moved) == (False, True)


def test_one_that_may_not_be_sent_again_names_its_endpoint_and_the_error(rig: Rig) -> None:
    _, endpoint = asked(rig, POST)
    endpoint.half_close()
    rig.settle()
    (outcome,) = taken(rig)
    assert (outcome.status, outcome.error, len(outcome.candidates)) == (502, "connection_terminated", 1)
    assert outcome.endpoint in ("", *outcome.candidates)
    assert outcome.failed


def test_an_answer_of_5xx_is_one(rig: Rig) -> None:
    _, endpoint = asked(rig)
    say(rig, endpoint, FAILING)
    assert kept(rig) == [Kept(1, 503, "", "")]


def test_an_answer_of_5xx_after_which_another_endpoint_was_asked_says_which_it_was(rig: Rig) -> None:
    rig.service.change(BOTH, Manner.RETRYING)
    _, endpoint = asked(rig)
    say(rig, endpoint, FAILING)
    other = rig.endpoint()
    assert other is not None
    say(rig, other, ANSWER)
    assert kept(rig) == [Kept(2, 200, "", "status 503")]


def test_a_client_that_waits_no_more_is_one_and_has_its_endpoint(rig: Rig) -> None:
    client, _ = asked(rig)
    rig.drop(client)
    rig.settle()
    rig.sweep()
    rig.settle()
    assert kept(rig) == [Kept(1, 0, "connection_terminated", "")]


def test_a_request_that_can_not_be_read_is_one(rig: Rig) -> None:
    say(rig, rig.connect(), b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
    assert kept(rig) == [Kept(0, 400, "http_request_error", "")]


def test_one_that_is_followed_is_a_trace_and_an_outcome(rig: Rig) -> None:
    rig.log()
    _, endpoint = asked(rig)
    say(rig, endpoint, FAILING)
    assert kept(rig) == [Kept(1, 503, "", "")]
    assert len(rig.worker.traces.take()[0]) == 1


def test_so_many_a_second_are_kept_and_the_others_counted(rig: Rig) -> None:
    """Of what strangers can cause fewer, so that these do not take the place of what is wrong with endpoints."""
    for _ in range(BY_CLIENTS + 5):
        say(rig, rig.connect(), b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
    rows, left = rig.worker.traces.take_outcomes()
    assert len(rows) + left == BY_CLIENTS + 5
    rig.service.change(ONE, Manner(0))
    for _ in range(3 * A_SECOND):
        _, endpoint = asked(rig)
        say(rig, endpoint, FAILING)
    rows, left = rig.worker.traces.take_outcomes()
    assert len(rows) + left == 3 * A_SECOND
    assert len(rows) >= A_SECOND


def test_they_go_up_in_messages_of_some_and_the_count_with_the_first(rig: Rig) -> None:
    def told() -> list[Any]:
        return list(worker_traces.messages(rig.worker.traces, 0, str))

    assert told() == []
    say(rig, rig.connect(), b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
    (message,) = told()
    assert isinstance(message, ipc.Outcomes)
    assert [outcome.status for outcome in message.outcomes] == [400]
    assert message.left == 0
    assert told() == []
