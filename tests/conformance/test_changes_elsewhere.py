"""A hundred changes of one service leave another's WebSockets and long streams alone: over TLS, HTTP/2, and TLS that is passed through."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.test_http2_websocket import echo
from tests.fakes import h2_origin
from tests.fakes.client import Client
from tests.fakes.far_end import FarEnd
from tests.fakes.far_end import echo as echo_bytes
from tests.fakes.h2_origin import H2Origin
from tests.fakes.http2 import Http2Client
from tests.fakes.origin import Call, Loop, Origin
from tests.fakes.pki import Authority
from tests.fakes.tls import TlsClient, hello, trusting
from tests.fakes.worker import Haystack, Member, host, until

CHANGES = 100
A, NEW, RAW = host("a"), host("new"), "raw.example.net"
UPGRADE = b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
Turn = Callable[[bytes], bytes]


class Town:
    """Service A in all its forms, and B, which changes. beats: what its streams say next."""

    def __init__(self, folder: Path, loop: Loop) -> None:
        self.loop = loop
        self.queues: list[asyncio.Queue[bytes]] = []
        (folder / "certs").mkdir()
        self.authority = Authority(folder)
        self.authority.write(folder / "certs", "inside", "*.services.haystack")
        self.old, self.new = Origin(loop, self.old_script).start(), H2Origin(loop, self.new_script).start()
        self.others = [Origin(loop, self.old_script).start() for _ in range(2)]
        self.raw = FarEnd(echo_bytes)
        self.members: list[Member | None] = [
            Member("a", self.old.port),
            Member("new", self.new.port, {"haystack.protocol": "h2c"}),
            Member("raw", self.raw.port, {"haystack.https": "passthrough", "haystack.host": RAW}),
        ]
        own = {"HAYSTACK_CERTS": str(folder / "certs"), "HAYSTACK_H2C": "on", "HAYSTACK_WORKERS": "2"}
        self.haystack = Haystack([m for m in self.members if m], **own)

    async def old_script(self, call: Call) -> None:
        """A WebSocket, or a stream without an end."""
        if call.request.fields("upgrade"):
            return await echo(call)
        queue = self.queue()
        await call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            data = await queue.get()
            await call.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def new_script(self, call: h2_origin.Call) -> None:
        queue = self.queue()
        call.head(200)
        while True:
            await call.data(await queue.get())

    def queue(self) -> asyncio.Queue[bytes]:
        self.queues.append(asyncio.Queue())
        return self.queues[-1]

    def beat(self, data: bytes) -> None:
        """All streams say this."""
        for queue in self.queues:
            self.loop.loop.call_soon_threadsafe(queue.put_nowait, data)

    @property
    def https(self) -> int:
        return int(self.haystack.wait("ready")["https"])

    def sealed(self, name: str = A, *protocols: str) -> tuple[int, object, str]:
        context = trusting(self.authority.path)
        context.set_alpn_protocols(list(protocols))
        return self.https, context, name

    def change(self, number: int) -> None:
        """Service B has one endpoint more, or one less."""
        count = number % 2 + 1
        self.haystack.show([*self.members, *(Member("b", other.port) for other in self.others[:count])])
        until(lambda: self.haystack.serving("b") == count, 10, "no change")

    def close(self) -> None:
        for each in (self.old, self.new, *self.others):
            each.stop()
        self.raw.close()


@pytest.fixture
def town(tmp_path: Path, fakes: Loop) -> Iterator[Town]:
    made = Town(tmp_path, fakes)
    with made.haystack:
        yield made
    made.close()


def websocket(client: Client) -> Turn:
    client.send(f"GET /ws HTTP/1.1\r\nHost: {A}\r\n".encode() + UPGRADE + b"\r\n")
    assert client.response().status == 101
    return lambda data: client.send(data).take(len(data))


def websocket_h2(client: Http2Client) -> Turn:
    client.hear(lambda: client.settled)
    number = client.begin(A, "/ws", "CONNECT", fields=[("sec-websocket-version", "13")], end=False, protocol="websocket")
    client.hear(lambda: client.answers[number].status)
    assert client.answers[number].status == 200
    heard = client.answers[number].body

    def turn(data: bytes) -> bytes:
        client.upload(number, data)
        client.hear(lambda: len(heard) >= len(data))
        said = bytes(heard[: len(data)])
        del heard[: len(data)]
        return said

    return turn


def stream(client: Client) -> Turn:
    """Of chunks."""
    client.send(f"GET /stream HTTP/1.1\r\nHost: {A}\r\n\r\n".encode())
    while b"\r\n\r\n" not in client.buffer:
        assert client._fill()
    client._until(b"\r\n\r\n")
    return lambda data: client.take(len(b"%x\r\n%b\r\n" % (len(data), data))).split(b"\r\n")[1]


def stream_h2(client: Http2Client, name: str) -> Turn:
    number = client.begin(name, "/stream")
    client.hear(lambda: client.answers[number].status)
    heard = client.answers[number].body

    def turn(data: bytes) -> bytes:
        client.hear(lambda: len(heard) >= len(data))
        said = bytes(heard[: len(data)])
        del heard[: len(data)]
        return said

    return turn


def passed(client: Client) -> Turn:
    data = hello(RAW)
    assert client.send(data).take(len(data)) == data
    return lambda data: client.send(data).take(len(data))


def test_a_hundred_changes_of_b_leave_what_a_has_open(town: Town) -> None:
    with contextlib.ExitStack() as stack:
        old, new = town.sealed(A, "http/1.1"), town.sealed(A, "h2")
        turns: dict[str, Turn] = {
            "WebSocket over TLS": websocket(stack.enter_context(TlsClient(*old))),
            "WebSocket over h2": websocket_h2(stack.enter_context(Http2Client(*new))),
            "WebSocket over h2c": websocket_h2(stack.enter_context(Http2Client(town.haystack.port))),
            "stream over TLS": stream(stack.enter_context(TlsClient(*old))),
            "stream over h2": stream_h2(stack.enter_context(Http2Client(*new)), A),
            "stream of an h2c endpoint over h2": stream_h2(stack.enter_context(Http2Client(*town.sealed(NEW, "h2"))), NEW),
            "passed through": passed(stack.enter_context(Client(town.https))),
        }
        until(lambda: len(town.queues) == 3, 9, "not all streams have begun")
        for number in range(CHANGES):
            town.change(number)
            data = b"after change %d" % number
            town.beat(data)
            assert {name: turn(data) for name, turn in turns.items()} == dict.fromkeys(turns, data)
