"""haystack.max_connections: no more exchanges at once than an endpoint may have; the others wait in their order."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import OK, Call, Loop, Origin
from tests.fakes.worker import Haystack, Member, host, until


class Gate:
    """An origin that answers a request when it is told to. waiting: requests that it has and has not answered; seen: all, by path."""

    def __init__(self, loop: Loop) -> None:
        self.waiting: list[asyncio.Event] = []
        self.seen: list[str] = []
        self.loop = loop
        self.origin = Origin(loop, self._take).start()

    async def _take(self, call: Call) -> None:
        told = asyncio.Event()
        self.waiting.append(told)
        self.seen.append(call.request.line.split()[1])
        await told.wait()
        await call.send(OK)

    def answer(self) -> None:
        """Answer the oldest."""

        async def tell() -> None:
            self.waiting.pop(0).set()

        self.loop.run(tell())


@pytest.fixture
def gate(fakes: Loop) -> Iterator[Gate]:
    made = Gate(fakes)
    yield made
    made.origin.stop()


def ask(client: Client, name: str, path: str) -> None:
    client.send(f"GET {path} HTTP/1.1\r\nHost: {host(name)}\r\n\r\n".encode())


def test_those_beyond_the_limit_wait_in_their_order(gate: Gate) -> None:
    """With room for two, the third and fourth request reach the endpoint as the first ones are answered."""
    limited = Member("limited", gate.origin.port, {"haystack.max_connections": "2"})
    with Haystack([limited]) as haystack, ExitStack() as stack:
        clients = [stack.enter_context(Client(haystack.port)) for _ in range(4)]
        for number, client in enumerate(clients):
            ask(client, "limited", f"/{number}")
            until(lambda n=number: len(gate.seen) >= min(n + 1, 2), 5, "the endpoint was not asked")
        # a request of another connection that is answered shows that the worker has handled all of the above
        with Client(haystack.port) as other:
            assert other.get("nowhere.services.haystack").status == 404
        assert gate.seen == ["/0", "/1"]
        for number, client in enumerate(clients):
            gate.answer()
            assert client.response().status == 200
            until(lambda n=number: len(gate.seen) == min(n + 3, 4), 5, "nobody came after")
        assert gate.seen == ["/0", "/1", "/2", "/3"]


def test_a_client_that_leaves_gives_its_turn_away(gate: Gate) -> None:
    """Its request never reaches the endpoint, and the next one does not wait for it."""
    limited = Member("limited", gate.origin.port, {"haystack.max_connections": "1"})
    with Haystack([limited]) as haystack, Client(haystack.port) as first, Client(haystack.port) as last:
        ask(first, "limited", "/first")
        until(lambda: gate.seen == ["/first"], 5, "the endpoint was not asked")
        with Client(haystack.port) as gone:
            ask(gone, "limited", "/gone")
            with Client(haystack.port) as other:
                assert other.get("nowhere.services.haystack").status == 404
            # a plain close may be half of one, from a client that still reads; a reset is the end
            gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ask(last, "limited", "/last")
        with Client(haystack.port) as other:
            assert other.get("nowhere.services.haystack").status == 404
        gate.answer()
        assert first.response().status == 200
        until(lambda: gate.seen == ["/first", "/last"], 5, f"{gate.seen}")
        gate.answer()
        assert last.response().status == 200


def test_another_endpoint_with_room_is_used_first(gate: Gate, fakes: Loop) -> None:
    """Nobody waits while any endpoint of the service has room."""
    second = Gate(fakes)
    members = [Member("pair", g.origin.port, {"haystack.max_connections": "1"}) for g in (gate, second)]
    with Haystack(members) as haystack, Client(haystack.port) as one, Client(haystack.port) as two:
        ask(one, "pair", "/one")
        ask(two, "pair", "/two")
        until(lambda: len(gate.seen) == len(second.seen) == 1, 5, "one endpoint was not asked")
        gate.answer()
        second.answer()
        assert {one.response().status, two.response().status} == {200}
    second.origin.stop()
