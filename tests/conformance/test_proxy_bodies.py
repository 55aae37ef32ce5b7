"""Bodies of any size, streamed both ways: every octet, with bounded memory (RFC 9112, sections 6 and 7)."""

from __future__ import annotations

import array
import asyncio
import fcntl
import hashlib
import os
import socket
import termios
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.fakes.client import Client, Response
from tests.fakes.origin import OK, Call, Origin, respond
from tests.fakes.worker import Site, descriptors, resident, until

MIB = 1 << 20
SIZES = [0, 1, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 8 * MIB]
BODY = os.urandom(MIB) * 8
LIMIT = 8 * MIB


def chunks(body: bytes, size: int) -> Iterator[bytes]:
    """The body in the chunked coding, in chunks of that size (RFC 9112, section 7.1)."""
    for at in range(0, len(body), size):
        part = body[at : at + size]
        yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"


def framed(line: bytes, body: bytes, chunk: int) -> list[bytes]:
    """A message in pieces: chunk 0 means Content-Length."""
    if chunk:
        return [line + b"\r\nTransfer-Encoding: chunked\r\n\r\n", *chunks(body, chunk)]
    return [line + b"\r\nContent-Length: %d\r\n\r\n" % len(body), body]


def serve(body: bytes, chunk: int) -> object:
    async def script(call: Call) -> None:
        for piece in framed(b"HTTP/1.1 200 OK", body, chunk):
            await call.send(piece)

    return script


@pytest.fixture(scope="module")
def streaming(site: Site) -> tuple[str, Origin]:
    return site.one()


@pytest.mark.parametrize("chunk", [0, 1000, 100_000], ids=["length", "small chunks", "large chunks"])
@pytest.mark.parametrize("size", SIZES)
def test_a_response_body_arrives_whole_in_any_framing(site: Site, streaming: tuple[str, Origin], size: int, chunk: int) -> None:
    """Sections 6.2 and 7.1: whatever its framing, the same octets, and the connection goes on behind them."""
    name, origin = streaming
    origin.script = serve(BODY[:size], chunk)
    with site.client(timeout=10) as client:
        for _ in range(2):
            response = client.get(name)
            assert response.complete
            assert digest(response.body) == digest(BODY[:size])


@pytest.mark.parametrize("chunk", [0, 1000, 100_000], ids=["length", "small chunks", "large chunks"])
@pytest.mark.parametrize("size", SIZES)
def test_a_request_body_arrives_whole_in_any_framing(site: Site, streaming: tuple[str, Origin], size: int, chunk: int) -> None:
    """Sections 6.2 and 7.1, the other way."""
    name, origin = streaming
    origin.script = respond()
    with site.client(timeout=10) as client:
        for _ in range(2):
            client.send(b"".join(framed(b"POST / HTTP/1.1\r\nHost: " + name.encode(), BODY[:size], chunk)))
            assert client.response().body == b"ok"
    assert [digest(request.body) for request in origin.requests[-2:]] == [digest(BODY[:size])] * 2


@pytest.mark.parametrize("chunk", [0, 50_000], ids=["length", "chunked"])
def test_a_slow_origin_holds_its_client_back(site: Site, chunk: int) -> None:
    """Design: a side that can't send stops the other from being read; the worker's memory stays as it is."""
    gate = threading.Event()

    async def slow(call: Call) -> None:
        call.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.to_thread(gate.wait, 10)
        call.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await respond()(call)

    name, origin = site.one(slow)
    body = BODY * 4
    (worker,) = site.haystack.workers()
    before = resident(worker)
    with site.client(timeout=10) as client:
        sender = threading.Thread(target=client.send, args=framed(b"PUT / HTTP/1.1\r\nHost: " + name.encode(), body, chunk))
        sender.start()
        until(lambda: origin.requests, 9, "the head never arrived")
        until(lambda: stands_still(client.socket), 9, "the client could go on sending")
        assert resident(worker) - before < LIMIT
        gate.set()
        assert client.response().body == b"ok"
        sender.join(5)
    assert digest(origin.requests[0].body) == digest(body)
    assert resident(worker) - before < LIMIT


@pytest.mark.parametrize("chunk", [0, 50_000], ids=["length", "chunked"])
def test_a_slow_client_holds_its_origin_back(site: Site, chunk: int) -> None:
    """Design: the same, the other way."""
    name, origin = site.one(serve(BODY * 4, chunk))
    (worker,) = site.haystack.workers()
    before = resident(worker)
    with site.client(timeout=10, small_window=True) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        client.buffer += client.socket.recv(1)
        until(lambda: origin.requests, 9, "the request never arrived")
        assert max(resident(worker) for _ in range(100)) - before < LIMIT
        response = client.response()
    assert response.complete
    assert digest(response.body) == digest(BODY * 4)
    assert resident(worker) - before < LIMIT


