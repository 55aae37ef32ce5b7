"""How often a request is sent that may be what kills, or silences, whoever reads it: once more (RFC 9110, section 9.2.2)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.client import Client
from tests.fakes.load import Load
from tests.fakes.origin import Call, Loop, Origin, Script, close_after, never, reset, respond, respond_and_close
from tests.fakes.waiting import origins as origins_of
from tests.fakes.worker import Haystack, Member, host, until

KINDS = ("FIN", "RST", "half a head", "half an answer", "pooled FIN", "pooled RST", "error, then FIN", "races", "silent")
EIGHT = 8


def quiet(script: Script, word: str = "/kill") -> Script:
    """Answers well, but for one target, for which it does this."""

    async def chosen(call: Call) -> None:
        await (script if word in call.request.line else respond())(call)

    return chosen


DEATHS = {
    "FIN": respond_and_close(),
    "RST": reset(),
    "half a head": respond_and_close(b"HTTP/1.1 200 OK\r\nConte"),
    "half an answer": respond_and_close(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal"),
}


@pytest.fixture(scope="module")
def origins(fakes: Loop) -> Iterator[dict[str, list[Origin]]]:
    made = {name: [Origin(fakes, respond()).start() for _ in range(EIGHT)] for name in KINDS}
    yield made
    for origin in (o for eight in made.values() for o in eight):
        origin.stop()


@pytest.fixture(scope="module")
def haystack(origins: dict[str, list[Origin]]) -> Iterator[Haystack]:
    members = [Member(slug(name), origin.port) for name in KINDS for origin in origins[name]]
    with Haystack(members, HAYSTACK_TIMEOUT="4s") as made:
        yield made


def slug(name: str) -> str:
    return name.lower().replace(" ", "-").replace(",", "")


def sent(eight: list[Origin]) -> int:
    """How often any of them had the request that kills."""
    return sum("/kill" in each.line for origin in eight for each in origin.requests)


@pytest.mark.parametrize("name", DEATHS)
def test_a_request_that_kills_whoever_reads_it_is_read_by_two(haystack: Haystack, origins: dict[str, list[Origin]], name: str) -> None:
    for origin in origins[name]:
        origin.script = quiet(DEATHS[name])
    with Client(haystack.port) as client:
        answer = client.get(host(slug(name)), "/kill")
        assert answer.status == 502
        assert "was retried before" in (answer.get("proxy-status") or "")
    assert sent(origins[name]) == 2


@pytest.mark.parametrize(("name", "death"), [("pooled FIN", respond_and_close()), ("pooled RST", reset())])
def test_on_connections_that_were_pooled_too(haystack: Haystack, origins: dict[str, list[Origin]], name: str, death: Script) -> None:
    """An old connection that ends behind a request that was read is no old connection that had been closed."""
    for origin in origins[name]:
        origin.script = quiet(death)
    with Client(haystack.port) as client:
        for _ in range(3 * EIGHT):
            assert client.get(host(slug(name))).status == 200
        assert client.get(host(slug(name)), "/kill").status == 502
    assert sent(origins[name]) == 2


def test_an_error_counts_as_seen(haystack: Haystack, origins: dict[str, list[Origin]]) -> None:
    """One answers 503, the next one dies of it: enough."""
    name = "error, then FIN"

    async def error_or_death(call: Call) -> None:
        if sent(origins[name]) == 1:
            await respond(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno")(call)
        else:
            call.keep = False

    for origin in origins[name]:
        origin.script = quiet(error_or_death)
    with Client(haystack.port) as client:
        assert client.get(host(slug(name)), "/kill").status == 502
    assert sent(origins[name]) == 2


def test_one_that_nobody_answers_hangs_two(haystack: Haystack, origins: dict[str, list[Origin]]) -> None:
    """An endpoint that has read it answers nobody any more. What else waits there is moved, and so is this one: once."""
    name = "silent"
    for origin in origins[name]:
        origin.script = stuck_by("/kill")
    with Load().http(haystack.port, host(name), b"ok", keep=8, new=0) as load, Client(haystack.port, timeout=15) as client:
        load.go_on()
        assert client.get(host(name), "/kill").status == 504
    assert sent(origins[name]) == 2


def stuck_by(word: str) -> Script:
    """Answers well, until it has read this target."""
    stuck = False

    async def script(call: Call) -> None:
        nonlocal stuck
        stuck = stuck or word in call.request.line
        await (never() if stuck else respond())(call)

    return script


def test_where_all_others_go_as_well_it_was_not_what_killed_them(fakes: Loop) -> None:
    """An engine that ends takes all its containers along: who was lost with two of them waits for what comes back."""
    with origins_of(fakes, *[respond_and_close()] * 3) as three:
        members = [Member("web", each.port) for each in three]
        with Haystack(members) as haystack, Client(haystack.port, timeout=10) as client:
            client.send(f"GET /kill HTTP/1.1\r\nHost: {host('web')}\r\n\r\n".encode())
            until(lambda: sent(three) == 2, 9, "it was not repeated")
            haystack.show([])
            until(lambda: not haystack.serving("web"), 9, "the endpoints did not go")
            for each in three:
                each.script = respond()
            haystack.show(members)
            assert client.response().status == 200
        assert sent(three) == 3


def test_connections_that_end_before_they_take_anything_cost_no_repetition(haystack: Haystack, origins: dict[str, list[Origin]]) -> None:
    """RFC 9112, section 9.3.1: nobody saw it: however many of them there are."""
    name = "races"
    for origin in origins[name]:
        origin.script = close_after(1)
    with Client(haystack.port) as client:
        for _ in range(20 * EIGHT):
            assert client.get(host(name)).status == 200
