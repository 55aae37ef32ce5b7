"""A connection of HTTP/2 to an endpoint, as its pool and its endpoint see it: what is counted, what is closed, and who goes elsewhere."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
import pytest

from haystack.model.records import ConnectionOptions
from tests.fuzz.ends import End
from tests.fuzz.rig import Rig
from tests.fuzz.service import Manner

ONE, BOTH = 0b1, 0b11
GET = b"GET / HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: 1.2.3.4\r\nContent-Length: 0\r\n\r\n"
CANCEL = 8


class Peer:
    """An endpoint's end. streams: those that are asked for and were not answered; resets: code by stream; is_deaf: it reads nothing.

    pings, pongs: how often it was asked whether it is there, and was told that Haystack is.
    """

    def __init__(self, end: End) -> None:
        self.end = end
        self.http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.http2.initiate_connection()
        self.read = 0
        self.streams: list[int] = []
        self.resets: dict[int, int] = {}
        self.left = self.is_deaf = False
        self.pings = self.pongs = 0

    def look(self) -> bool:
        """Take in what has come, and say what there is to say; whether there was anything."""
        if self.is_deaf:
            return False
        new = bytes(self.end.seen[self.read :])
        self.read += len(new)
        for event in self.http2.receive_data(new) if new else ():
            if isinstance(event, h2.events.StreamEnded):
                self.streams.append(event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self.resets[event.stream_id] = int(event.error_code)
                self.streams.remove(event.stream_id)
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.left = True
            elif isinstance(event, h2.events.PingReceived):
                self.pings += 1
            elif isinstance(event, h2.events.PingAckReceived):
                self.pongs += 1
        data = self.http2.data_to_send()
        self.end.send(data)
        return bool(new or data)

    def answer(self, body: bytes = b"ok") -> None:
        """The stream that waits longest."""
        stream = self.streams.pop(0)
        self.http2.send_headers(stream, [(":status", "200"), ("content-length", str(len(body)))])
        self.http2.send_data(stream, body, end_stream=True)


class Peers:
    """All endpoints' ends of a rig."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.all: list[Peer] = []

    def settle(self) -> None:
        while True:
            self.rig.settle()
            self.all += [Peer(end) for end in self.rig.endpoints[len(self.all) :]]
            if not any(peer.look() for peer in self.all):
                return

    @property
    def waiting(self) -> list[int]:
        return [len(peer.streams) for peer in self.all]


@pytest.fixture
def peers(rig: Rig) -> Peers:
    """Both endpoints of the rig speak HTTP/2; one of them is in the table."""
    for endpoint in rig.service.endpoints:
        endpoint.use(ConnectionOptions(protocol="h2c"))
    rig.service.change(ONE, Manner(0))
    return Peers(rig)


def test_requests_share_a_connection_and_each_is_counted(rig: Rig, peers: Peers) -> None:
    clients = [rig.connect() for _ in range(5)]
    for client in clients:
        client.send(GET)
    peers.settle()
    endpoint = rig.service.endpoints[0]
    assert peers.waiting == [5]
    assert (endpoint.in_flight, endpoint.pooled) == (5, 0)
    for _ in range(5):
        peers.all[0].answer()
    peers.settle()
    assert all(client.seen.endswith(b"\r\n\r\nok") for client in clients)
    assert (endpoint.in_flight, endpoint.pooled) == (0, 1)
    clients[0].send(GET)
    peers.settle()
    assert peers.waiting == [1]
    assert (endpoint.in_flight, endpoint.pooled) == (1, 0)


def test_a_limit_of_the_endpoint_counts_requests(rig: Rig, peers: Peers) -> None:
    """haystack.max_connections, whatever a connection carries."""
    rig.service.change(ONE, Manner.LIMITED)
    clients = [rig.connect() for _ in range(3)]
    for client in clients:
        client.send(GET)
    for _ in range(3):
        peers.settle()
        assert peers.waiting == [1]
        peers.all[0].answer()
    peers.settle()
    assert all(client.seen.endswith(b"ok") for client in clients)


def test_an_endpoint_that_left_ends_its_streams_first(rig: Rig, peers: Peers) -> None:
    client = rig.connect()
    client.send(GET)
    peers.settle()
    rig.service.change(0b10, Manner(0))
    peers.settle()
    assert peers.waiting == [1]
    assert not peers.all[0].end.over
    peers.all[0].answer()
    peers.settle()
    assert client.seen.endswith(b"ok")
    assert peers.all[0].end.over


