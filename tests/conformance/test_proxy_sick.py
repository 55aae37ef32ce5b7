"""Endpoints that are there and do not work: silent, or answering with errors. What their clients notice, and what slow ones suffer.

The rules: docs/decisions/0004-sick-endpoints.md and docs/health.md. Each service has four origins; most tests ask it without pause.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.fakes.client import Client, Response
from tests.fakes.load import Load
from tests.fakes.origin import OK, Call, Loop, Origin, Script, held, inform, never, respond
from tests.fakes.worker import Haystack, Member, host, until

SOON = 3.0  # seconds: a third of that on a quiet machine
LABELS = {
    "stuck": {}, "posts": {"haystack.timeout": "3s"}, "slow": {}, "report": {}, "polls": {}, "half": {}, "last": {}, "stalled": {},
    "failing": {}, "all": {}, "off": {"haystack.retry": "off"}, "some": {"haystack.retry": "503"}, "hint": {}, "idle": {}, "page": {},
    "exempt": {"haystack.eject": "off", "haystack.retry": "off"},
    "sticky": {"haystack.sticky": "who"},
}  # fmt: skip


@dataclass
class Ward:
    """A Haystack before services of four origins each; each service is for one test."""

    haystack: Haystack
    origins: dict[str, list[Origin]]

    def client(self, timeout: float = 10) -> Client:
        return Client(self.haystack.port, timeout)

    def turn(self, name: str, *scripts: Script) -> list[Origin]:
        """Have the service's first origins do as told, and the others answer well."""
        for number, origin in enumerate(self.origins[name]):
            origin.script = scripts[number] if number < len(scripts) else respond()
        return self.origins[name]

    def load(self, name: str, connections: int = 8) -> Load:
        return Load().http(self.haystack.port, host(name), b"ok", keep=connections, new=0)

    def ejections(self, name: str) -> list[str]:
        """Why endpoints of this service were ejected."""
        return [line["reason"] for line in self.haystack.lines if line.get("event") == "endpoint.ejected" and line["service"] == host(name)]


@pytest.fixture(scope="module")
def ward(fakes: Loop) -> Iterator[Ward]:
    origins = {name: [Origin(fakes, respond()).start() for _ in range(4)] for name in LABELS}
    with Haystack([Member(name, origin.port, LABELS[name]) for name in LABELS for origin in origins[name]]) as haystack:
        yield Ward(haystack, origins)
    for origin in (o for four in origins.values() for o in four):
        origin.stop()


def slow(seconds: float) -> Script:
    async def script(call: Call) -> None:
        await call.body()
        await asyncio.sleep(seconds)
        await call.send(OK)

    return script


def quick_but(seconds: float, target: str) -> Script:
    """Answers at once, but for one target."""

    async def script(call: Call) -> None:
        await (slow(seconds) if target in call.request.line else respond())(call)

    return script


def asked_for(origins: list[Origin], target: str) -> int:
    """How often any of them was asked for that target."""
    return sum(each.line.split()[1] == target for origin in origins for each in origin.requests)


def test_one_that_never_answers_delays_few_requests_for_less_than_a_second(ward: Ward) -> None:
    """No GET fails, what hangs there is answered by others, and it is out with a reason that says so."""
    with ward.load("stuck") as load:
        load.go_on()
        stuck = ward.turn("stuck", never())[0]
        before = len(stuck.requests)
        until(lambda: ward.ejections("stuck"), SOON, "it was not ejected")
        load.go_on(50)
    assert load.wrong == []
    assert load.slowest < SOON
    assert len(stuck.requests) - before <= 8 + 2, "the clients there were, and the trials"
    (reason,) = ward.ejections("stuck")
    assert reason.startswith("silent: no answer for 0.")
    assert reason.endswith((" request", " requests"))


def test_one_that_stood_still_before_is_no_excuse_for_another(ward: Ward) -> None:
    """One answer that took two seconds is not what is usual, even when it is the last thing that happened."""
    with ward.load("stalled") as load, ward.client() as client:
        load.go_on()
        ward.turn("stalled", *[quick_but(2.0, "/stall")] * 4)
        assert client.get(host("stalled"), "/stall").status == 200
        ward.turn("stalled", never())
        until(lambda: ward.ejections("stalled"), SOON, "it was not ejected")
        load.go_on(50)
    assert load.wrong == []
    assert load.slowest < SOON


def test_one_that_answers_again_is_found_by_one_request_at_a_time(ward: Ward) -> None:
    """After its time it gets a trial, not its share of the traffic; and its share when that was answered."""
    with ward.load("last") as load:
        load.go_on()
        stuck = ward.turn("last", never())[0]
        until(lambda: len(ward.ejections("last")) == 1, SOON, "it was not ejected")
        out = len(stuck.requests)
        until(lambda: len(ward.ejections("last")) == 2, 5 + SOON, "it was not ejected again")
        assert len(stuck.requests) - out <= 2
        ward.turn("last")
        until(lambda: len(stuck.requests) > out + 50, 10 + SOON, "it did not come back")
    assert load.wrong == []
    assert load.slowest < SOON


