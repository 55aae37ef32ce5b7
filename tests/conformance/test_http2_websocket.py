"""WebSockets over HTTP/2: an extended CONNECT (RFC 8441) is an ordinary upgrade for the endpoint."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import threading

import pytest
from hyperframe.frame import DataFrame, RstStreamFrame

from tests.fakes.h2c import WEB, house
from tests.fakes.http2 import Http2Client
from tests.fakes.origin import Call, Origin, respond
from tests.fakes.worker import Haystack, Member, host, resident, until

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MEGA = 1 << 20
ASK = [("sec-websocket-version", "13"), ("origin", "http://page.example"), ("sec-websocket-protocol", "chat, other")]


@pytest.fixture(scope="module")
def web(fakes):
    with house(fakes, HAYSTACK_ACCESS_LOG="json", HAYSTACK_TUNNEL_TIMEOUT="30s", HAYSTACK_IDLE_TIMEOUT="30s") as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_seen(web):
    web.origin.requests.clear()


@pytest.fixture
def client(web):
    with web.client() as made:
        made.hear(lambda: made.settled)
        yield made


def accepted(call: Call, accept: bytes | None = None) -> bytes:
    """The 101 for this request."""
    key = call.request.fields("sec-websocket-key")[0].encode()
    accept = accept or base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %b\r\n"
        b"Sec-WebSocket-Protocol: chat\r\n\r\n" % accept
    )


async def echo(call: Call) -> None:
    """Switch, then say back what is said, to the end."""
    await call.send(accepted(call))
    while data := await call.reader.read(65536):
        await call.send(data)
    call.keep = False


def connect(client, path="/chat", *, fields=ASK, protocol="websocket"):
    return client.begin(WEB, path, "CONNECT", fields=fields, end=False, protocol=protocol)


def said(client, number, size):
    """What has come on the stream, once it is so many bytes."""
    client.hear(lambda: len(client.answers[number].body) >= size)
    return bytes(client.answers[number].body)


def test_it_is_said_that_they_are_spoken(client):
    assert client.h2.remote_settings.enable_connect_protocol == 1


def test_the_endpoint_sees_an_ordinary_upgrade(web, client):
    web.origin.script = echo
    number = connect(client, "/chat?room=1")
    client.hear(lambda: client.answers[number].status)
    answer = client.answers[number]
    assert (answer.status, answer.get("sec-websocket-protocol")) == (200, "chat")
    assert {"connection", "upgrade"} & {name for name, _ in answer.fields} == set()
    request = web.origin.requests[-1]
    assert request.line == "GET /chat?room=1 HTTP/1.1"
    assert [request.fields(name) for name in ("host", "connection", "upgrade", "sec-websocket-version")] == [
        [WEB],
        ["Upgrade"],
        ["websocket"],
        ["13"],
    ]
    assert (request.fields("content-length"), request.fields("transfer-encoding"), request.fields("origin")) == (
        [],
        [],
        ["http://page.example"],
    )
    (key,) = request.fields("sec-websocket-key")
    assert len(base64.b64decode(key)) == 16


def test_what_is_said_is_said_back_while_other_streams_go_on(web, client):
    web.origin.script = echo
    number = connect(client)
    client.hear(lambda: client.answers[number].status)
    client.upload(number, b"hello")
    assert said(client, number, 5) == b"hello"
    web.origin.script = respond()
    assert client.get(WEB).status == 200
    client.upload(number, b" again", end=True)
    assert bytes(client.answer(number).body) == b"hello again"
    assert client.answers[number].reset is None


def test_keys_differ(web, client):
    web.origin.script = echo
    for number in [connect(client) for _ in range(3)]:
        client.hear(lambda number=number: client.answers[number].status)
    assert len({request.fields("sec-websocket-key")[0] for request in web.origin.requests}) == 3


def test_bytes_before_the_answer_wait_for_it(web, client):
    async def script(call):
        await asyncio.sleep(0.05)
        await echo(call)

    web.origin.script = script
    number = connect(client)
    client.upload(number, b"early")
    assert said(client, number, 5) == b"early"


def test_bytes_behind_the_101_come_down(web, client):
    async def script(call):
        await call.send(accepted(call) + b"first")
        call.keep = False

    web.origin.script = script
    assert bytes(client.answer(connect(client)).body) == b"first"


def test_an_endpoint_may_close_its_side_first(web, client):
    """A half-close passes: what the client says then still goes up."""
    heard = []

    async def script(call):
        await call.send(accepted(call) + b"bye")
        call.writer.write_eof()
        heard.append(await call.reader.read())
        call.keep = False

    web.origin.script = script
    number = connect(client)
    client.hear(lambda: client.answers[number].ended)
    client.ping()
    assert client.answers[number].reset is None
    client.upload(number, b"bye too", end=True)
    until(lambda: heard, 9, "the endpoint never heard the end")
    assert heard == [b"bye too"]


def test_a_client_may_close_its_side_first(web, client):
    async def count(call):
        await call.send(accepted(call))
        data = await call.reader.read()
        await call.send(b"%d bytes" % len(data))
        call.keep = False

    web.origin.script = count
    number = connect(client)
    client.hear(lambda: client.answers[number].status)
    client.upload(number, b"12345", end=True)
    assert bytes(client.answer(number).body) == b"5 bytes"


def test_a_reset_ends_it_at_the_endpoint(web, client):
    web.origin.script = echo
    number = connect(client)
    client.hear(lambda: client.answers[number].status)
    before = web.origin.open
    client.cancel(number)
    until(lambda: web.origin.open < before, 9, "the endpoint has it still")


def test_an_endpoint_that_breaks_off_resets_the_stream(web, client):
    async def script(call):
        await call.send(accepted(call) + b"some")
        await call.reader.read(4)
        call.reset()

    web.origin.script = script
    number = connect(client)
    client.upload(number, b"go!!")
    assert client.answer(number).reset is not None
    web.origin.script = respond()
    assert client.get(WEB).status == 200


@pytest.mark.parametrize("status", [400, 403, 404, 426, 500])
def test_a_refusal_comes_down_as_it_is(web, client, status):
    web.origin.script = respond(b"HTTP/1.1 %d No\r\nContent-Length: 2\r\n\r\nno" % status)
    answer = client.answer(connect(client))
    assert (answer.status, bytes(answer.body)) == (status, b"no")


@pytest.mark.parametrize("raw", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.1 204 No Content\r\n\r\n"])
def test_a_2xx_of_an_endpoint_does_not_look_like_a_tunnel(web, client, raw):
    web.origin.script = respond(raw)
    answer = client.answer(connect(client))
    assert answer.status == 502
    assert answer.over


def test_a_101_for_another_key_is_refused(web, client):
    async def script(call):
        await call.send(accepted(call, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        call.keep = False

    web.origin.script = script
    assert client.answer(connect(client)).status == 502


def test_another_protocol_is_not_spoken(web, client):
    answer = client.answer(connect(client, protocol="connect-udp"))
    assert answer.status == 501
    assert not web.origin.requests


@pytest.mark.parametrize("more", [("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("content-length", "5"), ("expect", "100-continue")])
def test_what_an_upgrade_has_of_its_own_is_not_the_clients_to_say(web, client, more):
    web.origin.script = echo
    number = connect(client, fields=[*ASK, more])
    client.upload(number, b"hello")
    assert said(client, number, 5) == b"hello"
    request = web.origin.requests[-1]
    assert (len(request.fields("sec-websocket-key")), request.fields("content-length")) == (1, [])


def test_large_data_both_ways_at_once(web, client):
    web.origin.script = echo
    (worker,) = web.haystack.workers()
    large = os.urandom(MEGA) * 6
    number = connect(client)
    client.hear(lambda: client.answers[number].status)
    before = resident(worker)
    client.upload(number, large, end=True)
    assert hashlib.sha256(client.answer(number).body).digest() == hashlib.sha256(large).digest()
    assert resident(worker) - before < 8_000_000


def test_an_endpoint_that_reads_nothing_stops_the_client(web, client):
    gate = threading.Event()

    async def script(call):
        await call.send(accepted(call))
        call.writer.transport.pause_reading()
        await asyncio.to_thread(gate.wait, 15)
        call.writer.transport.resume_reading()
        size = len(await call.reader.read(-1))
        await call.send(b"%d" % size)
        call.keep = False

    web.origin.script = script
    number = connect(client)
    client.hear(lambda: client.answers[number].status)
    client.timeout = 1
    with pytest.raises(TimeoutError):
        client.upload(number, b"u" * 20 * MEGA)
    client.timeout = 10
    gate.set()
    client.h2.end_stream(number)
    client.flush()
    assert int(client.answer(number).body) < 20 * MEGA


def test_a_client_that_opens_no_window_stops_the_endpoint(web):
    sent = []

    async def script(call):
        await call.send(accepted(call))
        for _ in range(200):
            await call.send(b"d" * 65536)
            sent.append(65536)
        call.keep = False

    web.origin.script = script
    (worker,) = web.haystack.workers()
    before = resident(worker)
    with web.rude(settings={4: 1000}) as client:
        client.send(client.head(WEB, method="CONNECT", end=False, fields=[(":protocol", "websocket"), *ASK]))
        assert client.status(1) == 200
        client.hear(lambda: sum(len(frame.data) for frame in client.of(DataFrame, 1)) == 1000)
        count = -1
        while len(sent) > count:
            count = len(sent)
            threading.Event().wait(0.3)
        assert count < 200
        assert resident(worker) - before < 2_000_000
        assert not client.of(RstStreamFrame)


def deaf(gate: threading.Event):
    """Switch, and read nothing more until the gate opens."""

    async def script(call: Call) -> None:
        await call.send(accepted(call))
        call.writer.transport.pause_reading()
        await asyncio.to_thread(gate.wait, 40)
        call.keep = False

    return script


def test_tunnels_that_fill_the_window_give_way_to_requests_that_wait_for_it(fakes):
    """Once their endpoints have taken nothing for their services' timeout. Else these would wait for as long as a tunnel may be silent."""
    gate = threading.Event()
    origins = [Origin(fakes, script).start() for script in (deaf(gate), respond())]
    members = [Member(name, each.port, {"haystack.timeout": "3s"}) for name, each in zip(("deaf", "web"), origins, strict=True)]
    with contextlib.ExitStack() as stack:
        haystack = stack.enter_context(Haystack(members, HAYSTACK_H2C="on", HAYSTACK_TUNNEL_TIMEOUT="1h"))
        client = stack.enter_context(Http2Client(haystack.port))
        stack.callback(gate.set)
        client.hear(lambda: client.settled)
        tunnels = []
        while client.h2.outbound_flow_control_window and len(tunnels) < 60:
            tunnels.append(client.begin(host("deaf"), "/chat", "CONNECT", fields=ASK, end=False, protocol="websocket"))
            client.hear(lambda: client.answers[tunnels[-1]].status == 200)
            client.fill(tunnels[-1], 0.3)
        assert client.h2.outbound_flow_control_window == 0
        waits = client.begin(host("web"), method="POST", fields=[("content-length", "2")], end=False)
        client.hear(lambda: client.h2.outbound_flow_control_window > 0)
        client.upload(waits, b"ok", end=True)
        assert client.answer(waits).status == 200
        assert origins[1].requests[-1].body == b"ok"
    for origin in origins:
        origin.stop()
