"""A client that sends no more may have gone, or may still read: the one frees its endpoint soon, the other gets every byte."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import OK, Call, Loop, Origin, Script, inform, never, respond
from tests.fakes.waiting import pause
from tests.fakes.worker import Haystack, Member, host, until

ONE = {"haystack.max_connections": "1"}
SOON = 5.0  # seconds: a third of that on a quiet machine
NAMES = ("stream", "poll", "queue", "length", "old", "reader", "late", "interim", "error", "refused", "quick", "other")
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = STREAM + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def origins(fakes: Loop) -> Iterator[dict[str, Origin]]:
    made = {name: Origin(fakes, respond()).start() for name in NAMES}
    yield made
    for origin in made.values():
        origin.stop()


@pytest.fixture(scope="module")
def haystack(origins: dict[str, Origin]) -> Iterator[Haystack]:
    labels = {"error": ONE | {"haystack.timeout": "4s"}}
    with Haystack([Member(name, origin.port, labels.get(name, ONE)) for name, origin in origins.items()]) as made:
        yield made


def get(name: str, target: str, version: str = "1.1") -> bytes:
    return f"GET {target} HTTP/{version}\r\nHost: {host(name)}\r\n\r\n".encode()


def once(script: Script) -> Script:
    """This for /wait, and a good answer for all else."""

    async def chosen(call: Call) -> None:
        await (script if "/wait" in call.request.line else respond())(call)

    return chosen


def begins(*parts: bytes) -> Script:
    """Send these, and nothing more."""

    async def script(call: Call) -> None:
        for part in parts:
            await call.send(part)
        await never()(call)

    return script


GONE = {
    "stream": (begins(CHUNKED, b"5\r\nhello\r\n"), "1.1"),
    "poll": (never(), "1.1"),
    "length": (begins(STREAM + b"Content-Length: 100000\r\n\r\n", b"hello"), "1.1"),
    "old": (begins(CHUNKED, b"5\r\nhello\r\n"), "1.0"),
}


@pytest.mark.parametrize("name", GONE)
def test_one_that_has_gone_leaves_its_place_to_others(haystack: Haystack, origins: dict[str, Origin], name: str) -> None:
    """Each of these services answers one request at a time, so the second one shows that the first is over."""
    script, version = GONE[name]
    origins[name].script = once(script)
    with Client(haystack.port) as client:
        client.send(get(name, "/wait", version))
        until(lambda: origins[name].requests, SOON, "the endpoint was not asked")
        if name != "poll":
            while b"hello" not in client.buffer:
                client.buffer += client.socket.recv(65536)
    with Client(haystack.port, timeout=10) as other:
        assert other.get(host(name), "/next").body == b"ok"
    until(lambda: origins[name].open <= 1, SOON, "its connection to the endpoint is still there")


def test_one_that_has_gone_while_it_waited_for_room_is_never_sent_on(haystack: Haystack, origins: dict[str, Origin]) -> None:
    go_on = asyncio.Event()

    async def waits(call: Call) -> None:
        await go_on.wait()
        await call.send(OK)

    async def tell() -> None:
        go_on.set()

    origin = origins["queue"]
    origin.script = once(waits)
    with ExitStack() as stack:
        first, leaves = (stack.enter_context(Client(haystack.port, timeout=10)) for _ in range(2))
        first.send(get("queue", "/wait"))
        until(lambda: origin.requests, SOON, "the endpoint was not asked")
        leaves.send(get("queue", "/gone"))
        with Client(haystack.port) as other:
            assert other.get("nowhere.services.haystack").status == 404
        leaves.socket.close()
        pause(2.5)
        origin.loop.run(tell())
        assert first.response().body == b"ok"
        assert first.get(host("queue"), "/next").body == b"ok"
    assert [each.line.split()[1] for each in origin.requests] == ["/wait", "/next"]


def test_one_that_reads_on_gets_every_event_however_far_apart(haystack: Haystack, origins: dict[str, Origin]) -> None:
    """RFC 9112, section 7.1: what it is tried with are zeros before a chunk's size, the last one's too."""

    async def events(call: Call) -> None:
        await call.send(CHUNKED)
        for _ in range(2):
            await call.send(b"5\r\nhello\r\n")
            await asyncio.sleep(2.5)
        await call.send(b"0\r\n\r\n")

    origins["reader"].script = events
    with Client(haystack.port, timeout=10) as client:
        client.send(get("reader", "/")).half_close()
        wire = client.rest()
    _, _, body = wire.partition(b"\r\n\r\n")
    assert re.fullmatch(rb"5\r\nhello\r\n0+5\r\nhello\r\n00+\r\n\r\n", body)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_one_that_reads_on_gets_its_late_answer_as_if_nothing_had_been_sent_before(
    haystack: Haystack, origins: dict[str, Origin], version: str
) -> None:
    """RFC 9112, section 4: what it is tried with are the bytes with which every answer begins."""

    async def late(call: Call) -> None:
        await asyncio.sleep(2.5)
        await call.send(OK)

    origins["late"].script = late
    with Client(haystack.port, timeout=10) as client:
        client.send(get("late", "/", version)).half_close()
        assert client.take(2) == b"HT"
        wire = client.rest()
    assert wire.startswith(b"TP/1.1 200 OK\r\n")
    assert wire.endswith(b"\r\n\r\nok")


def test_an_interim_answer_is_the_next_one_then(haystack: Haystack, origins: dict[str, Origin]) -> None:
    async def late(call: Call) -> None:
        await asyncio.sleep(1.5)
        await inform(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")(call)

    origins["interim"].script = late
    with Client(haystack.port, timeout=10) as client:
        answer = client.send(get("interim", "/")).half_close().response()
    assert ([each.status for each in answer.interim], answer.status, answer.body) == ([103], 200, b"ok")


def test_an_answer_of_haystacks_own_too(haystack: Haystack, origins: dict[str, Origin]) -> None:
    origins["error"].script = never()
    with Client(haystack.port, timeout=10) as client:
        answer = client.send(get("error", "/")).half_close().response()
    assert (answer.version, answer.status, answer.complete) == ("HTTP/1.1", 504, True)


@pytest.mark.parametrize("body", [b"zz\r\n", b"0\r\nbad trailer\r\n\r\n"], ids=["chunk", "trailer"])
def test_and_one_that_takes_the_place_of_an_answer_whose_body_is_refused_at_once(
    haystack: Haystack, origins: dict[str, Origin], body: bytes
) -> None:
    """The head that was made for the refused one lacked what had been sent before; that of Haystack's own answer has to lack it too."""

    async def late(call: Call) -> None:
        await asyncio.sleep(1.5)
        await call.send(CHUNKED + body)

    origins["refused"].script = late
    with Client(haystack.port, timeout=10) as client:
        answer = client.send(get("refused", "/")).half_close().response()
    assert (answer.version, answer.status, answer.complete) == ("HTTP/1.1", 502, True)


def test_one_that_has_more_to_send_is_not_tried(haystack: Haystack, origins: dict[str, Origin]) -> None:
    """Who has not ended its side tells of its end by itself, when that comes."""

    async def late(call: Call) -> None:
        await asyncio.sleep(2.5)
        await call.send(OK)

    origins["quick"].script = late
    with Client(haystack.port, timeout=10) as client:
        client.send(get("quick", "/"))
        assert client.take(8) == b"HTTP/1.1"
        assert b"\r\n\r\nok" in bytes(client.buffer)
