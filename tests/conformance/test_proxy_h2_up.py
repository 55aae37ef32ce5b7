"""Endpoints that speak HTTP/2: what goes up and what comes down is what it is with HTTP/1 (RFC 9113, section 8)."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from itertools import pairwise

import pytest
from h2.settings import SettingCodes

from tests.fakes.client import Response
from tests.fakes.h2_origin import Call, respond
from tests.fakes.h2_site import H2Site
from tests.fakes.worker import until

LARGE = bytes(range(256)) * 12_000
HOPS = {"connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection", "host"}


def post(site: H2Site, name: str, *pieces: bytes, extra: bytes = b"") -> Response:
    with site.client(timeout=20) as client:
        client.send(b"POST /p HTTP/1.1\r\nHost: " + name.encode() + b"\r\n" + extra, *pieces)
        return client.response("POST")


def test_a_request_goes_up_with_the_fields_of_http_2(h2_site: H2Site) -> None:
    name, origin = h2_site.one()
    extra = b"X-One: a\r\nCookie: a=1; b=2\r\nConnection: close, X-Hop, TE\r\nTE: trailers, deflate\r\nX-Hop: 1\r\nX-Two:  b \r\n"
    response = h2_site.get(name, "/path?query", extra)
    assert (response.status, response.body) == (200, b"ok")
    request = origin.requests[0]
    assert [pair for pair in request.fields if pair[0].startswith(":")] == [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/path?query"),
        (":authority", name),
    ]
    assert request.all("x-one") == ["a"]
    assert request.all("x-two") == ["b"]
    assert request.all("cookie") == ["a=1; b=2"]
    assert request.all("te") == ["trailers"]
    assert request.all("x-hop") == []
    assert request.all("x-forwarded-host") == [name]
    assert request.all("x-forwarded-for") == ["127.0.0.1"]
    assert request.all("x-request-id")
    assert all(key == key.lower() and key not in HOPS for key, _ in request.fields)
    assert [key.startswith(":") for key, _ in request.fields] == sorted((key.startswith(":") for key, _ in request.fields), reverse=True)


def test_one_connection_carries_requests_one_after_another(h2_site: H2Site) -> None:
    name, origin = h2_site.one()
    for _ in range(5):
        assert h2_site.get(name).status == 200
    assert origin.connections == 1
    assert [request.stream for request in origin.requests] == [1, 3, 5, 7, 9]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "REPORT"])
def test_any_method(h2_site: H2Site, method: str) -> None:
    name, origin = h2_site.one()
    response = h2_site.get(name, method=method)
    assert response.status == 200
    assert response.body == (b"" if method == "HEAD" else b"ok")
    assert origin.requests[0].all(":method") == [method]


def test_a_request_for_the_whole_server(h2_site: H2Site) -> None:
    name, origin = h2_site.one()
    h2_site.get(name, "*", method="OPTIONS")
    assert origin.requests[0].all(":path") == ["*"]


@pytest.mark.parametrize("size", [1, 70_000, 1_000_000])
def test_a_body_with_a_length_goes_up(h2_site: H2Site, size: int) -> None:
    name, origin = h2_site.one()
    body = LARGE[:size]
    assert post(h2_site, name, b"\r\n" + body, extra=b"Content-Length: %d\r\n" % size).status == 200
    assert origin.requests[0].body == body
    assert origin.requests[0].all("content-length") == [str(size)]


def test_a_chunked_body_goes_up_with_its_trailers(h2_site: H2Site) -> None:
    name, origin = h2_site.one()
    chunks = [LARGE[at:to] for at, to in pairwise([0, 5, 70_000, 300_000])]
    wire = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]
    end = b"0\r\nX-Sum: 7\r\nAuthorization: no\r\nX-More: a\r\n\r\n"
    assert post(h2_site, name, b"\r\n", *wire, end, extra=b"Transfer-Encoding: chunked\r\n").status == 200
    assert origin.requests[0].body == b"".join(chunks)
    assert origin.requests[0].all("content-length") == []
    assert origin.requests[0].trailers == [("x-sum", "7"), ("x-more", "a")]


@pytest.mark.parametrize("fields", [10, 110])
def test_a_head_of_any_size_that_may_be_goes_up(h2_site: H2Site, fields: int) -> None:
    name, _ = h2_site.one(settings={SettingCodes.MAX_HEADER_LIST_SIZE: 1 << 20})
    lines = b"".join(b"x-%05d: %b\r\n" % (number, b"y" * (65_400 // fields - 11)) for number in range(fields))
    assert h2_site.get(name, extra=lines).status == 200


def test_a_head_that_the_endpoint_does_not_take_is_not_sent(h2_site: H2Site) -> None:
    """It would cost the others their connection: some servers close it."""
    gate = threading.Event()

    async def script(call: Call) -> None:
        await asyncio.to_thread(gate.wait, 10)
        await respond()(call)

    name, origin = h2_site.one(respond(), settings={SettingCodes.MAX_HEADER_LIST_SIZE: 10_000})
    assert h2_site.get(name).status == 200
    origin.script = script
    with h2_site.client(timeout=20) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: " + name.encode() + b"\r\nContent-Length: 2\r\n\r\nok")
        until(lambda: len(origin.requests) == 2, 9, "it never came")
        for _ in range(8):
            assert h2_site.get(name, extra=b"X-A: " + b"y" * 10_000 + b"\r\n").status == 431
        gate.set()
        assert client.response("POST").status == 200
    assert h2_site.get(name, extra=b"X-A: " + b"y" * 8_000 + b"\r\n").status == 200
    assert origin.connections == 1


def test_an_empty_chunked_body(h2_site: H2Site) -> None:
    name, origin = h2_site.one()
    assert post(h2_site, name, b"\r\n0\r\n\r\n", extra=b"Transfer-Encoding: chunked\r\n").status == 200
    assert origin.requests[0].body == b""


def test_an_endpoint_that_takes_no_body_stops_the_client(h2_site: H2Site) -> None:
    """What the client may send ahead is bounded: by the windows, and by what is read at once."""
    name, _ = h2_site.one(taking=False)
    with h2_site.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: " + name.encode() + b"\r\nContent-Length: 100000000\r\n\r\n")
        client.socket.settimeout(0.5)
        sent = 0
        with suppress(TimeoutError):
            while sent < 50_000_000:
                sent += client.socket.send(LARGE)
        assert sent < 12_000_000  # most of it in the kernel's buffers


@pytest.mark.parametrize("length", [True, False])
def test_a_large_response_comes_down(h2_site: H2Site, length: bool) -> None:
    name, _ = h2_site.one(respond(body=LARGE, length=length))
    response = h2_site.get(name)
    assert response.body == LARGE
    assert response.complete
    assert response.get("content-length") == (str(len(LARGE)) if length else None)


def test_fields_of_a_response(h2_site: H2Site) -> None:
    name, _ = h2_site.one(respond(201, ("x-a", "1"), ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("server", "s")))
    response = h2_site.get(name)
    assert response.status == 201
    assert response.all("set-cookie") == ["a=1", "b=2"]
    assert response.get("x-a") == "1"


@pytest.mark.parametrize("status", [204, 304])
def test_a_response_without_a_body(h2_site: H2Site, status: int) -> None:
    name, _ = h2_site.one(respond(status, body=b"", length=False))
    with h2_site.client() as client:
        for _ in range(2):
            assert client.get(name).status == status


def test_a_response_that_is_only_a_head_says_so(h2_site: H2Site) -> None:
    name, _ = h2_site.one(respond(200, body=b"", length=False))
    assert h2_site.get(name).get("content-length") == "0"


def test_trailers_come_down(h2_site: H2Site) -> None:
    async def script(call: Call) -> None:
        call.head(200)
        await call.data(b"body")
        call.trailers(("grpc-status", "0"), ("grpc-message", "fine"), ("set-cookie", "no"))

    name, _ = h2_site.one(script)
    response = h2_site.get(name)
    assert response.body == b"body"
    assert response.trailers == [("grpc-status", "0"), ("grpc-message", "fine")]


def test_trailers_right_behind_a_head_come_down(h2_site: H2Site) -> None:
    """They were read with it: that nothing else follows is no reason to say that the body's length is 0, behind which none can go."""

    async def script(call: Call) -> None:
        await call.body()
        http2, number = call.line.http2, call.request.stream
        http2.send_headers(number, [(":status", "200")])
        http2.send_headers(number, [("x-sum", "7")], end_stream=True)
        call.line.send()

    name, _ = h2_site.one(script)
    response = h2_site.get(name)
    assert (response.get("content-length"), response.body, response.trailers) == (None, b"", [("x-sum", "7")])


