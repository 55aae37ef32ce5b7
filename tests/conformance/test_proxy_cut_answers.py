"""An answer that its endpoint broke off: what had arrived of it goes down, and its end tells that it is cut (RFC 9112, section 8)."""

from __future__ import annotations

import array
import asyncio
import fcntl
import os
import termios
import threading

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import Call, Script
from tests.fakes.worker import Site, until

PART = os.urandom(880_000)
SHORT = PART[:100_000]
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\n"


def breaks(*parts: bytes, reset: bool = False) -> Script:
    """Send these, and break off when the other side's kernel has all of it."""

    async def script(call: Call) -> None:
        for part in parts:
            await call.send(part)
        while unsent(call):  # noqa: ASYNC110 - the kernel announces nothing
            await asyncio.sleep(0.005)
        if reset:
            call.reset()
        call.keep = False

    return script


def unsent(call: Call) -> int:
    """Bytes that the other side has not acknowledged."""
    count = array.array("i", [0])
    fcntl.ioctl(call.writer.get_extra_info("socket").fileno(), termios.TIOCOUTQ, count)
    return count[0] + call.writer.transport.get_write_buffer_size()


def to_the_end(client: Client) -> tuple[bytes, str]:
    """All that comes, and which end."""
    data = bytearray()
    try:
        while piece := client.socket.recv(65536):
            data += piece
    except ConnectionResetError:
        return bytes(data), "RST"
    return bytes(data), "FIN"


def all_of_it(client: Client) -> tuple[bytes, bytes, str]:
    """Head, body as it stands on the wire, and which end came."""
    data, end = to_the_end(client)
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body, end


def dechunked(body: bytes) -> tuple[bytes, bool]:
    """The chunks that are whole, and whether the last one is among them."""
    found = bytearray()
    while b"\r\n" in body:
        line, _, body = body.partition(b"\r\n")
        if (size := int(line, 16)) == 0:
            return bytes(found), True
        found += body[:size]
        body = body[size + 2 :]
    return bytes(found), False


def ask(site: Site, script: Script, version: str) -> tuple[bytes, bytes, str]:
    """What a client gets that begins to read when the endpoint has gone."""
    name, origin = site.one(script)
    with site.client(timeout=10, small_window=True) as client:
        client.send(f"GET / HTTP/{version}\r\nHost: {name}\r\n\r\n".encode())
        until(lambda: origin.requests, 9, "the request never arrived")
        client.socket.recv(0)
        with site.client() as other:
            assert other.get("nowhere.services.haystack").status == 404
        return all_of_it(client)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_what_had_come_of_a_body_with_a_length_goes_down_and_the_end_is_orderly(site: Site, version: str) -> None:
    """RFC 9112, section 8: Content-Length tells that it is cut, so no reset is needed, which would throw away what is on its way."""
    head, body, end = ask(site, breaks(LENGTH, PART), version)
    assert b"Content-Length: 4000000" in head
    assert (len(body), end) == (len(PART), "FIN")
    assert body == PART


@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
def test_what_had_come_of_a_chunked_body_goes_down_without_a_last_chunk(site: Site, reset: bool) -> None:
    """Section 8: the missing last chunk tells."""
    _, body, end = ask(site, breaks(CHUNKED, b"%x\r\n%b\r\n" % (len(SHORT), SHORT), reset=reset), "1.1")
    assert dechunked(body) == (SHORT, False)
    assert end == "FIN"


def test_what_had_come_of_a_body_until_close_goes_down_without_a_last_chunk_after_a_reset(site: Site) -> None:
    """Section 8: where the endpoint's body ends with its connection, a reset of that is no end of it."""
    _, body, end = ask(site, breaks(UNTIL_CLOSE, SHORT, reset=True), "1.1")
    assert dechunked(body) == (SHORT, False)
    assert end == "FIN"


BARE = {
    "chunked": breaks(CHUNKED, b"%x\r\n%b\r\n" % (len(SHORT), SHORT)),
    "until close": breaks(UNTIL_CLOSE, SHORT, reset=True),
}


@pytest.mark.parametrize("script", BARE.values(), ids=BARE.keys())
def test_where_nothing_else_tells_a_reset_does_but_behind_all_that_had_come(site: Site, script: Script) -> None:
    """Section 8: to HTTP/1.0 a body without length ends with the connection."""
    _, body, end = ask(site, script, "1.0")
    assert (len(body), end) == (len(SHORT), "RST")
    assert body == SHORT


@pytest.mark.parametrize("bad", [b"no size\r\n", b"0\r\nno trailer\r\n\r\n"], ids=["size", "trailer"])
def test_good_chunks_before_bad_framing_go_down(site: Site, bad: bytes) -> None:
    """Section 7.1: what was framed well is the answer's, and what was not is no end of it."""
    go_on = threading.Event()

    async def script(call: Call) -> None:
        await call.send(CHUNKED + b"5\r\nhello\r\n")
        await asyncio.to_thread(go_on.wait, 10)
        await call.send(b"6\r\n world\r\n" + bad)
        call.keep = False

    name, _ = site.one(script)
    with site.client(timeout=10) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        while b"hello\r\n" not in client.buffer:
            client.buffer += client.socket.recv(65536)
        go_on.set()
        more, end = to_the_end(client)
        _, _, begun = bytes(client.buffer).partition(b"\r\n\r\n")
    assert (dechunked(begun + more), end) == ((b"hello world", False), "FIN")
