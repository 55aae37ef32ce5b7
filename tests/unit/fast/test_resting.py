"""Clients of HTTP/2 that rest: their sessions are packed, and whatever happens next finds them as they were."""

from __future__ import annotations

import os
from collections.abc import Iterator

import h2.config
import h2.connection
import h2.events
import pytest

from haystack._fast.connection import resting
from tests.fuzz.ends import End, Places
from tests.fuzz.rig import ANSWER, Rig
from tests.fuzz.service import Manner

LONG = 60_000
MOST = 128  # that a look packs
FIELDS = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "1.2.3.4"), ("x-long", "l" * 100)]

pytestmark = pytest.mark.skipif(os.sysconf("SC_PAGESIZE") != 4096, reason="nothing is packed where pages are larger")


class Client:
    """One of HTTP/2. What comes is checked by `h2`, which keeps to its dynamic tables too."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.end: End = rig.connect()
        self.read = 0
        self.events: list[h2.events.Event] = []
        self.codec = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.codec.initiate_connection()
        self.settle()

    def settle(self) -> None:
        """Until neither side has anything to say."""
        while data := self.codec.data_to_send():
            self.end.send(data)
            self.hear()

    def hear(self) -> None:
        self.rig.settle()
        new = bytes(self.end.seen[self.read :])
        self.read += len(new)
        self.events += self.codec.receive_data(new)

    def ask(self, *, ended: bool = True) -> int:
        stream = int(self.codec.get_next_available_stream_id())
        self.codec.send_headers(stream, FIELDS, end_stream=ended)
        self.settle()
        return stream

    def take(self, kind: type[h2.events.Event]) -> list[h2.events.Event]:
        """What came of this kind since it was asked last."""
        found = [event for event in self.events if isinstance(event, kind)]
        self.events.clear()
        return found

    def is_served(self) -> bool:
        """Whether a request is answered."""
        stream = self.ask()
        endpoint = self.rig.endpoint()
        assert endpoint is not None
        endpoint.send(ANSWER)
        self.hear()
        self.settle()
        return [event.stream_id for event in self.take(h2.events.StreamEnded)] == [stream]


@pytest.fixture
def rig() -> Iterator[Rig]:
    places = Places()
    usual = dict.fromkeys(("head_ms", "idle_ms", "connect_ms", "pool_ms", "queue_ms"), LONG)
    made = Rig(places, h2c=True, max_streams=8, max_kept=1 << 24, **usual)
    made.service.timeout_ms = LONG
    made.service.change(1, Manner(0))
    yield made
    for end in (*made.clients, *made.endpoints):
        made.drop(end)
    made.settle()
    made.service.change(0, Manner(0))
    made.close()
    places.close()


@pytest.fixture
def resting_client(rig: Rig) -> Client:
    """It was served once, and is packed."""
    client = Client(rig)
    assert client.is_served()
    assert resting.look(rig.worker, 0) == 1
    return client


def test_one_that_is_packed_is_served_as_before(rig: Rig, resting_client: Client) -> None:
    for _ in range(3):
        assert resting_client.is_served()
        assert resting_client.is_served()
        assert resting.look(rig.worker, 0) == 1


def test_none_is_packed_before_its_time_or_twice(rig: Rig) -> None:
    client = Client(rig)
    assert client.is_served()
    assert resting.look(rig.worker) == 0
    assert resting.look(rig.worker, 0) == 1
    assert resting.look(rig.worker, 0) == 0


def test_one_with_a_request_is_not_packed(rig: Rig) -> None:
    client = Client(rig)
    client.ask(ended=False)
    assert resting.look(rig.worker, 0) == 0
    assert resting.look(rig.worker, 0) == 0


def test_of_many_only_some_are_packed_at_a_time(rig: Rig) -> None:
    clients = [Client(rig) for _ in range(MOST + 10)]
    assert [resting.look(rig.worker, 0) for _ in range(3)] == [MOST, 10, 0]
    assert all(client.is_served() for client in clients[::20])


def test_one_at_work_does_not_keep_the_others_from_being_packed(rig: Rig) -> None:
    busy = Client(rig)
    idle = [Client(rig) for _ in range(3)]
    busy.ask(ended=False)
    assert resting.look(rig.worker, 0) == len(idle)
    busy.codec.end_stream(1)
    assert busy.codec.data_to_send() is not None


def test_a_ping_is_answered(resting_client: Client) -> None:
    resting_client.codec.ping(b"12345678")
    resting_client.settle()
    resting_client.hear()
    assert len(resting_client.take(h2.events.PingAckReceived)) == 1


def test_it_is_told_when_the_worker_ends(rig: Rig, resting_client: Client) -> None:
    rig.drain()
    resting_client.hear()
    assert len(resting_client.take(h2.events.ConnectionTerminated)) == 1


@pytest.mark.parametrize("how", ["the client leaves", "the worker ends"])
def test_a_connection_that_has_ended_is_not_among_those_at_rest(rig: Rig, resting_client: Client, how: str) -> None:
    if how == "the client leaves":
        rig.drop(resting_client.end)
        rig.settle()
    assert resting.look(rig.worker, 0) == 0


def test_its_time_ends_with_a_goaway(rig: Rig, resting_client: Client) -> None:
    rig.worker.limits.idle_ms = 0
    assert resting_client.is_served()
    assert resting.look(rig.worker, 0) == 1
    rig.sweep()
    resting_client.hear()
    assert len(resting_client.take(h2.events.ConnectionTerminated)) == 1