def test_interim_responses_come_down(h2_site: H2Site) -> None:
    async def script(call: Call) -> None:
        call.head(103, ("link", "</a>; rel=preload"))
        call.head(103, ("link", "</b>; rel=preload"))
        await call.answer()

    name, _ = h2_site.one(script)
    response = h2_site.get(name)
    assert [each.status for each in response.interim] == [103, 103]
    assert response.body == b"ok"


def test_a_client_that_waits_for_100_is_told(h2_site: H2Site) -> None:
    async def script(call: Call) -> None:
        call.head(100)
        await call.answer(body=await call.body())

    name, _ = h2_site.one(script)
    with h2_site.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: " + name.encode() + b"\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n")
        head = client._head()
        client.send(LARGE[:100_000])
        assert head.status == 100
        assert client.response().body == LARGE[:100_000]


def test_both_ways_at_once(h2_site: H2Site) -> None:
    """Each piece of the body is answered before the next one is sent."""

    async def script(call: Call) -> None:
        call.head(200)
        for size in range(1, 6):
            await call.more(size)
            await call.data(call.request.body[size - 1 :])
        await call.body()
        call.trailers(("x-end", "1"))

    name, _ = h2_site.one(script)
    with h2_site.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: " + name.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert client._head().status == 200
        for letter in b"abcde":
            client.send(b"1\r\n%c\r\n" % letter)
            assert client._until(b"\r\n") == b"1"
            assert client._until(b"\r\n") == b"%c" % letter
        client.send(b"0\r\n\r\n")
        assert client._until(b"\r\n\r\n") == b"0\r\nx-end: 1"