def test_an_idle_connection_says_that_it_leaves(rig: Rig, peers: Peers) -> None:
    rig.connect().send(GET)
    peers.settle()
    peers.all[0].answer()
    peers.settle()
    assert rig.service.endpoints[0].pooled == 1
    rig.service.change(0b10, Manner(0))
    peers.settle()
    assert peers.all[0].left
    assert peers.all[0].end.over
    assert rig.service.endpoints[0].pooled == 0


def test_streams_of_a_dead_endpoint_go_elsewhere(rig: Rig, peers: Peers) -> None:
    clients = [rig.connect() for _ in range(4)]
    for client, request in zip(clients, (GET, GET, GET, POST), strict=True):
        client.send(request)
    peers.settle()
    rig.service.change(BOTH, Manner(0))
    rig.service.change(0b10, Manner.ENDED)
    peers.settle()
    assert peers.waiting == [1, 3]
    assert list(peers.all[0].resets.values()) == [CANCEL] * 3
    for _ in range(3):
        peers.all[1].answer(b"elsewhere")
    peers.all[0].answer(b"here")
    peers.settle()
    assert [bytes(client.seen).rpartition(b"\n")[2] for client in clients] == [b"elsewhere"] * 3 + [b"here"]


def test_another_protocol_from_now_on(rig: Rig, peers: Peers) -> None:
    """What is under way ends as it began; the next request goes as it is wanted now."""
    client = rig.connect()
    client.send(GET)
    peers.settle()
    rig.service.endpoints[0].use(ConnectionOptions(protocol="http"))
    peers.all[0].answer()
    peers.settle()
    assert client.seen.endswith(b"ok")
    assert peers.all[0].end.over
    client.send(GET)
    rig.settle()
    assert rig.endpoints[-1].seen.startswith(b"GET / HTTP/1.1\r\n")


def test_a_client_that_leaves_while_nobody_answers(rig: Rig, peers: Peers) -> None:
    client = rig.connect()
    client.send(GET)
    peers.settle()
    rig.drop(client)
    peers.settle()
    assert list(peers.all[0].resets.values()) == [CANCEL]
    assert rig.service.endpoints[0].pooled == 1


def test_a_client_that_leaves_before_there_is_a_connection(rig: Rig, peers: Peers) -> None:
    client = rig.connect()
    client.send(GET)
    while not rig.service.endpoints[0].in_flight:
        rig.loop.turn()
    rig.drop(client)
    peers.settle()
    assert rig.service.endpoints[0].in_flight == 0


def test_a_broken_connection_says_nothing_of_what_was_not_sent(rig: Rig, peers: Peers) -> None:
    """Its SETTINGS never come: all but the first request wait, and are sent on the next connection, whatever their method."""
    client, other = rig.connect(), rig.connect()
    client.send(GET)
    peers.settle()
    peers.all[0].answer()
    peers.settle()
    rig.drop(peers.all[0].end)
    client.send(POST)
    other.send(POST)
    peers.settle()
    assert peers.waiting[-1] == 2


def test_a_refused_endpoint(rig: Rig, peers: Peers) -> None:
    rig.service.endpoints[4].use(ConnectionOptions(protocol="h2c"))
    rig.service.change(1 << 4, Manner.HASTY)
    clients = [rig.connect() for _ in range(3)]
    for client in clients:
        client.send(POST)
    peers.settle()
    assert all(client.seen.startswith(b"HTTP/1.1 502 ") for client in clients)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


@pytest.mark.parametrize("request_", [GET, POST])
def test_a_head_a_reset_and_a_goaway_in_one_batch_leave_nothing_behind(rig: Rig, peers: Peers, request_: bytes) -> None:
    """CVE-2023-35945. What the endpoint has not processed is sent again, on a connection of its own."""
    endpoint = rig.service.endpoints[0]
    clients = [rig.connect() for _ in range(3)]
    for number in range(10):
        for client in clients:
            client.send(request_)
        peers.settle()
        peer = peers.all[-1]
        (first, *others) = peer.streams
        head, reset = frame(1, 4, first, b"\x88"), frame(3, 0, first, CANCEL.to_bytes(4, "big"))
        peer.end.send(head + reset + frame(7, 0, 0, first.to_bytes(4, "big") + bytes(4)))
        peers.settle()
        assert peer.end.over
        assert len(peers.all) == number + 2
        assert peers.waiting[-1] == endpoint.in_flight == len(others)
        for _ in others:
            peers.all[-1].answer()
        peers.settle()
        assert [client.seen.endswith(b"\r\n\r\nok") for client in clients] == [False, True, True]
        assert (endpoint.in_flight, endpoint.pooled) == (0, 1)
        rig.drop(clients[0])
        clients[0] = rig.connect()
        peers.settle()
    assert rig.poller.open_sockets - rig.sockets == len(clients) + 1
