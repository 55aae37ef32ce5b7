"""What goes through after 101: raw bytes, both ways, in bounded memory, until both sides have ended (RFC 9110, sections 7.8 and 9.3.6)."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import struct
import threading

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import Call, respond
from tests.fakes.worker import Site, descriptors, resident, until

FIELDS = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def ask(name: str) -> bytes:
    return f"GET /chat HTTP/1.1\r\nHost: {name}\r\n{FIELDS}\r\n".encode()


def opened(client: Client, name: str) -> Client:
    """The client, in its tunnel."""
    assert client.send(ask(name)).response().status == 101
    return client


async def echo(call: Call) -> None:
    """Switch, then say back what is said, to the end."""
    await call.send(SWITCH)
    while data := await call.reader.read(65536):
        await call.send(data)
    call.keep = False


LARGE = os.urandom(1 << 20) * 8


def test_large_data_both_ways_at_once(site: Site) -> None:
    """Section 7.8: every octet, in order, in bounded memory."""
    name, _ = site.one(echo)
    (worker,) = site.haystack.workers()
    with site.client(timeout=10) as client:
        opened(client, name)
        before = resident(worker)
        sender = threading.Thread(target=lambda: client.send(LARGE).half_close())
        sender.start()
        back = client.rest()
        sender.join(5)
        assert resident(worker) - before < 8_000_000
    assert hashlib.sha256(back).digest() == hashlib.sha256(LARGE).digest()


def test_half_closes_pass_through_either_way(site: Site) -> None:
    """RFC 9110, section 7.8: the tunnel is TCP's to end, each direction by itself."""

    async def count(call: Call) -> None:
        await call.send(SWITCH)
        data = await call.reader.read()
        await call.send(b"%d bytes" % len(data))
        call.keep = False

    async def goodbye(call: Call) -> None:
        await call.send(SWITCH + b"bye")
        call.writer.write_eof()
        heard.append(await call.reader.read())
        call.keep = False

    heard: list[bytes] = []
    first, _ = site.one(count)
    with site.client() as client:
        opened(client, first)
        assert client.send(b"12345").half_close().rest() == b"5 bytes"
    second, _ = site.one(goodbye)
    with site.client() as client:
        opened(client, second)
        assert client.rest() == b"bye"
        client.send(b"still talking").half_close()
        until(lambda: heard, 9, "the origin never heard the end")
    assert heard == [b"still talking"]


def test_the_end_of_either_side_ends_the_other(site: Site) -> None:
    """RFC 9110, section 9.3.6 of tunnels: what is left is sent on, then both are closed; no descriptor stays."""
    name, origin = site.one(echo)
    (worker,) = site.haystack.workers()
    with site.client() as client:
        opened(client, name)
        before = descriptors(worker)
        origin.cut()
        assert client.closed()
    until(lambda: descriptors(worker) <= before - 2, 9, "a half of the tunnel is still there")
    with site.client() as client:
        opened(client, name)
        client.send(b"hello").take(5)
    until(lambda: descriptors(worker) <= before - 2, 9, "a half of the tunnel is still there")


def test_a_tunnel_is_no_pooled_connection(site: Site) -> None:
    """RFC 9112, section 9.3: a connection that has been switched never carries HTTP again."""
    name, origin = site.one(echo)
    with site.client() as client:
        opened(client, name)
        client.send(b"hello").take(5)
        origin.script = respond()
        with site.client() as other:
            assert other.get(name).body == b"ok"
    with site.client() as client:
        assert client.get(name).body == b"ok"
    assert origin.connections == 2


def test_a_client_that_does_not_read_holds_its_origin_back(site: Site) -> None:
    """Design: a sink that takes no more stops its source from being read."""

    async def flood(call: Call) -> None:
        await call.send(SWITCH)
        for at in range(0, len(LARGE), 65536):
            await call.send(LARGE[at : at + 65536])
        call.keep = False

    name, _ = site.one(flood)
    (worker,) = site.haystack.workers()
    with site.client(timeout=10, small_window=True) as client, site.client() as other:
        opened(client, name)
        before = resident(worker)
        for _ in range(20):
            assert other.get("localhost", "/healthz").status == 200
        assert resident(worker) - before < 4_000_000
        assert hashlib.sha256(client.rest()).digest() == hashlib.sha256(LARGE).digest()


def test_what_comes_before_101_waits_in_the_clients_kernel(site: Site) -> None:
    """Section 7.8: as much as a client may send early, the worker stores next to none of it, and all of it arrives in order."""
    gate = threading.Event()

    async def late(call: Call) -> None:
        await asyncio.to_thread(gate.wait, 10)
        await echo(call)

    name, origin = site.one(late)
    (worker,) = site.haystack.workers()
    with site.client(timeout=10) as client, site.client() as other:
        before = resident(worker)
        sender = threading.Thread(target=lambda: client.send(ask(name) + LARGE).half_close())
        sender.start()
        until(lambda: origin.requests, 9, "the request never arrived")
        for _ in range(20):
            assert other.get("localhost", "/healthz").status == 200
        assert resident(worker) - before < 4_000_000
        gate.set()
        assert client.response().status == 101
        assert hashlib.sha256(client.rest()).digest() == hashlib.sha256(LARGE).digest()
        sender.join(5)


@pytest.mark.parametrize("first", ["client", "origin"])
def test_a_reset_of_one_side_ends_the_other(site: Site, first: str) -> None:
    """Section 9.3.6: a tunnel is closed when either side closes it; nothing of it stays in the worker."""
    name, origin = site.one(echo)
    (worker,) = site.haystack.workers()
    with site.client() as other:
        assert other.get("localhost", "/healthz").status == 200
        before = descriptors(worker)
        with site.client() as client:
            opened(client, name).send(b"hello").take(5)
            assert origin.open == 1
            if first == "origin":
                origin.cut(reset=True)
                assert client.closed()
            else:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # fewer: a pooled connection of another test may have had its time meanwhile
        until(lambda: not origin.open and descriptors(worker) <= before, 9, "a half of the tunnel is still there")


def test_many_small_words_keep_their_turns(site: Site) -> None:
    """Section 7.8: a conversation, not a stream: each word is passed on at once."""
    name, _ = site.one(echo)
    with site.client() as client:
        opened(client, name)
        for number in range(300):
            word = b"%d\r\n\r\n" % number
            assert client.send(word).take(len(word)) == word