def test_an_answer_before_the_body_is_whole(h2_site: H2Site) -> None:
    async def script(call: Call) -> None:
        await call.answer(413, body=b"too large")

    name, origin = h2_site.one(script)
    response = post(h2_site, name, b"\r\n" + LARGE[:1000], extra=b"Content-Length: 100000\r\n")
    assert (response.status, response.body) == (413, b"too large")
    until(lambda: origin.requests[0].reset is not None, 9, "the stream stays open")
    assert h2_site.get(name).status == 413
    assert origin.connections == 1


def test_an_upgrade_is_left_out(h2_site: H2Site) -> None:
    """HTTP/2 has none, and it may be ignored (RFC 9110, section 7.8)."""
    name, origin = h2_site.one()
    response = h2_site.get(name, "/ws", b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n")
    assert response.status == 200
    assert origin.requests[0].all("sec-websocket-version") == ["13"]
    assert HOPS.isdisjoint(key for key, _ in origin.requests[0].fields)


def test_a_client_that_leaves_ends_its_stream_alone(h2_site: H2Site) -> None:
    gate = asyncio.Event()

    async def script(call: Call) -> None:
        if call.request.all(":path") == ["/slow"]:
            call.head(200)
            await call.data(b"a")
            await gate.wait()
        await call.answer()

    name, origin = h2_site.one(script)
    with h2_site.client() as other, h2_site.client() as client:
        client.send(b"GET /slow HTTP/1.1\r\nHost: " + name.encode() + b"\r\n\r\n")
        assert client._head().status == 200
        client.socket.close()
        until(lambda: origin.requests[0].reset == 8, 9, "the stream is not cancelled")
        assert other.get(name).status == 200
        assert origin.connections == 1
