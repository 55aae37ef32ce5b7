"""Upgrade: a tunnel from 101 on, and not a byte of it before (RFC 9110, sections 7.8 and 15.2.2; RFC 6455, section 4)."""

from __future__ import annotations

import asyncio
import select
import threading
from collections.abc import Iterator

import pytest

from tests.fakes.client import Client
from tests.fakes.normal import Normal, requests
from tests.fakes.origin import OK, Call, Loop, Origin, respond
from tests.fakes.worker import Haystack, Member, Site, host, until

WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %b\r\nX-Kept: yes\r\n\r\n"
REFUSE = b"HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: other\r\nContent-Length: 2\r\n\r\nno"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.b.c\r\n\r\n"


def ask(name: str, fields: bytes = WEBSOCKET, method: str = "GET", version: str = "1.1", body: bytes = b"") -> bytes:
    return f"{method} /chat HTTP/{version}\r\nHost: {name}\r\n".encode() + fields + b"\r\n" + body


def normal(origin: Origin) -> list[Normal]:
    """What the origin was sent by plain requests alone."""
    return [each for wire in origin.wire for each in requests(bytes(wire))]


async def echo(call: Call) -> None:
    """Switch, then say back what is said, to the end."""
    await call.send(SWITCH % call.request.fields("upgrade")[0].encode())
    while data := await call.reader.read(65536):
        await call.send(data)
    call.keep = False


Labelled = tuple[Haystack, Origin]


@pytest.fixture(scope="module")
def labelled(fakes: Loop) -> Iterator[Labelled]:
    """Services of one origin whose labels name protocols: `named` some, `open` any, `plain` none."""
    origin = Origin(fakes, echo).start()
    named = Member("named", origin.port, {"haystack.upgrade": "tcp, My-Own,irc , a,b"})
    members = [named, Member("open", origin.port, {"haystack.upgrade": "any"}), Member("plain", origin.port)]
    with Haystack(members) as haystack:
        yield haystack, origin
    origin.stop()


def offered(labelled: Labelled, service: str, fields: bytes) -> Normal:
    """The request as the origin sees it, which answers 200."""
    haystack, origin = labelled
    origin.script = respond()
    with Client(haystack.port) as client:
        assert client.send(ask(host(service), fields)).response().status == 200
    return list(requests(origin.requests[-1].head))[-1]


@pytest.mark.parametrize(
    ("service", "protocol"),
    [("plain", "websocket"), ("named", "WebSocket"), ("named", "my-own/1"), ("named", "TCP"), ("open", "anything/2"), ("open", "tcp")],
)
def test_websocket_and_what_a_label_names_is_switched_to(labelled: Labelled, service: str, protocol: str) -> None:
    """Section 7.8: the request goes on with Upgrade and Connection, 101 comes back with them, raw bytes follow both ways."""
    haystack, origin = labelled
    name, origin.script = host(service), echo
    before = len(origin.requests)
    with Client(haystack.port) as client:
        client.send(ask(name, WEBSOCKET.replace(b"websocket", protocol.encode())))
        response = client.response()
        assert (response.status, response.get("upgrade"), response.get("x-kept")) == (101, protocol, "yes")
        assert "upgrade" in (response.get("connection") or "").lower()
        assert response.get("content-length") is response.get("transfer-encoding") is None
        for data in (b"\x81\x05hello", b"\0\r\n\r\n", SMUGGLED, b"HTTP/1.1 200 OK\r\n\r\n"):
            assert client.send(data).take(len(data)) == data
    (request,) = origin.requests[before:]
    assert request.fields("upgrade") == [protocol]
    assert "upgrade" in request.fields("connection")[0].lower()
    assert request.fields("sec-websocket-key") == ["dGhlIHNhbXBsZSBub25jZQ=="]


def test_bytes_of_the_origin_in_the_piece_of_its_101(site: Site) -> None:
    """Section 7.8: the new protocol begins right behind the empty line."""

    async def eager(call: Call) -> None:
        await call.send(SWITCH % b"websocket" + b"first words")
        await call.reader.read()

    name, _ = site.one(eager)
    with site.client() as client:
        assert client.send(ask(name)).response().status == 101
        assert client.take(11) == b"first words"


def test_interim_responses_come_before_101(site: Site) -> None:
    """Section 15.2: 101 is final for HTTP, others may precede it."""

    async def hint(call: Call) -> None:
        await call.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        await echo(call)

    name, _ = site.one(hint)
    with site.client() as client:
        response = client.send(ask(name)).response()
        assert (response.status, [each.status for each in response.interim]) == (101, [103])
        assert client.send(b"hello").take(5) == b"hello"


