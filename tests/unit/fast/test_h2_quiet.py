"""Endpoints of HTTP/2 that send nothing: when they are asked whether they are there (PING), and how long they have for the answer.

Times are those of http2_client.pyx; they pass as a test says.
"""

from __future__ import annotations

import pytest

from haystack._fast.exchange import testing
from haystack.model.records import ConnectionOptions
from tests.fuzz.ends import End
from tests.fuzz.rig import Rig
from tests.fuzz.service import Manner
from tests.unit.fast.test_h2_client import GET, ONE, Peer, Peers

QUIET, PONG, AGAIN = 30_000, 10_000, 310_000  # milliseconds
NOT_YET = 1000  # less than which no test takes
DEAF = 3  # of the endpoints, the one that takes no connection and does not refuse one


@pytest.fixture
def peers(rig: Rig) -> Peers:
    for endpoint in rig.service.endpoints:
        endpoint.use(ConnectionOptions(protocol="h2c"))
    rig.service.timeout_ms = 3_600_000  # of requests, which is none of this
    rig.service.change(ONE, Manner(0))
    return Peers(rig)


def waiting(rig: Rig, peers: Peers) -> End:
    """A client whose request is at the endpoint."""
    client = rig.connect()
    client.send(GET)
    peers.settle()
    assert peers.waiting[0] == 1
    return client


def passes(rig: Rig, peers: Peers, ms: int) -> None:
    """So much time, for its connection."""
    testing.let_pass(rig.service.endpoints[0], ms)
    rig.poller.sweep()
    peers.settle()


def answers_pings(peer: Peer, *, well: bool) -> None:
    peer.is_deaf = not well


def test_it_is_asked_after_thirty_seconds_and_again_after_five_minutes(rig: Rig, peers: Peers) -> None:
    """gRPC servers forgive one PING each five minutes while nothing else is sent."""
    client = waiting(rig, peers)
    (peer,) = peers.all
    passes(rig, peers, QUIET - NOT_YET)
    assert peer.pings == 0
    passes(rig, peers, NOT_YET)
    assert peer.pings == 1
    passes(rig, peers, AGAIN - NOT_YET)
    assert peer.pings == 1
    passes(rig, peers, NOT_YET)
    assert peer.pings == 2
    peer.answer()
    peers.settle()
    assert client.seen.endswith(b"ok")


def test_a_response_meanwhile_lets_it_be_asked_sooner(rig: Rig, peers: Peers) -> None:
    client = waiting(rig, peers)
    (peer,) = peers.all
    passes(rig, peers, QUIET)
    peer.answer()
    peers.settle()
    client.send(GET)
    peers.settle()
    passes(rig, peers, QUIET)
    assert peer.pings == 2


def test_without_an_answer_the_connection_ends_ten_seconds_later_and_its_requests_go_elsewhere(rig: Rig, peers: Peers) -> None:
    client = waiting(rig, peers)
    (peer,) = peers.all
    peer.is_deaf = True
    passes(rig, peers, QUIET)
    passes(rig, peers, PONG - NOT_YET)
    assert not peer.end.over
    rig.service.change(0b11, Manner(0))
    passes(rig, peers, NOT_YET)
    assert peer.end.over
    assert peers.waiting[1:] == [1]
    peers.all[1].answer()
    peers.settle()
    assert client.seen.endswith(b"ok")


def test_who_has_nothing_to_answer_is_not_asked(rig: Rig, peers: Peers) -> None:
    waiting(rig, peers)
    (peer,) = peers.all
    peer.answer()
    peers.settle()
    passes(rig, peers, QUIET)
    assert peer.pings == 0


def test_one_that_is_not_connected_yet_is_not_asked(rig: Rig, peers: Peers) -> None:
    """Where the endpoint is told whose a connection is (PROXY protocol), its one request has it before it is made."""
    deaf = rig.service.endpoints[DEAF]
    deaf.use(ConnectionOptions(protocol="h2c", proxy_protocol=2))
    rig.service.change(1 << DEAF, Manner(0))
    client = rig.connect()
    client.send(GET)
    peers.settle()
    testing.let_pass(deaf, QUIET)
    rig.poller.sweep()
    peers.settle()
    assert (deaf.in_flight, bytes(client.seen)) == (1, b"")
