"""Endpoints that break the rules of HTTP/2, or flood: that costs them their connection, and Haystack little (RFC 9113, section 10.5)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.fakes.client import Client
from tests.fakes.h2_origin import WINDOW, Call, respond
from tests.fakes.h2_site import H2Site
from tests.fakes.origin import Origin, Script, respond_and_close
from tests.fakes.origin import respond as respond_http1
from tests.fakes.worker import Haystack, Member, host, resident, until

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, UPDATE, CONTINUATION, UNKNOWN = *range(10), 77
END_STREAM, END_HEADERS = 1, 4
OK = b"\x88"  # :status 200 by the static table (RFC 7541, appendix A)
ONE_FIELD = b"\x00\x01a\x7f" + b"\x81\x0f" + b"x" * 270  # no Huffman, not indexed


def floods() -> dict[str, tuple[int, int, int, bytes]]:
    """kind, flags, whether on the stream, payload."""
    return {
        "settings": (SETTINGS, 0, 0, b"\x00\x03\x00\x00\x00\x64"),
        "ping": (PING, 0, 0, bytes(8)),
        "priority": (PRIORITY, 0, 1, bytes(5)),
        "window": (UPDATE, 0, 0, b"\x00\x00\x00\x01"),
        "empty data": (DATA, 0, 1, b""),
        "unknown": (UNKNOWN, 0, 0, b"x" * 16000),
        "ping acks": (PING, 1, 0, bytes(8)),
        "goaway": (GOAWAY, 0, 0, b"\x7f\xff\xff\xff" + bytes(4)),
    }


@pytest.mark.parametrize("kind", floods())
def test_a_flood_ends_its_connection(h2_site: H2Site, kind: str) -> None:
    frame, flags, on_stream, payload = floods()[kind]
    headed = threading.Event()

    async def flood(call: Call) -> None:
        call.head(200)
        await call.line.drain()
        await asyncio.to_thread(headed.wait, 20)
        for _ in range(30_000):
            if call.line.transport.is_closing():
                return
            call.line.raw(frame, flags, call.request.stream if on_stream else 0, payload)
            await call.line.drain()

    name, origin = h2_site.one(flood)
    with h2_site.client(timeout=20) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: " + name.encode() + b"\r\n\r\n")
        assert client._head().status == 200
        headed.set()
        assert client.rest() == b""
    until(lambda: not origin.lines, 10, "the connection stays")
    origin.script = respond()
    assert h2_site.get(name).status == 200


@pytest.mark.parametrize("number", [5, 400])
def test_a_head_in_very_many_pieces(h2_site: H2Site, number: int) -> None:
    """CVE-2024-27316."""

    async def pieces(call: Call) -> None:
        call.line.raw(HEADERS, 0, call.request.stream, OK)
        for _ in range(number):
            call.line.raw(CONTINUATION, 0, call.request.stream, b"\x00\x01a" + b"\x01b")
        call.line.raw(CONTINUATION, END_HEADERS, call.request.stream)
        await call.data(b"ok", end=True)

    name, origin = h2_site.one(pieces)
    response = h2_site.get(name)
    assert response.status == (200 if number == 5 else 502)
    origin.script = respond()
    assert h2_site.get(name).status == 200


@pytest.mark.parametrize("size", [60_000, 80_000, 500_000])
def test_a_large_head(h2_site: H2Site, size: int) -> None:
    """It ends its stream alone."""

    async def large(call: Call) -> None:
        await call.answer(200, *((f"x-{n}", "y" * 990) for n in range(size // 1000)))

    name, origin = h2_site.one(large)
    response = h2_site.get(name)
    assert response.status == (200 if size < 65536 else 502)
    origin.script = respond()
    assert h2_site.get(name).status == 200


@pytest.mark.parametrize("field", [b"\0\0\0", b"\0\x80\x80", b"\0\1a\0"], ids=["names", "names, Huffman", "values"])
def test_fields_of_nothing(h2_site: H2Site, field: bytes) -> None:
    """CVE-2019-9516."""

    async def empty(call: Call) -> None:
        call.line.raw(HEADERS, END_HEADERS, call.request.stream, OK + field * (12_000 // len(field)))
        await call.data(b"ok", end=True)

    name, origin = h2_site.one(empty)
    assert h2_site.get(name).status == 502
    origin.script = respond()
    assert h2_site.get(name).status == 200


def test_a_large_trailer_section(h2_site: H2Site) -> None:
    async def large(call: Call) -> None:
        call.head(200)
        await call.data(b"body")
        call.trailers(*((f"x-{n}", "y" * 990) for n in range(20)))

    name, _ = h2_site.one(large)
    with h2_site.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: " + name.encode() + b"\r\n\r\n")
        assert client._head().status == 200
        assert not client.rest().endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "fields",
    [
        [(":status", "abc")],
        [(":status", "200"), ("connection", "close")],
        [(":status", "200"), ("transfer-encoding", "chunked")],
        [(":status", "200"), ("Upper", "a")],
        [(":status", "200"), ("a b", "c")],
        [(":status", "200"), ("a", "b\r\nc: d")],
        [(":status", "200"), ("a", "b\x00")],
        [(":status", "200"), ("content-length", "3"), ("content-length", "4")],
        [(":status", "200"), ("content-length", "-1")],
        [("a", "b")],
        [("a", "b"), (":status", "200")],
        [(":status", "200"), (":status", "201")],
        [(":status", "200"), (":path", "/")],
        [(":status", "101")],
    ],
    ids=str,
)
def test_a_malformed_head_is_no_response(h2_site: H2Site, fields: list[tuple[str, str]]) -> None:
    async def malformed(call: Call) -> None:
        call.line.http2.send_headers(call.request.stream, fields)
        call.line.send()
        await call.data(b"body", end=True)

    name, origin = h2_site.one(malformed)
    response = h2_site.get(name)
    assert response.status == 502
    assert "http_protocol_error" in (response.get("proxy-status") or "")
    origin.script = respond()
    assert h2_site.get(name).status == 200


@pytest.mark.parametrize("size", [1, 5])
def test_a_body_of_another_length_than_it_said(h2_site: H2Site, size: int) -> None:
    async def other(call: Call) -> None:
        call.head(200, ("content-length", "3"))
        await call.data(b"x" * size, end=True)

    name, _ = h2_site.one(other)
    assert h2_site.get(name).status == 502


def test_a_push_that_nobody_wants(h2_site: H2Site) -> None:
    async def push(call: Call) -> None:
        call.line.raw(PUSH, END_HEADERS, call.request.stream, (2).to_bytes(4, "big") + b"\x82\x84\x86")
        await call.answer()

    name, origin = h2_site.one(push)
    assert h2_site.get(name).status == 502
    origin.script = respond()
    assert h2_site.get(name).status == 200


@pytest.mark.parametrize(
    ("kind", "stream", "payload"),
    [
        (DATA, 0, b"x"),
        (HEADERS, 99, OK),
        (SETTINGS, 0, b"x"),
        (UPDATE, 0, bytes(4)),
        (UPDATE, 0, b"\x7f\xff\xff\xff"),
        (CONTINUATION, 1, b""),
        (HEADERS, 1, b"\xff\xff\xff\xff\xff"),
        (PING, 0, b"short"),
    ],
)
def test_what_no_connection_may_say(h2_site: H2Site, kind: int, stream: int, payload: bytes) -> None:
    """The connection ends; what is under way on it is answered 502 or had elsewhere, and the next request is served."""

    async def wrong(call: Call) -> None:
        call.line.raw(kind, END_HEADERS if kind == HEADERS else 0, stream, payload)

    name, origin = h2_site.one(wrong)
    assert h2_site.get(name).status == 502
    origin.script = respond()
    assert h2_site.get(name).status == 200


def test_interim_responses_without_end(h2_site: H2Site) -> None:
    async def endless(call: Call) -> None:
        for _ in range(200):
            call.head(103)

    name, _ = h2_site.one(endless)
    assert h2_site.get(name).status == 502


@contextmanager
def short(*origins: object, **labels: str) -> Iterator[Haystack]:
    members = [Member("web", origin.port, {"haystack.protocol": "h2c"} | labels) for origin in origins]  # type: ignore[attr-defined]
    with Haystack(members, HAYSTACK_CONNECT_TIMEOUT="1s") as haystack:
        yield haystack


def test_a_window_of_nothing(h2_site: H2Site) -> None:
    """The body never goes up: its time runs out."""
    _, origin = h2_site.one(settings={WINDOW: 0})
    with short(origin, **{"haystack.timeout": "1s"}) as haystack, Client(haystack.port, timeout=20) as client:
        assert client.get(host("web")).status == 200
        client.send(b"POST / HTTP/1.1\r\nHost: " + host("web").encode() + b"\r\nContent-Length: 100\r\n\r\n" + b"x" * 100)
        assert client.response().status == 504


@pytest.mark.parametrize("responds", [respond_http1, respond_and_close])
def test_an_endpoint_that_speaks_http_1(h2_site: H2Site, responds: Callable[[bytes], Script]) -> None:
    """It is told, and the request was never seen; also of one that answers and closes at once, as nginx does."""
    origin = Origin(h2_site.loop, responds(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")).start()
    try:
        with short(origin) as haystack, Client(haystack.port, timeout=20) as client:
            response = client.get(host("web"))
            assert response.status == 502
            assert "does not speak HTTP/2" in (response.get("proxy-status") or "")
    finally:
        origin.stop()


def test_an_endpoint_that_says_nothing(h2_site: H2Site) -> None:
    """Neither its SETTINGS nor an answer: requests go up nevertheless, and their time runs out as with HTTP/1."""
    _, origin = h2_site.one(mute=True)
    with short(origin, **{"haystack.timeout": "1s"}) as haystack:
        clients = [Client(haystack.port, timeout=20) for _ in range(5)]
        for client in clients:
            client.send(b"GET / HTTP/1.1\r\nHost: " + host("web").encode() + b"\r\n\r\n")
        for client in clients:
            assert client.response().status == 504
            client.socket.close()


def test_more_than_the_windows_allow_is_not_kept(h2_site: H2Site) -> None:
    async def endless(call: Call) -> None:
        call.head(200)
        for _ in range(3000):
            if call.line.transport.is_closing():
                return
            call.line.raw(DATA, 0, call.request.stream, b"x" * 16000)
            await call.line.drain()

    name, origin = h2_site.one(endless)
    worker = h2_site.haystack.workers()[0]
    before = resident(worker)
    for _ in range(10):
        with h2_site.client(small_window=True, timeout=20) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: " + name.encode() + b"\r\n\r\n")
            until(lambda: not origin.lines, 60, "the connection stays")
    assert resident(worker) - before < 30_000_000


def test_bytes_that_are_no_frames(h2_site: H2Site) -> None:
    origin = Origin(h2_site.loop, respond_http1(bytes(5) + b"\xff" * 100_000)).start()
    try:
        with short(origin) as haystack, Client(haystack.port, timeout=20) as client:
            assert client.get(host("web")).status == 502
    finally:
        origin.stop()