def test_a_post_is_sent_to_a_silent_endpoint_once_and_to_no_other(ward: Ward) -> None:
    """RFC 9110, section 9.2.2: whether it was processed can't be known, so it has its time and is answered 504."""
    answers: list[Response] = []

    def post(number: int) -> None:
        with ward.client() as client:
            answers.append(client.get(host("posts"), f"/post{number}", b"Content-Length: 0\r\n", "POST"))

    with ward.load("posts", 4) as load:
        load.go_on()
        origins = ward.turn("posts", never())
        threads = [threading.Thread(target=post, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        # where POSTs alone have met it, nothing speaks against it before their time is over, after 3 s
        until(lambda: ward.ejections("posts"), 10, "it was not ejected")
        for thread in threads:
            thread.join(10)
    assert load.wrong == []
    assert [asked_for(origins, f"/post{number}") for number in range(8)] == [1] * 8
    assert sorted({answer.status for answer in answers} - {200, 504}) == []


def test_a_service_that_is_slow_everywhere_keeps_all_its_endpoints(ward: Ward) -> None:
    """The others are the yardstick: where all take their time, nobody is doubted and nothing is sent twice."""
    origins = ward.turn("slow", *[slow(0.6)] * 4)
    with ExitStack() as stack:
        clients = [stack.enter_context(ward.client()) for _ in range(6)]
        for turn in range(4):
            for number, client in enumerate(clients):
                client.send(f"GET /{turn}.{number} HTTP/1.1\r\nHost: {host('slow')}\r\n\r\n".encode())
            assert [client.response().status for client in clients] == [200] * 6
    assert [asked_for(origins, f"/{turn}.{number}") for turn in range(4) for number in range(6)] == [1] * 24
    assert ward.ejections("slow") == []


def test_a_slow_report_among_quick_requests_is_made_once(ward: Ward) -> None:
    """An endpoint that answers others meanwhile is not silent, and is sent a quick request to see whether it does."""

    origins = ward.turn("report", *[quick_but(1.5, "/report")] * 4)
    with ward.load("report", 1) as load, ward.client() as client:
        load.go_on()
        assert [client.get(host("report"), f"/report{number}").status for number in range(3)] == [200] * 3
    assert [asked_for(origins, f"/report{number}") for number in range(3)] == [1] * 3
    assert ward.ejections("report") == []
    assert load.wrong == []


def test_long_polling_is_left_alone(ward: Ward) -> None:
    """Requests that wait everywhere speak against nobody, whoever answers something else meanwhile."""
    gate = threading.Event()

    async def script(call: Call) -> None:
        await (held(gate) if "/poll" in call.request.line else respond())(call)

    origins = ward.turn("polls", *[script] * 4)
    with ExitStack() as stack:
        polls = [stack.enter_context(ward.client()) for _ in range(8)]
        for number, client in enumerate(polls):
            client.send(f"GET /poll{number} HTTP/1.1\r\nHost: {host('polls')}\r\n\r\n".encode())
        with ward.load("polls", 2) as load:
            end = time.monotonic() + 1.5
            until(lambda: time.monotonic() > end, 3, "time stands still")
        gate.set()
        assert [client.response().status for client in polls] == [200] * 8
    assert [asked_for(origins, f"/poll{number}") for number in range(8)] == [1] * 8
    assert load.wrong == []
    assert ward.ejections("polls") == []


def test_half_of_a_service_may_be_silent_at_once(ward: Ward) -> None:
    """Two of four: both are out, and the other two answer for them."""
    with ward.load("half", 12) as load:
        load.go_on()
        ward.turn("half", never(), never())
        until(lambda: len(ward.ejections("half")) == 2, 2 * SOON, "two were not ejected")
        load.go_on(20)
    assert load.wrong == []
    assert load.slowest < 2 * SOON


def test_a_cookie_does_not_hold_a_client_at_a_silent_endpoint(ward: Ward) -> None:
    """haystack.sticky is a preference: who is silent is left, and the client is told of another."""
    with ward.load("sticky", 6) as load, ward.client() as client:
        load.go_on()
        first = client.get(host("sticky"))
        cookie = (first.get("set-cookie") or "").split(";")[0].encode()
        (home,) = [o for o in ward.origins["sticky"] if len(o.requests) and o is _served(ward, client, cookie)]
        home.script = never()
        until(lambda: ward.ejections("sticky"), SOON, "it was not ejected")
        began = time.monotonic()
        moved = client.get(host("sticky"), extra=b"Cookie: " + cookie + b"\r\n")
        assert (moved.status, moved.get("set-cookie") is not None) == (200, True)
        assert time.monotonic() - began < SOON
    assert load.wrong == []


def _served(ward: Ward, client: Client, cookie: bytes) -> Origin:
    """The origin that this cookie leads to."""
    assert client.get(host("sticky"), "/mine", b"Cookie: " + cookie + b"\r\n").status == 200
    return next(o for o in ward.origins["sticky"] if any(each.line.split()[1] == "/mine" for each in o.requests))


def error(status: int) -> Script:
    return respond(b"HTTP/1.1 %d No\r\nContent-Length: 4\r\nX-Own: yes\r\n\r\nmine" % status)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_request_that_only_reads_asks_another_endpoint_after_an_error(ward: Ward, status: int, method: str) -> None:
    """RFC 9110, section 9.2.1: nobody sees the error of one endpoint while the others work."""
    origins = ward.turn("failing", error(status))
    with ward.client() as client:
        for number in range(12):
            response = client.get(host("failing"), f"/{method}{status}.{number}", method=method)
            assert response.status == 200
    assert all(asked_for(origins, f"/{method}{status}.{number}") in (1, 2) for number in range(12))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_any_other_request_has_had_its_answer(ward: Ward, method: str) -> None:
    """An error is an answer: the endpoint acted, and a second attempt would be told something else (DELETE: 404)."""
    origins = ward.turn("all", *[error(503)] * 4)
    with ward.client() as client:
        response = client.get(host("all"), f"/{method}", b"Content-Length: 0\r\n", method)
    assert (response.status, response.body, response.get("proxy-status")) == (503, b"mine", None)
    assert asked_for(origins, f"/{method}") == 1


def test_an_error_of_all_is_the_services_own_answer_and_soon_asked_for_once(ward: Ward) -> None:
    """It goes down as it is; and while all have just failed, a second one is not asked."""
    origins = ward.turn("all", *[error(500)] * 4)
    with ward.client() as client:
        for number in range(40):
            response = client.get(host("all"), f"/bad{number}")
            assert (response.status, response.body, response.get("x-own"), response.get("proxy-status")) == (500, b"mine", "yes", None)
    counts = [asked_for(origins, f"/bad{number}") for number in range(40)]
    assert max(counts) <= 2
    assert sum(counts) < 60


@pytest.mark.parametrize(("name", "status", "most"), [("off", 500, 1), ("off", 503, 1), ("some", 500, 1), ("some", 503, 2)])
def test_the_label_says_which(ward: Ward, name: str, status: int, most: int) -> None:
    """haystack.retry: off, or statuses."""
    origins = ward.turn(name, *[error(status)] * 4)
    with ward.client() as client:
        # those that failed for another case's sake are asked again first
        until(lambda: client.get(host(name), "/").status == status, SOON, "never")
        ward.turn(name)
        assert {client.get(host(name), "/").status for _ in range(12)} == {200}
        ward.turn(name, *[error(status)] * 4)
        client.get(host(name), f"/{status}")
    assert asked_for(origins, f"/{status}") == most


def test_who_fails_at_once_is_not_preferred_for_being_idle(ward: Ward) -> None:
    """POSTs see each error: those in flight and a few more, until five in a row have it ejected; p2c alone would send it most of them."""
    failed = 0
    ward.turn("idle", error(500))
    with ExitStack() as stack:
        clients = [stack.enter_context(ward.client()) for _ in range(8)]
        while not ward.ejections("idle"):
            for client in clients:
                client.send(f"POST / HTTP/1.1\r\nHost: {host('idle')}\r\nContent-Length: 0\r\n\r\n".encode())
            failed += sum(client.response().status == 500 for client in clients)
    assert 5 <= failed <= 8 + 8


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_page_that_fails_everywhere_has_nobody_ejected(ward: Ward, method: str) -> None:
    """Five errors of one URL in a row ejected an endpoint, and then the next one."""
    ward.turn("page", *[error(500)] * 4)
    with ward.client() as client:
        for _ in range(60):
            assert client.get(host("page"), "/bad", b"Content-Length: 0\r\n", method).status == 500
        ward.turn("page")
        assert {client.get(host("page"), "/").status for _ in range(12)} == {200}
    assert ward.haystack.serving("page") == 4
    assert ward.ejections("page") == []


def test_a_label_exempts_an_endpoint_from_ejection(ward: Ward) -> None:
    """haystack.eject=off: its errors go to its clients."""
    ward.turn("exempt", error(500))
    failed = 0
    with ward.client() as client:
        while failed < 12:  # it is asked less often after each, for a moment: the load goes on until it has failed often enough
            failed += client.get(host("exempt"), "/").status == 500
    assert (ward.ejections("exempt"), ward.haystack.serving("exempt")) == ([], 4)


@pytest.mark.parametrize("status", [408, 421, 429, 501, 505])
def test_other_errors_are_answers(ward: Ward, status: int) -> None:
    """They speak of the request, not of the endpoint."""
    origins = ward.turn("hint", *[error(status)] * 4)
    with ward.client() as client:
        assert client.get(host("hint"), f"/{status}").status == status
    assert asked_for(origins, f"/{status}") == 1


def test_an_answer_that_has_begun_with_a_hint_is_not_begun_again(ward: Ward) -> None:
    """RFC 9110, section 15.2: an interim response went down, and it was this endpoint's."""
    failing = inform(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n", final=b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
    origins = ward.turn("hint", *[failing] * 4)
    with ward.client() as client:
        response = client.get(host("hint"), "/hint")
    assert (response.status, len(response.interim)) == (503, 1)
    assert asked_for(origins, "/hint") == 1
