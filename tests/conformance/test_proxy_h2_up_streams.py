"""Endpoints that speak HTTP/2: few connections, many streams on each, and what was not processed is sent again (RFC 9113, 8.7)."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from tests.fakes.client import Response
from tests.fakes.h2_origin import LIMIT, Call, Request, held, respond
from tests.fakes.h2_site import H2Site, at_once
from tests.fakes.worker import until

REFUSED, CANCEL, CALM, WANTS_1_1 = 7, 8, 11, 13


async def slow(call: Call) -> None:
    await asyncio.sleep(0.03)
    await call.answer()


def get_all(site: H2Site, name: str, number: int, each: int = 1) -> list[Response]:
    def one(_: int) -> list[Response]:
        with site.client(timeout=20) as client:
            return [client.get(name) for _ in range(each)]

    return [response for some in at_once(number, one) for response in some]


def test_requests_at_once_share_the_first_connection(h2_site: H2Site) -> None:
    """Though none is there yet when the first of them come."""
    name, origin = h2_site.one(slow)
    assert {response.status for response in get_all(h2_site, name, 40)} == {200}
    assert origin.connections == 1
    assert origin.most > 10


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_no_more_streams_than_the_endpoint_allows(h2_site: H2Site, limit: int) -> None:
    """Then further connections are made, and no request fails."""
    name, origin = h2_site.one(slow, settings={LIMIT: limit})
    assert {response.status for response in get_all(h2_site, name, 20, 3)} == {200}
    assert origin.errors == []
    assert not [request for request in origin.requests if request.reset is not None]
    assert 2 <= origin.connections <= 20 // limit + 4


def test_a_further_connection_at_a_hundred_streams(h2_site: H2Site) -> None:
    gate = threading.Event()
    name, origin = h2_site.one(slow)
    h2_site.get(name)
    origin.script = held(gate, b"x" * 10)
    clients = [h2_site.client(timeout=20) for _ in range(110)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: " + name.encode() + b"\r\n\r\n")
    until(lambda: len(origin.requests) == 111, 10, "some requests do not arrive")
    assert origin.connections == 2
    gate.set()
    for client in clients:
        assert client.response().status == 200
        client.socket.close()


def test_an_endpoint_that_allows_no_stream(h2_site: H2Site) -> None:
    name, origin = h2_site.one(slow, settings={LIMIT: 0})
    statuses = {response.status for response in get_all(h2_site, name, 5)}
    assert statuses <= {200, 502}
    assert origin.connections <= 20


def test_goaway_between_requests(h2_site: H2Site) -> None:
    name, origin = h2_site.one()
    for number in range(1, 4):
        assert h2_site.get(name).status == 200
        assert origin.connections == number
        origin.goaway()
        until(lambda: not origin.lines, 9, "the connection stays")


def test_goaway_leaves_what_is_under_way_alone(h2_site: H2Site) -> None:
    gate = threading.Event()
    name, origin = h2_site.one(held(gate, b"x" * 10))
    with h2_site.client(timeout=20) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: " + name.encode() + b"\r\n\r\n")
        until(lambda: origin.requests, 9, "no request")
        origin.goaway()
        origin.script = respond()
        assert h2_site.get(name).status == 200
        assert origin.connections == 2
        gate.set()
        assert client.response().body == b"x" * 10
    until(lambda: len(origin.lines) == 1, 9, "the connection that goes stays")


def test_requests_that_a_goaway_leaves_out_are_sent_again(h2_site: H2Site) -> None:
    """Whatever their method: they were not processed."""

    async def script(call: Call) -> None:
        if call.request.connection == 1 and call.request.stream > 1:
            call.line.raw(7, 0, 0, (1).to_bytes(4, "big") + (0).to_bytes(4, "big"))
            return
        await call.answer(body=b"%d" % call.request.connection)

    name, origin = h2_site.one(script)
    assert h2_site.get(name).body == b"1"
    with h2_site.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: " + name.encode() + b"\r\nContent-Length: 3\r\n\r\nabc")
        assert client.response().body == b"2"
    assert origin.requests[-1].body == b"abc"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refused_stream_is_sent_elsewhere(h2_site: H2Site, method: str) -> None:
    async def refuse(call: Call) -> None:
        call.reset(REFUSED)

    name, origins = h2_site.pair(refuse, respond())
    for _ in range(4):
        assert h2_site.get(name, method=method, extra=b"Content-Length: 0\r\n").status == 200
    assert origins[1].requests


def test_a_stream_that_is_always_refused_is_not_sent_for_ever(h2_site: H2Site) -> None:
    async def refuse(call: Call) -> None:
        call.reset(REFUSED)

    name, origin = h2_site.one(refuse)
    assert h2_site.get(name).status == 502
    assert len(origin.requests) < 10


def test_an_endpoint_that_always_goes_away_is_not_asked_for_ever(h2_site: H2Site) -> None:
    async def leave(call: Call) -> None:
        call.line.raw(7, 0, 0, bytes(8))

    name, origin = h2_site.one(leave)
    assert h2_site.get(name).status == 502
    assert len(origin.requests) < 10
    assert origin.connections < 10


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 502)])
def test_a_stream_that_is_reset_before_its_answer(h2_site: H2Site, method: str, status: int) -> None:
    """The endpoint may have acted on it: only what is idempotent is sent again."""

    async def once(call: Call) -> None:
        requests.append(call.request)
        if len(requests) == 1:
            call.reset(CANCEL)
        else:
            await call.answer()

    requests: list[Request] = []
    name, _ = h2_site.pair(once, once)
    response = h2_site.get(name, method=method, extra=b"Content-Length: 0\r\n")
    assert response.status == status
    assert len(requests) == (2 if status == 200 else 1)


def test_an_endpoint_that_wants_http_1(h2_site: H2Site) -> None:
    async def wants(call: Call) -> None:
        call.reset(WANTS_1_1)

    name, origin = h2_site.one(wants)
    response = h2_site.get(name)
    assert response.status == 502
    assert "HTTP/1.1" in (response.get("proxy-status") or "")
    assert len(origin.requests) == 1


@pytest.mark.parametrize("length", [True, False])
def test_a_stream_that_is_reset_within_its_response(h2_site: H2Site, length: bool) -> None:
    async def breaks(call: Call) -> None:
        call.head(200, *([("content-length", "200000")] if length else []))
        await call.data(b"a" * 100_000)
        call.reset(2)

    name, _ = h2_site.one(breaks)
    with h2_site.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: " + name.encode() + b"\r\n\r\n")
        assert client._head().status == 200
        rest = client.rest()
        assert 100_000 <= len(rest) < 101_000
        assert not rest.endswith(b"0\r\n\r\n")


def test_a_small_response_that_breaks_off_is_had_elsewhere(h2_site: H2Site) -> None:
    async def breaks(call: Call) -> None:
        call.head(200, ("content-length", "2000"))
        await call.data(b"a" * 1000)
        call.reset(2)

    name, _ = h2_site.pair(breaks, respond(body=b"whole"))
    assert {h2_site.get(name).body for _ in range(6)} == {b"whole"}


@pytest.mark.parametrize("reset", [True, False])
def test_a_connection_that_is_cut(h2_site: H2Site, reset: bool) -> None:
    """Those that are answered in part end; those that may be sent again are, on one connection."""
    gate = threading.Event()

    async def script(call: Call) -> None:
        if call.request.all(":path") == ["/begun"]:
            call.head(200)
            await call.data(b"a" * 10)
        await held(gate)(call)

    name, origin = h2_site.one()
    h2_site.get(name)
    origin.script = script
    begun, *others = [h2_site.client(timeout=20) for _ in range(11)]
    for client, path in ((begun, b"/begun"), *((client, b"/") for client in others)):
        client.send(b"GET " + path + b" HTTP/1.1\r\nHost: " + name.encode() + b"\r\n\r\n")
    assert begun._head().status == 200
    until(lambda: len(origin.requests) == 12, 9, "some requests do not arrive")
    origin.script = respond(body=b"again")
    origin.cut(reset)
    gate.set()
    assert not begun.rest().endswith(b"0\r\n\r\n")
    assert {client.response().body for client in others} == {b"again"}
    assert origin.connections == 2
    for client in (begun, *others):
        client.socket.close()


def test_idle_connections_leave(h2_site: H2Site) -> None:
    """With a GOAWAY, as is good manners (RFC 9113, section 6.8); and a new one serves."""
    name, origin = h2_site.one()
    assert h2_site.get(name).status == 200
    origin.cut()
    until(lambda: not origin.lines, 9, "the connection stays")
    assert h2_site.get(name, method="POST", extra=b"Content-Length: 0\r\n").status == 200
    assert origin.connections == 2


def test_a_client_that_does_not_read_holds_up_nobody_else(h2_site: H2Site) -> None:
    """What waits for it is bounded: its own stream's window is not given back, and the connection's is large enough for all."""
    sent = [0]

    async def script(call: Call) -> None:
        if call.request.all(":path") == ["/endless"]:
            call.head(200)
            while sent[0] < 200_000_000 and call.request.reset is None:
                await call.data(b"z" * 16384)
                sent[0] += 16384
        await call.answer(body=b"y" * 500_000)

    name, origin = h2_site.one(script)
    with h2_site.client(small_window=True) as idle:
        idle.send(b"GET /endless HTTP/1.1\r\nHost: " + name.encode() + b"\r\n\r\n")
        until(lambda: sent[0] > 100_000, 9, "nothing is sent")
        before = -1
        while before != sent[0]:
            before = sent[0]
            time.sleep(0.2)
        assert sent[0] < 12_000_000  # most of it in the kernel's buffers
        for _ in range(5):
            assert len(h2_site.get(name).body) == 500_000
        assert origin.connections == 1


def test_enhance_your_calm(h2_site: H2Site) -> None:
    """Its connection ends, and counts against it."""

    async def calm(call: Call) -> None:
        call.line.raw(7, 0, 0, bytes(4) + CALM.to_bytes(4, "big"))

    name, origins = h2_site.pair(calm, respond())
    assert {h2_site.get(name).status for _ in range(6)} == {200}
    assert origins[1].requests
