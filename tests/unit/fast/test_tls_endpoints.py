"""Pooled connections, within TLS and without, turned by hand: what has come there counts before an event tells of it."""

from __future__ import annotations

import os
import re
import select
import ssl
from pathlib import Path

import pytest

from haystack._fast.net.tls_client import TlsClient
from haystack.model.records import ConnectionOptions
from tests.fakes.pki import Authority, server_context
from tests.fakes.sealed import Sealed
from tests.fuzz.ends import End
from tests.fuzz.rig import ANSWER, Rig
from tests.fuzz.service import Manner
from tests.unit.fast.test_h2_client import GET, POST, Peer

ONE = 0b1
ALPN = {"https": "http/1.1", "h2": "h2"}
PROTOCOLS = ("http", "h2c", *ALPN)


def watched(rig: Rig) -> set[int]:
    """The descriptors that the worker's epoll has."""
    return {int(found) for found in re.findall(r"tfd:\s*(\d+)", Path(f"/proc/self/fdinfo/{rig.loop.fd}").read_text())}


class Endpoints:
    """The rig's endpoints. ends: each connection to them, as what is within TLS; peers: the same where they speak HTTP/2."""

    def __init__(self, rig: Rig, context: ssl.SSLContext) -> None:
        self.rig, self._context = rig, context
        self.ends: list[Sealed | End] = []
        self.peers: list[Peer] = []

    def use(self, protocol: str) -> None:
        """From now on; one of them is in the table."""
        self.is_shared = protocol in ("h2c", "h2")
        self.is_sealed = protocol in ALPN
        if self.is_sealed:
            self._context.set_alpn_protocols([ALPN[protocol]])
        for endpoint in self.rig.service.endpoints:
            endpoint.use(ConnectionOptions(protocol=protocol), TlsClient(ALPN[protocol].encode(), False) if self.is_sealed else None)
        self.rig.service.change(ONE, Manner(0))

    def settle(self) -> None:
        moved = True
        while moved:
            self.rig.settle()
            new = self.rig.endpoints[len(self.ends) :]
            self.ends += [Sealed(end, self._context) for end in new] if self.is_sealed else new
            moved = any(each.look() for each in self.ends if isinstance(each, Sealed))
            if self.is_shared:
                self.peers += [Peer(each) for each in self.ends[len(self.peers) :] if isinstance(each, End) or each.is_secure]
            moved = any(each.look() for each in self.peers) or moved

    def answer(self, number: int) -> None:
        """The request on this connection."""
        if self.is_shared:
            self.peers[number].answer()
        else:
            self.ends[number].send(ANSWER)
        self.settle()

    def asked(self) -> list[int]:
        """How many requests each connection has had, or in HTTP/2 has not answered yet."""
        if self.is_shared:
            return [len(each.streams) for each in self.peers]
        return [each.seen.count(b" HTTP/1.1\r\n") for each in self.ends]

    def pooled(self) -> int:
        """Have one request answered: its connection rests from here on. The worker's descriptor of it."""
        client = self.rig.connect()
        self.settle()
        before = watched(self.rig)
        client.send(GET)
        self.settle()
        (fd,) = watched(self.rig) - before
        self.answer(0)
        assert client.seen.endswith(b"\r\n\r\nok")
        assert self.rig.service.endpoints[0].pooled == 1
        return fd

    def untold(self, fd: int) -> None:
        """No event tells of what comes there from now on, as of what comes while others of a batch have their turn."""
        with select.epoll.fromfd(os.dup(self.rig.loop.fd)) as epoll:
            epoll.unregister(fd)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    return server_context(*Authority(tmp_path_factory.mktemp("ca")).issue("a.example"))


@pytest.fixture
def endpoints(rig: Rig, context: ssl.SSLContext) -> Endpoints:
    return Endpoints(rig, context)


@pytest.mark.parametrize("is_closed", [True, False])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_can_not_be_repeated_meets_no_connection_that_has_just_ended(
    endpoints: Endpoints, rig: Rig, protocol: str, is_closed: bool
) -> None:
    """Its event comes with the next batch: who gets the connection before is answered 502."""
    endpoints.use(protocol)
    endpoints.untold(endpoints.pooled())
    endpoints.ends[0].half_close()
    if is_closed:
        rig.drop(rig.endpoints[0])
    client = rig.connect()
    client.send(POST)
    endpoints.settle()
    assert endpoints.asked()[1:] == [1]
    endpoints.answer(1)
    assert client.seen.endswith(b"\r\n\r\nok")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_can_not_be_repeated_uses_a_connection_that_is_whole(endpoints: Endpoints, rig: Rig, protocol: str) -> None:
    """Messages of TLS itself, as the tickets that come behind the handshake, are no news of the endpoint."""
    endpoints.use(protocol)
    endpoints.pooled()
    client = rig.connect()
    client.send(POST)
    endpoints.settle()
    assert len(endpoints.ends) == 1
    endpoints.answer(0)
    assert client.seen.endswith(b"\r\n\r\nok")


@pytest.mark.parametrize("protocol", ["h2c", "h2"])
def test_what_was_found_on_a_shared_connection_is_read_though_no_event_tells_of_it(endpoints: Endpoints, rig: Rig, protocol: str) -> None:
    """It is the PING of an endpoint that has nothing to do, and its connection is as good as before."""
    endpoints.use(protocol)
    endpoints.untold(endpoints.pooled())
    (peer,) = endpoints.peers
    peer.http2.ping(b"is there")
    peer.end.send(peer.http2.data_to_send())
    rig.connect().send(POST)
    endpoints.settle()
    assert peer.pongs == 1
    assert endpoints.asked() == [1]
    endpoints.answer(0)
