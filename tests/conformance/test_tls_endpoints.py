"""haystack.protocol=https: endpoints within TLS, whose certificates are verified, and everything that may go wrong with that."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance.test_proxy_upgrade import ask, echo
from tests.fakes.client import Client, Response
from tests.fakes.origin import OK, Call, Loop, Origin, Script, respond, respond_and_close
from tests.fakes.pki import Authority, self_signed, server_context
from tests.fakes.worker import Haystack, Member, host, until

NAME = "db.internal"
MEGABYTES = 5 << 20


class Inside:
    """Origins within TLS, and the CA that their labels name."""

    def __init__(self, folder: Path, loop: Loop) -> None:
        self.authority = Authority(folder)
        self.folder, self.loop = folder, loop
        self._stack = ExitStack()

    def context(self, *names: str, **how: bool) -> ssl.SSLContext:
        return server_context(*self.authority.issue(*(names or (NAME,)), **how))

    def origin(self, script: Script, context: ssl.SSLContext | None = None) -> Origin:
        made = Origin(self.loop, script, tls=context or self.context()).start()
        self._stack.callback(made.stop)
        return made

    def member(self, image: str, port: int, **labels: str) -> Member:
        """labels: without haystack, two underscores for each dot; empty: it has none."""
        told = {"protocol": "https", "tls__ca": str(self.authority.path), "tls__server_name": NAME, "wait": "off"} | labels
        return Member(image, port, {f"haystack.{word.replace('__', '.')}": text for word, text in told.items() if text})

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def inside(tmp_path: Path, fakes: Loop) -> Iterator[Inside]:
    made = Inside(tmp_path, fakes)
    yield made
    made.close()


def get(haystack: Haystack, image: str, **how: str) -> Response:
    with Client(haystack.port) as client:
        return client.get(host(image), **how)


def said(response: Response) -> tuple[int, str]:
    """Status, and the word of Proxy-Status."""
    words = (response.get("Proxy-Status") or "").split(";")
    return response.status, next((w.strip().removeprefix("error=") for w in words if "error=" in w), "")


# What is good.


def test_an_endpoint_within_tls_is_asked_for_its_name_and_answers(inside):
    asked: list[str | None] = []
    context = inside.context()
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    origin = inside.origin(respond(), context)
    with Haystack([inside.member("web", origin.port)]) as haystack:
        assert [get(haystack, "web").status for _ in range(3)] == [200] * 3
        assert set(asked) == {NAME}
        request = origin.requests[-1]
        assert (request.fields("Host"), request.fields("X-Forwarded-Proto")) == ([host("web")], ["http"])
        assert origin.connections <= 2  # one, and the look of the health monitor at a new one
        with Client(haystack.port) as client:
            (row,) = json.loads(client.get("localhost", "/api/services").body)
        assert row["protocol"] == "https"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed(inside, version):
    reused: list[bool] = []

    async def script(call: Call) -> None:
        reused.append(call.writer.get_extra_info("ssl_object").session_reused)
        await respond_and_close(OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"))(call)

    context = inside.context()
    context.minimum_version = context.maximum_version = version
    origin = inside.origin(script, context)
    with Haystack([inside.member("web", origin.port)]) as haystack:
        assert [get(haystack, "web").status for _ in range(4)] == [200] * 4
    assert reused == [False, True, True, True]


def test_large_bodies_go_both_ways(inside):
    async def script(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MEGABYTES + await call.body())

    origin = inside.origin(script)
    body = bytes(range(256)) * (MEGABYTES // 256)
    with Haystack([inside.member("web", origin.port)]) as haystack, Client(haystack.port) as client:
        head = f"POST / HTTP/1.1\r\nHost: {host('web')}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        sender = threading.Thread(target=client.send, args=(head, body))
        sender.start()
        response = client.response("POST")
        sender.join()
        assert (response.status, response.body == body) == (200, True)


def test_a_websocket_goes_through(inside):
    origin = inside.origin(echo)
    with Haystack([inside.member("web", origin.port)]) as haystack, Client(haystack.port) as client:
        client.send(ask(host("web")))
        assert client.response().status == 101
        for word in (b"one", b"two" * 30000):
            client.send(word)
            assert client.take(len(word)) == word
        client.half_close()
        assert client.rest() == b""


def test_the_name_is_that_of_the_label_else_the_host_else_the_service(inside):
    asked: list[str | None] = []
    context = inside.context("www.example.com", host("web"))
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    origin = inside.origin(respond(), context)
    hosted = inside.member("hosted", origin.port, tls__server_name="", host="*.example.com,www.example.com")
    with Haystack([inside.member("web", origin.port, tls__server_name=""), hosted]) as haystack:
        assert (get(haystack, "web").status, asked[-1]) == (200, host("web"))
        assert (get(haystack, "hosted").status, asked[-1]) == (200, "www.example.com")


def test_an_address_may_be_the_name(inside):
    origin = inside.origin(respond(), inside.context("127.0.0.1"))
    with Haystack([inside.member("web", origin.port, tls__server_name="127.0.0.1")]) as haystack:
        assert get(haystack, "web").status == 200


def test_who_is_not_to_be_verified_is_not_and_that_is_told(inside):
    origin = inside.origin(respond(), server_context(*self_signed("x")))
    with Haystack([inside.member("web", origin.port, tls__verify="off", tls__ca="")]) as haystack:
        assert get(haystack, "web").status == 200
        with Client(haystack.port) as client:
            (container,) = json.loads(client.get("localhost", "/api/containers").body).values()
        assert [p["subject"] for p in container["problems"]] == ["label haystack.tls.verify"]
        assert haystack.wait("problem.found")


def test_a_closed_pooled_connection_is_no_error(inside):
    origin = inside.origin(respond())
    with Haystack([inside.member("web", origin.port)]) as haystack, Client(haystack.port) as client:
        for _ in range(3):
            assert client.get(host("web"), method="POST", extra=b"Content-Length: 0\r\n").status == 200
            origin.cut()
            until(lambda: not origin.open, 9, "the origin's connections stay")


# What goes wrong.


def old(context: ssl.SSLContext) -> ssl.SSLContext:
    """TLS 1.1 alone."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