def test_early_bytes_never_reach_the_origin_before_101(site: Site) -> None:
    """Section 7.8; RFC 6455, section 4.1: a client waits for 101; what it sends before is no request, nor the origin's to see."""
    gate = threading.Event()
    seen: list[int] = []

    async def late(call: Call) -> None:
        await asyncio.to_thread(gate.wait, 5)
        seen.append(len(origin.wire[-1]) - len(call.request.head))
        await echo(call)

    name, origin = site.one(late)
    with site.client() as client, site.client() as other:
        client.send(ask(name) + b"early " + SMUGGLED)
        until(lambda: origin.requests, 9, "the request never arrived")
        client.send(SMUGGLED)
        assert other.get("localhost", "/healthz").status == 200
        gate.set()
        response = client.response()
        assert response.status in (101, 400, 502)
        if response.status == 101:
            assert client.take(6 + 2 * len(SMUGGLED)) == b"early " + 2 * SMUGGLED
    assert seen == [0]


@pytest.mark.parametrize("answer", [OK, REFUSE, b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"])
def test_a_refused_upgrade_is_plain_http(site: Site, answer: bytes) -> None:
    """Section 7.8: a server may ignore Upgrade; the exchange is an ordinary one, and the connection stays in order."""
    name, origin = site.one(respond(answer))
    with site.client() as client:
        for _ in range(3):
            response = client.send(ask(name)).response()
            assert (response.status, response.body) == (int(answer.split()[1]), answer.rpartition(b"\r\n\r\n")[2] or b"no")
            origin.script = respond(answer)
        origin.script = respond()
        assert client.get(name).body == b"ok"
    assert len(normal(origin)) == 4


def test_426_keeps_its_upgrade_field(site: Site) -> None:
    """RFC 9110, section 15.5.22: a server sends Upgrade in a 426 to say which protocols it requires."""
    name, _ = site.one(respond(REFUSE))
    with site.client() as client:
        response = client.get(name)
        assert response.status == 426
        assert response.all("upgrade") == ["other"]
        assert "upgrade" in (response.get("connection") or "").lower(), "section 7.8: who sends Upgrade lists it in Connection"


def test_a_request_pipelined_behind_a_refused_upgrade_is_answered_next_or_not_at_all(site: Site) -> None:
    """RFC 9112, section 9.3.2: where HTTP goes on, so do its requests, in order; where they do not, the connection ends."""
    name, origin = site.one(respond(REFUSE))
    with site.client() as client:
        client.send(ask(name) + ask(name, b"", method="PUT", body=b"")).half_close()
        assert client.response().status == 426
        assert client.rest()[:12] in (b"", b"HTTP/1.1 426")
    assert len(normal(origin)) <= 2


BODIES = {
    "no body": (b"", b"", b""),
    "an empty one": (b"Content-Length: 0\r\n", b"", b""),
    "a length": (b"Content-Length: 4\r\n", b"body", b"body"),
    "a long one": (b"Content-Length: 300000\r\n", b"b" * 300_000, b"b" * 300_000),
    "a length that is asked for": (b"Content-Length: 4\r\nExpect: 100-continue\r\n", b"body", b"body"),
    "chunks": (b"Transfer-Encoding: chunked\r\n", b"4\r\nbody\r\n0\r\n\r\n", b"body"),
}


async def echo_behind_body(call: Call) -> None:
    await call.body()
    await echo(call)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "HEAD", "MY-METHOD"])
@pytest.mark.parametrize(("fields", "body", "meant"), BODIES.values(), ids=BODIES.keys())
def test_any_method_may_upgrade_with_a_body_or_without(site: Site, method: str, fields: bytes, body: bytes, meant: bytes) -> None:
    """Section 7.8 knows no method; the new protocol begins right behind the whole request, which arrives as it is."""
    name, origin = site.one(echo_behind_body)
    with site.client() as client:
        client.send(ask(name, WEBSOCKET + fields, method, body=body) + b"raw")
        assert client.response(method).status == 101
        assert client.take(3) == b"raw"
        client.half_close()
        assert client.rest() == b""
    (request,) = origin.requests
    assert (request.body, request.line.split()[0]) == (meant, method)


