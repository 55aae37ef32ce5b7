"""Records of a worker's TLS, turned by hand: how full they are, and what reads and writes wait for (SSL_ERROR_WANT_*)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from haystack._fast.exchange.listener import Listener
from haystack._fast.net.tls_server import Credential, TlsServer
from tests.fakes.pki import Authority
from tests.fakes.sealed import DATA, HANDSHAKE, KEY_UPDATE, Records, Sealed, logged_secret, records, settle
from tests.fakes.tls import trusting
from tests.fuzz.rig import Rig
from tests.unit.fast.test_tls import LAST, NAME, REQUEST, Client, Edge

FULL = 16384
MEGA = 1 << 20


def test_records_of_a_long_body_are_full(rig: Rig, tmp_path: Path) -> None:
    """Each costs 22 bytes and a pass of the cipher (RFC 8446, section 5.1)."""
    authority = Authority(tmp_path)
    server = TlsServer("1.2", rig.errors.append)
    server.show({NAME: Credential(*authority.issue(NAME), [NAME, "1"])}, (), None)
    rig.listener.stop()
    rig.listener = Listener(rig.worker, rig.places.listener.fileno(), 0, None, server)
    client = Sealed(rig.connect(), trusting(authority.path), NAME)
    settle(rig, client)
    client.send(b"GET / HTTP/1.1\r\nHost: 1\r\n\r\n")
    settle(rig, client)
    before = len(client.end.seen)
    (endpoint,) = rig.endpoints
    endpoint.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MEGA)
    left = memoryview(bytes(MEGA))
    while left:
        sent = len(endpoint.sent)
        endpoint.send(left)
        left = left[len(endpoint.sent) - sent :]
        settle(rig, client)
    assert client.seen.endswith(bytes(MEGA))
    sizes = [size for _, size in records(bytes(client.end.seen[before:]))]
    assert sizes.count(FULL) >= MEGA // FULL * 0.9


class Odd:
    """A client whose records are made by hand from its handshake on; what comes is read by OpenSSL."""

    def __init__(self, edge: Edge, folder: Path) -> None:
        log = folder / "keys"
        self.client = Client(edge.connect(), trusting(edge.trust, keylog_filename=str(log)))
        edge.beside(self.client.handshake)
        edge.settle()
        self.records = Records(logged_secret(log))
        log.unlink()

    def say(self, data: bytes, kind: int = DATA) -> None:
        self.client.sock.sendall(self.records.record(kind, data))

    def renew(self) -> None:
        """What follows has the next key."""
        self.records = self.records.next_key()


@pytest.fixture
def edge(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Edge]:
    made = Edge(tmp_path, getattr(request, "param", socket.AF_INET))
    yield made
    made.close()


@pytest.mark.parametrize("edge", [socket.AF_UNIX], indirect=True)
def test_another_key_is_said_when_there_is_room_for_that(edge: Edge, tmp_path: Path) -> None:
    """A client asks for it where its own socket is just full: that goes before the next answer, and neither has gone."""
    first = Odd(edge, tmp_path)
    for _ in range(5):
        first.say(REQUEST * 200)
    edge.settle()
    full = first.client.waiting()
    first.client.sock.close()
    edge.settle()
    assert full < 400
    for number in range(full - 6, full + 2):
        odd = Odd(edge, tmp_path)
        odd.say(REQUEST * (number // 2))
        odd.say(REQUEST * (number - number // 2))
        edge.settle()
        odd.say(KEY_UPDATE, HANDSHAKE)
        odd.renew()
        odd.say(LAST)
        edge.settle()
        edge.beside(odd.client.rest)
        odd.client.sock.close()
        edge.settle()


def test_writing_goes_on_when_what_it_has_to_read_has_come(edge: Edge, tmp_path: Path) -> None:
    """A request for another key comes in two records: between them OpenSSL writes nothing."""
    odd = Odd(edge, tmp_path)
    odd.client.sock.sendall(odd.records.record(DATA, REQUEST) + odd.records.record(HANDSHAKE, KEY_UPDATE[:4]))
    edge.settle()
    assert odd.client.so_far() == b""
    odd.say(KEY_UPDATE[4:], HANDSHAKE)
    edge.settle()
    assert odd.client.so_far().startswith(b"HTTP/1.1 404 ")
    odd.client.sock.close()
    edge.settle()