BAD: dict[str, tuple[Callable[[Inside], ssl.SSLContext], set[str]]] = {
    "another name": (lambda inside: inside.context("other.internal"), {"tls_certificate_error"}),
    "expired": (lambda inside: inside.context(expired=True), {"tls_certificate_error"}),
    "another CA": (lambda _: server_context(*self_signed(NAME, names=(NAME,))), {"tls_certificate_error"}),
    # asyncio closes before its alert has gone
    "an old version": (lambda inside: old(inside.context()), {"tls_protocol_error", "tls_alert_received", "connection_terminated"}),
}


@pytest.mark.parametrize("flaw", BAD)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_bad_endpoint_is_told_as_what_it_is_and_another_one_gets_its_requests(inside, flaw):
    make, words = BAD[flaw]
    bad, good = inside.origin(respond(), make(inside)), inside.origin(respond())
    members = [inside.member("bad", bad.port), inside.member("both", bad.port), inside.member("both", good.port)]
    with Haystack(members) as haystack:
        status, word = said(get(haystack, "bad"))
        assert (status, word in words) == (502, True), word
        for method in ("POST", "GET") * 4:
            extra = b"Content-Length: 0\r\n" if method == "POST" else b""
            assert get(haystack, "both", method=method, extra=extra).status == 200
        until(lambda: haystack.serving("both", ready=False) == 1, 10, "the bad one stays in")
        assert not bad.requests


class Rude:
    """Takes connections, and answers a hello with these bytes; None: with silence; empty: with an end."""

    def __init__(self, loop: Loop, says: bytes | None) -> None:
        self.says = says
        self.server = loop.run(self._listen())
        self.port = self.server.sockets[0].getsockname()[1]

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def close(self) -> None:
        self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        if self.says is None:
            await reader.read()
        writer.write(self.says or b"")
        writer.close()


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", (502, "tls_protocol_error")),
        (b"", (502, "connection_terminated")),
        (b"\x15\x03\x03\x00\x02\x02\x28", (502, "tls_alert_received")),
        (b"\x16\x03\x03\x40\x00\x02", (502, "connection_terminated")),
        (None, (504, "connection_timeout")),
    ],
)
def test_a_handshake_that_fails_is_told_and_repeated_elsewhere(inside, fakes, says, told):
    rude, good = Rude(fakes, says), inside.origin(respond())
    members = [inside.member("rude", rude.port), inside.member("both", rude.port), inside.member("both", good.port)]
    with Haystack(members, HAYSTACK_CONNECT_TIMEOUT="700ms") as haystack:
        assert said(get(haystack, "rude")) == told
        assert [get(haystack, "both").status for _ in range(4)] == [200] * 4
    fakes.run(rude.close())