@pytest.mark.parametrize("fields", [b"Content-Length: 8\r\n", b"Content-Length: 200000\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_the_tunnel_begins_when_the_body_has_gone_up_whole(site: Site, fields: bytes) -> None:
    """Section 7.8: an origin that switches at once has its 101 wait, and nothing of what it says goes down before its time."""

    switched = threading.Event()

    async def hasty(call: Call) -> None:
        await call.send(SWITCH % b"websocket" + b"first words ")
        switched.set()
        while data := await call.reader.read(65536):
            if data.endswith(b"raw"):
                await call.send(b"last words")

    chunked = b"chunked" in fields
    size = 8 if chunked else int(fields.split()[1])
    name, _ = site.one(hasty)
    with site.client() as client, site.client() as other:
        half = b"h" * (size // 2)
        client.send(ask(name, WEBSOCKET + fields + b"Expect: 100-continue\r\n", "POST", body=b"4\r\nhhhh\r\n" if chunked else half))
        assert switched.wait(5)
        for _ in range(3):
            assert other.get("localhost", "/healthz").status == 200, "the worker's loop has turned"
        assert select.select([client.socket], [], [], 0)[0] == [], "something went down"
        client.send((b"4\r\nhhhh\r\n0\r\n\r\n" if chunked else half) + b"raw")
        assert client.response("POST").status == 101
        assert client.take(22) == b"first words last words"


PLAIN = {
    "of HTTP/1.0": (ask("HOST", version="1.0"), "GET"),
    "that Connection does not list": (ask("HOST", b"Upgrade: websocket\r\n"), "GET"),
    "that Connection lists and that is not there": (ask("HOST", b"Connection: upgrade\r\n"), "GET"),
}


@pytest.mark.parametrize(("data", "method"), PLAIN.values(), ids=PLAIN.keys())
def test_an_upgrade_that_can_not_be_one_is_plain_http(site: Site, data: bytes, method: str) -> None:
    """Section 7.8: HTTP/1.0 must be ignored, the rest is ours to refuse; the field is not sent on, so that nobody switches."""
    name, origin = site.one(echo_or_ok)
    with site.client() as client:
        response = client.send(data.replace(b"HOST", name.encode())).response(method)
        assert response.status == 200
    (request,) = normal(origin)
    assert request.all(b"upgrade") == []
    assert not any(b"upgrade" in value.lower() for value in request.all(b"connection"))


async def echo_or_ok(call: Call) -> None:
    await (echo if call.request.fields("upgrade") else respond())(call)


def test_101_to_an_upgrade_that_was_not_sent_on_is_502(site: Site) -> None:
    """Section 15.2.2: from here on the two sides would speak of different things."""
    name, _ = site.one(respond(SWITCH % b"websocket" + b"raw"))
    with site.client() as client:
        response = client.send(ask(name, WEBSOCKET.replace(b"Upgrade: websocket", b"Upgrade: tcp"))).response()
        assert response.status == 502
        assert b"raw" not in response.body


@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_101_has_no_body_whatever_it_says(site: Site, field: bytes) -> None:
    """RFC 9112, section 6.3, rule 1; RFC 9110, section 8.6: no framing goes down with it, and every byte behind it is raw."""

    async def framed(call: Call) -> None:
        await call.send((SWITCH % b"websocket").replace(b"X-Kept: yes", field) + b"0\r\n\r\n raw")
        await call.reader.read()

    name, _ = site.one(framed)
    with site.client() as client:
        response = client.send(ask(name)).response()
        assert response.status in (101, 502)
        if response.status == 101:
            assert response.get("content-length") is response.get("transfer-encoding") is None
            assert client.take(9) == b"0\r\n\r\n raw"


def test_an_upgrade_to_nothing_is_plain_http(site: Site) -> None:
    """Section 7.8: the field names one protocol at least."""
    name, origin = site.one(echo_or_ok)
    with site.client() as client:
        assert client.send(ask(name, b"Connection: upgrade\r\nUpgrade:\r\n")).response().status == 200
    assert normal(origin)[0].all(b"upgrade") == []


@pytest.mark.parametrize("fields", [b"Connection: upgrade\r\n", b"Upgrade: websocket\r\n", b"Connection: upgrade\r\nUpgrade:\r\n", b""])
def test_101_that_names_no_protocol_is_502(site: Site, fields: bytes) -> None:
    """Sections 7.8 and 15.2.2: the server must say in Upgrade, listed by Connection, what it switches to."""
    name, _ = site.one(respond(b"HTTP/1.1 101 Switching Protocols\r\n" + fields + b"\r\nraw"))
    with site.client() as client:
        response = client.send(ask(name)).response()
        assert response.status == 502
        assert "error=http_upgrade_failed" in (response.get("proxy-status") or "")


@pytest.mark.parametrize(
    ("asked", "answered"), [(b"websocket", b"other"), (b"websocket", b"websocket, other"), (b"my-own/1", b"my-own/2"), (b"a, b", b"a b")]
)
def test_101_to_a_protocol_that_was_not_asked_for_is_502(labelled: Labelled, asked: bytes, answered: bytes) -> None:
    """Section 7.8: a server must not switch to a protocol that the client did not name; RFC 9209, section 2.3. Nothing raw goes down."""
    haystack, origin = labelled
    name, origin.script, before = host("named"), respond(SWITCH % answered + b"raw"), origin.connections
    with Client(haystack.port) as client:
        response = client.send(ask(name, WEBSOCKET.replace(b"websocket", asked))).response()
        assert response.status == 502
        assert "error=http_upgrade_failed" in (response.get("proxy-status") or "")
        assert b"raw" not in response.body
        origin.script = respond()
        assert client.get(name).body == b"ok"
    assert origin.connections > before


@pytest.mark.parametrize(("asked", "answered"), [(b"websocket", b"WebSocket"), (b"h2c, my-own/1", b"my-own/1"), (b"irc/6.9", b"irc")])
def test_101_to_one_of_those_that_were_asked_for_passes(labelled: Labelled, asked: bytes, answered: bytes) -> None:
    """Section 7.8: names in any case, one of a list, with a version or without."""

    async def switch(call: Call) -> None:
        await call.send(SWITCH % answered + b"raw")
        await call.reader.read()

    haystack, origin = labelled
    name, origin.script = host("named"), switch
    with Client(haystack.port) as client:
        response = client.send(ask(name, WEBSOCKET.replace(b"websocket", asked))).response()
        assert (response.status, response.get("upgrade")) == (101, answered.decode())
        assert client.take(3) == b"raw"


NEVER = [b"h2c", b"H2C", b"h2c-14", b"h2", b"HTTP/2.0", b"TLS/1.0", b"tls/1.2", b"TLS", b"SSL", b"h2c/1"]


@pytest.mark.parametrize("protocol", NEVER)
@pytest.mark.parametrize("service", ["plain", "named", "open"])
def test_h2c_and_tls_are_never_passed_on(labelled: Labelled, service: str, protocol: bytes) -> None:
    """RFC 9113, section 3.1; RFC 2817: requests in such a tunnel would pass by routing, paths and all that is told of the client."""
    seen = offered(
        labelled, service, b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: " + protocol + b"\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"
    )
    assert (seen.all(b"upgrade"), seen.all(b"connection"), seen.all(b"http2-settings")) == ([], [], [])


@pytest.mark.parametrize("service", ["plain", "named", "open"])
@pytest.mark.parametrize(
    "fields",
    [
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c, websocket\r\nHTTP2-Settings: a\r\n",
        b"Connection: upgrade\r\nUpgrade: h2c\r\nupgrade: ,WebSocket , TLS/1.3\r\nhttp2-settings: a\r\n",
        b"Upgrade: websocket\r\nUPGRADE: H2c\r\nHTTP2_Settings: a\r\nhttp2.settings: b\r\nConnection: Upgrade, http2-settings\r\n",
    ],
)
def test_what_may_pass_passes_beside_them(labelled: Labelled, service: str, fields: bytes) -> None:
    """Section 7.8: of a list in one field or several, in any case; the others and HTTP2-Settings (RFC 7540, section 3.2.1) are gone."""
    seen = offered(labelled, service, fields)
    assert [each.lower() for each in seen.all(b"upgrade")] == [b"websocket"]
    assert seen.all(b"connection") == [b"Upgrade"]
    assert not [name for name, _ in seen.fields if name.startswith(b"http2")]


@pytest.mark.parametrize(
    "fields", [b"HTTP2-Settings: a\r\n", b"HTTP2_SETTINGS: a\r\n", b"Connection: HTTP2-Settings\r\nHttp2-settings: a\r\n"]
)
def test_http2_settings_alone_goes_no_further(labelled: Labelled, fields: bytes) -> None:
    """RFC 7540, section 3.2.1: it is the connection's; some origins upgrade on it whatever else is there."""
    assert not [name for name, _ in offered(labelled, "plain", fields).fields if name.startswith(b"http2")]


@pytest.mark.parametrize("asked", [b"h2c", b"h2c, websocket", b"websocket"])
@pytest.mark.parametrize("service", ["plain", "open"])
def test_a_101_to_h2c_is_502(labelled: Labelled, service: str, asked: bytes) -> None:
    """An origin that switches on its own, or by another field: nothing of it goes down, nor anything more up."""
    haystack, origin = labelled
    origin.script = respond(SWITCH % b"h2c" + b"raw")
    before = len(origin.wire)
    with Client(haystack.port) as client:
        client.send(ask(host(service), b"Connection: Upgrade\r\nUpgrade: " + asked + b"\r\n") + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        response = client.response()
        assert response.status == 502
        assert b"raw" not in response.body
    assert not [wire for wire in origin.wire[before:] if b"PRI *" in wire]


def test_a_protocol_that_no_label_names_is_plain_http(labelled: Labelled) -> None:
    """Section 7.8: the field is not sent on, so that nobody switches."""
    for service, protocol in (("plain", b"tcp"), ("named", b"other"), ("named", b"tc"), ("named", b"tcp2")):
        seen = offered(labelled, service, b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\n")
        assert (seen.all(b"upgrade"), seen.all(b"connection")) == ([], [])
