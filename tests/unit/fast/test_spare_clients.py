"""Connections of clients that have ended, for new clients: nothing of the one before is left, and there are not too many."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from haystack._fast.connection import spares, testing
from haystack._fast.exchange.listener import Listener
from tests.fuzz.ends import End, Places
from tests.fuzz.rig import ANSWER, Rig
from tests.fuzz.service import Manner

LONG = 60_000
SPARES = 64
CLOSE = b"GET /secret HTTP/1.1\r\nHost: 1.2.3.4\r\nConnection: close\r\nCookie: secret\r\n\r\n"
CHUNKS = b"3\r\nabc\r\n0\r\nX-Trailer: secret\r\n\r\n"
UPLOAD = b"POST / HTTP/1.1\r\nHost: 1.2.3.4\r\nTransfer-Encoding: chunked\r\n\r\n%sGET /half HTTP/1.1\r\nHo" % CHUNKS


@pytest.fixture
def rig() -> Iterator[Rig]:
    spares.forget_spares()
    times = dict.fromkeys(("head_ms", "idle_ms", "connect_ms", "tunnel_ms", "pool_ms", "queue_ms"), LONG)
    places = Places()
    made = Rig(places, **times)
    made.service.timeout_ms = LONG
    made.service.change(1, Manner(0))
    yield made
    for end in (*made.clients, *made.endpoints):
        made.drop(end)
    made.settle()
    made.service.change(0, Manner(0))
    made.close()
    places.close()
    spares.forget_spares()


def answered(rig: Rig, client: End, request: bytes) -> None:
    """Have the endpoint answer this request."""
    client.send(request)
    rig.settle()
    endpoint = rig.endpoint()
    assert endpoint is not None
    endpoint.send(ANSWER)
    rig.settle()
    assert client.seen.endswith(b"ok")


def unused() -> testing.Held:
    """What one that was never used holds."""
    spares.forget_spares()
    held, used = testing.next_client()
    assert not used
    return held


def closed(rig: Rig) -> None:
    answered(rig, rig.connect(), CLOSE)


def left(rig: Rig) -> None:
    """It has sent a body with a trailer section, and half of another head, and goes."""
    client = rig.connect()
    answered(rig, client, UPLOAD)
    rig.drop(client)
    rig.settle()


def broken_off(rig: Rig) -> None:
    """It goes before it is answered."""
    client = rig.connect()
    client.send(UPLOAD)
    rig.settle()
    rig.drop(client)
    rig.settle()


def refused(rig: Rig) -> None:
    client = rig.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: 1.2.3.4\r\nBad Header: secret\r\n\r\n")
    rig.settle()
    client.half_close()
    rig.settle()


@pytest.mark.parametrize("life", [closed, left, broken_off, refused])
def test_one_that_is_used_again_has_the_bytes_of_one_that_never_was(rig, life):
    held = unused()
    life(rig)
    rig.poller.sweep()
    rig.settle()
    assert testing.spare_clients() == 1
    assert testing.kept_bytes() != [held]  # or there would be nothing to wipe
    assert testing.next_client() == (held, True)


def test_a_client_gets_one_of_before_and_is_served_as_any_other(rig):
    for _ in range(3):
        closed(rig)
        assert testing.spare_clients() == 1


def test_one_that_is_still_in_its_batch_is_nobody_elses(rig):
    clients = [rig.connect() for _ in range(3)]
    rig.settle()
    assert testing.spare_clients() == 0
    for client in clients:
        rig.drop(client)
    rig.connect()  # the listener and the three that have gone are handled in one batch
    rig.settle()
    assert len(rig.errors) == 0
    closed(rig)
    assert testing.spare_clients() == 3


def test_there_are_no_more_than_so_many(rig):
    for _ in range(SPARES + 6):
        rig.connect()
        rig.settle()
    for client in rig.clients:
        rig.drop(client)
    rig.settle()
    assert testing.spare_clients() == SPARES


def test_the_address_of_a_client_is_that_of_its_own_connection(rig):
    """The first comes from one address, and the second, on the same objects, from another."""
    server = socket.create_server(("127.0.0.1", 0))
    server.setblocking(False)
    listener = Listener(rig.worker, server.fileno(), 0)
    for address in ("127.0.0.21", "127.0.0.1"):
        client = rig.watch(socket.create_connection(server.getsockname(), source_address=(address, 0)))
        answered(rig, client, CLOSE)
        assert f"X-Forwarded-For: {address}\r\n".encode() in rig.endpoint().seen
        assert testing.spare_clients() == 1
        rig.endpoint().seen.clear()
        rig.drop(client)
    listener.stop()
    server.close()