def test_a_plain_port_gets_no_bytes_of_a_request(inside, fakes):
    plain = Origin(fakes, respond()).start()
    with Haystack([inside.member("web", plain.port)], HAYSTACK_CONNECT_TIMEOUT="500ms") as haystack:
        assert said(get(haystack, "web")) == (504, "connection_timeout")
    assert b"HTTP/1.1" not in b"".join(map(bytes, plain.wire))
    plain.stop()


def test_nobody_listens(inside):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        with Haystack([inside.member("web", holder.getsockname()[1])]) as haystack:
            assert said(get(haystack, "web")) == (502, "connection_refused")


# The files of CAs.


def test_a_ca_that_can_not_be_read_keeps_its_endpoint_out_until_it_can(inside):
    origin = inside.origin(respond())
    later = inside.folder / "later.pem"
    with Haystack([inside.member("web", origin.port, tls__ca=str(later))]) as haystack:
        assert haystack.wait("trust.unreadable")["file"] == str(later)
        assert said(get(haystack, "web")) == (502, "proxy_configuration_error")
        later.write_text("nothing")
        later.write_bytes(inside.authority.path.read_bytes())
        until(lambda: get(haystack, "web").status == 200, 10, "the CA is not read")


def test_a_ca_that_is_replaced_counts_from_the_next_handshake_on(inside, tmp_path_factory):
    origin = inside.origin(respond_and_close(OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")))
    other = Authority(tmp_path_factory.mktemp("other"))
    with Haystack([inside.member("web", origin.port)]) as haystack:
        assert get(haystack, "web").status == 200
        before = inside.authority.path.read_bytes()
        inside.authority.path.write_bytes(other.path.read_bytes())
        until(lambda: said(get(haystack, "web"))[1] == "tls_certificate_error", 10, "the old CA counts still")
        inside.authority.path.write_bytes(before + other.path.read_bytes())
        until(lambda: get(haystack, "web").status == 200, 10, "the new CAs do not count")


# Coming and going.


def test_no_request_is_lost_while_a_container_is_replaced(inside):
    first, second = inside.origin(respond()), inside.origin(respond())
    failed: list[int] = []
    over = threading.Event()
    members = [inside.member("web", first.port, wait=""), None]
    with Haystack(members, HAYSTACK_WORKERS="2") as haystack:

        def load() -> None:
            while not over.is_set():
                with Client(haystack.port) as client:
                    failed.extend(r.status for r in (client.get(host("web")) for _ in range(20)) if r.status != 200)

        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        haystack.show([members[0], inside.member("web", second.port, wait="")])
        until(lambda: len(second.requests) > 50, 20, "the second one gets no requests")
        haystack.show([None, inside.member("web", second.port, wait="")])
        until(lambda: haystack.serving("web") == 1, 20, "the first one stays")
        first.stop()
        seen = len(second.requests)
        until(lambda: len(second.requests) > seen + 100, 20, "requests do not go on")
        over.set()
        for thread in threads:
            thread.join()
    assert failed == []


def test_a_health_check_speaks_tls(inside):
    async def script(call: Call) -> None:
        healthy = call.request.line.startswith("GET /up ")
        await respond(OK if healthy else OK.replace(b"200 OK", b"500 No"))(call)

    up, down = inside.origin(script), inside.origin(respond(OK.replace(b"200 OK", b"500 No")))
    health = {"health__path": "/up", "health__interval": "100ms", "health__fall": "1"}
    members = [inside.member("web", up.port, **health), inside.member("web", down.port, **health)]
    with Haystack(members) as haystack:
        until(lambda: haystack.serving("web", ready=False) == 1, 10, "the one that is down stays in")
        assert haystack.serving("web") == 1