@pytest.mark.parametrize("chunk", [0, 50_000], ids=["length", "chunked"])
def test_a_body_that_broke_off_leaves_nothing_for_the_next_one(site: Site, streaming: tuple[str, Origin], chunk: int) -> None:
    """RFC 9112, section 8: whatever lay in the proxy when an end was lost is nobody's, down or up; nor does it stay there."""
    name, origin = streaming
    (worker,) = site.haystack.workers()
    other, after = os.urandom(len(BODY) // 8), descriptors(worker)
    upload = b"".join(framed(b"PUT / HTTP/1.1\r\nHost: " + name.encode(), BODY, chunk))
    for _ in range(8):
        origin.script = serve(BODY, chunk)
        with site.client(small_window=True) as client:
            client.send(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            assert client.socket.recv(1)
        with site.client() as client:
            client.send(upload[:300_000])
        origin.script = serve(other, chunk)
        with site.client(timeout=10) as client:
            assert digest(client.get(name).body) == digest(other)
            origin.script = respond()
            client.send(b"".join(framed(b"PUT / HTTP/1.1\r\nHost: " + name.encode(), other, chunk)))
            assert client.response().body == b"ok"
        assert digest(origin.requests[-1].body) == digest(other)
    until(lambda: descriptors(worker) <= after + 64, 9, "descriptors of exchanges that ended stay open")


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def stands_still(sender: socket.socket) -> bool:
    """Whether what a blocked sender has in the kernel, unsent, has come to rest."""
    first = unsent(sender)
    return first > 64 * 1024 and all(unsent(sender) == first for _ in range(2000))


def unsent(sender: socket.socket) -> int:
    count = array.array("i", [0])
    fcntl.ioctl(sender.fileno(), termios.TIOCOUTQ, count)
    return count[0]


# Answers that come while the body is still on its way: RFC 9112, sections 9.3, 9.5 and 9.6.


def early(answer: bytes, *, read: int = 0, close: bool = False) -> object:
    """Answer after `read` bytes of the body; then close at once, or read on as far as the body goes."""

    async def script(call: Call) -> None:
        await call.reader.readexactly(read)
        await call.send(answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) if close else answer)
        call.keep = not close
        if not close:
            await call.reader.readexactly(int(call.request.fields("content-length")[0]) - read)

    return script


def upload(client: Client, name: str, body: bytes) -> Response:
    """Send all of it from another thread, as a client that looks up only when it has an answer."""
    head = f"POST / HTTP/1.1\r\nHost: {name}\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    def send() -> None:
        with suppress(OSError):  # the answer says why
            client.send(head, body)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        return client.response()
    finally:
        client.socket.shutdown(socket.SHUT_RDWR)
        sender.join(5)


TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large"


@pytest.mark.parametrize("close", [True, False], ids=["closes", "stays"])
@pytest.mark.parametrize("size", [100, 100_000, 8 * MIB])
def test_an_early_refusal_reaches_a_client_that_sends_on(site: Site, size: int, close: bool) -> None:
    """RFC 9112, section 9.6: the answer must not be lost to a reset because of bytes that nobody reads."""
    name, origin = site.one(early(TOO_LARGE, read=50, close=close))
    for _ in range(3):
        with site.client() as client:
            response = upload(client, name, BODY[:size])
            assert (response.status, response.body) == (413, b"too large")
    origin.script = respond()
    with site.client() as client:
        assert client.get(name).status == 200


def test_an_early_answer_is_not_held_back(site: Site) -> None:
    """RFC 9112, section 9.3: it reaches a client that has sent half of its body and waits."""
    name, origin = site.one(early(OK, read=4))
    with site.client() as client:
        client.send(f"POST / HTTP/1.1\r\nHost: {name}\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY[:4])
        response = client.response()
        assert (response.body, response.get("connection")) == (b"ok", "close")
        client.send(BODY[4:50_000])
        assert client.closed()
    assert origin.connections == 1


def test_a_large_early_answer_arrives_whole(site: Site) -> None:
    """RFC 9112, section 9.6: as long as the client reads, whatever it sends meanwhile."""
    name, _ = site.one(early(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY, read=1))
    with site.client(timeout=10) as client:
        response = upload(client, name, BODY)
    assert response.complete
    assert digest(response.body) == digest(BODY)


def test_an_answer_that_ends_before_the_body_does_waits_for_neither(site: Site) -> None:
    """RFC 9112, section 9.3: head early, body late: the exchange goes on both ways at once."""

    async def both(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(4):
            piece = (await call.reader.readexactly(9))[3:7]
            await call.send(b"4\r\n" + piece + b"\r\n")
        assert await call.reader.readexactly(5) == b"0\r\n\r\n"
        await call.send(b"0\r\n\r\n")

    name, origin = site.one(both)
    with site.client() as client:
        client.send(f"POST / HTTP/1.1\r\nHost: {name}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        assert client._until(b"\r\n\r\n")
        for piece in (b"ping", b"pong", b"pang", b"peng"):
            chunk = b"4\r\n" + piece + b"\r\n"
            assert client.send(chunk).take(len(chunk)) == chunk
        assert client.send(b"0\r\n\r\n").take(5) == b"0\r\n\r\n"
    assert origin.connections == 1
