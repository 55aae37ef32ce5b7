"""haystack.max_connections: no more exchanges at once than an endpoint may have; the others wait in their order, in bounds."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.fakes.client import Client
from tests.fakes.gate import Gate
from tests.fakes.origin import OK, Loop
from tests.fakes.worker import Haystack, Member, host, until

SIZE, SECONDS = 2, 1.5
LARGE = b"x" * 300_000


@dataclass
class Row:
    """A Haystack whose queues hold two requests for a time: before `one` (limit 1), `two` (limit 2), `pair` (1 each) and `free`.

    `spill`: 1 each, and the second has weight 0, as endpoints on other hosts have while those here do.
    """

    haystack: Haystack
    gates: dict[str, list[Gate]]

    def gate(self, name: str) -> Gate:
        return self.gates[name][0].fresh()

    def client(self, stack: ExitStack) -> Client:
        return stack.enter_context(Client(self.haystack.port))

    def settle(self) -> None:
        """A request of another connection that is answered shows that the worker has handled all before it."""
        with Client(self.haystack.port) as other:
            assert other.get("nowhere.services.haystack").status == 404

    def fill(self, stack: ExitStack, name: str, gate: Gate, count: int) -> list[Client]:
        """Clients with a request each, sent one after another: the first is at the endpoint, the others wait."""
        clients = [self.client(stack) for _ in range(count)]
        for number, client in enumerate(clients):
            ask(client, name, f"/{number}")
            self.settle()
        until(lambda: gate.seen[:1] == ["/0"], 9, "the endpoint was not asked")
        return clients


@pytest.fixture(scope="module")
def row(fakes: Loop) -> Iterator[Row]:
    gates = {name: [Gate(fakes) for _ in range(count)] for name, count in (("one", 1), ("two", 1), ("pair", 2), ("free", 1), ("spill", 2))}
    limits = {"one": {"haystack.max_connections": "1"}, "two": {"haystack.max_connections": "2"}, "pair": {"haystack.max_connections": "1"}}
    members = [Member(name, gate.origin.port, limits.get(name, {})) for name, all_ in gates.items() for gate in all_ if name != "spill"]
    near, away = gates["spill"]
    members.append(Member("spill", near.origin.port, {"haystack.max_connections": "1"}))
    members.append(Member("spill", away.origin.port, {"haystack.max_connections": "1", "haystack.weight": "0"}))
    with Haystack(members, HAYSTACK_QUEUE_SIZE=str(SIZE), HAYSTACK_QUEUE_TIMEOUT=f"{SECONDS}s") as haystack:
        yield Row(haystack, gates)
    for gate in (gate for all_ in gates.values() for gate in all_):
        gate.origin.stop()


def ask(client: Client, name: str, path: str, extra: str = "") -> None:
    client.send(f"GET {path} HTTP/1.1\r\nHost: {host(name)}\r\n{extra}\r\n".encode())


def test_those_beyond_the_limit_wait_in_their_order(row: Row) -> None:
    """With room for two, the third and fourth request reach the endpoint as the first ones are answered."""
    gate = row.gate("two")
    with ExitStack() as stack:
        clients = row.fill(stack, "two", gate, 4)
        until(lambda: len(gate.seen) == 2, 9, "there is room for two")
        row.settle()
        assert gate.seen == ["/0", "/1"]
        for number, client in enumerate(clients):
            gate.answer()
            assert client.response().status == 200
            until(lambda n=number: len(gate.seen) == min(n + 3, 4), 9, "nobody came after")
        assert gate.seen == ["/0", "/1", "/2", "/3"]
    assert gate.origin.connections <= 2, "a limit of exchanges is one of connections too"


def test_what_has_no_room_goes_to_those_of_weight_0(row: Row) -> None:
    """docs/hosts.md: while the endpoints on Haystack's own host have room, requests go to them."""
    near, away = (gate.fresh() for gate in row.gates["spill"])
    with ExitStack() as stack:
        first, second = row.client(stack), row.client(stack)
        for number in range(3):
            ask(first, "spill", f"/{number}")
            until(lambda n=number: len(near.seen) == n + 1, 9, "it did not go to the first one, which has room")
            near.answer()
            assert first.response().status == 200
        ask(first, "spill", "/full")
        until(lambda: len(near.seen) == 4, 9, "it did not go to the first one")
        ask(second, "spill", "/more")
        until(lambda: away.seen == ["/more"], 9, "it did not go to the other one")
        for gate, client in ((away, second), (near, first)):
            gate.answer()
            assert client.response().status == 200


def test_a_full_queue_is_503_at_once(row: Row) -> None:
    """RFC 9110, section 15.6.4; RFC 9209, section 2.3 (connection_limit_reached); who waits already is not touched."""
    gate = row.gate("one")
    with ExitStack() as stack:
        clients = row.fill(stack, "one", gate, 1 + SIZE)
        late = row.client(stack)
        response = late.get(host("one"), "/late")
        assert response.status == 503
        assert "error=connection_limit_reached" in (response.get("proxy-status") or "")
        assert int(response.get("retry-after") or 0) > 0
        assert late.get("nowhere.services.haystack").status == 404, "its connection goes on"
        for client in clients:
            until(lambda: gate.waiting, 9, "nobody came")
            gate.answer()
            assert client.response().status == 200
    assert gate.seen == ["/0", "/1", "/2"]


def test_a_wait_that_is_too_long_is_503(row: Row) -> None:
    """RFC 9110, section 15.6.4; RFC 9209, section 2.3 (connection_limit_reached); the endpoint never sees it."""
    gate = row.gate("one")
    with ExitStack() as stack:
        first, second = row.fill(stack, "one", gate, 2)
        began = time.monotonic()
        response = second.response()
        assert response.status == 503
        assert "error=connection_limit_reached" in (response.get("proxy-status") or "")
        assert time.monotonic() - began < SECONDS + 2
        gate.answer()
        assert first.response().status == 200
        row.settle()
    assert gate.seen == ["/0"]


def test_a_limit_is_one_services_matter(row: Row) -> None:
    """Product: a label of one container; the others are served meanwhile."""
    gate, free = row.gate("one"), row.gate("free")
    with ExitStack() as stack:
        clients = row.fill(stack, "one", gate, 1 + SIZE)
        others = row.fill(stack, "free", free, 8)
        until(lambda: len(free.seen) == 8, 9, "one had to wait")
        for _ in others:
            free.answer()
        assert [client.response().status for client in others] == [200] * 8
        for client in clients:
            until(lambda: gate.waiting, 9, "nobody came")
            gate.answer()
            assert client.response().status == 200


def test_a_client_that_leaves_gives_its_turn_away(row: Row) -> None:
    """Its request never reaches the endpoint, and the next one does not wait for it."""
    gate = row.gate("one")
    with ExitStack() as stack:
        first, gone, last = row.fill(stack, "one", gate, 3)
        # a plain close may be half of one, from a client that still reads; a reset is the end
        gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.socket.close()
        row.settle()
        gate.answer()
        assert first.response().status == 200
        until(lambda: gate.seen == ["/0", "/2"], 9, f"{gate.seen}")
        gate.answer()
        assert last.response().status == 200


def test_a_half_closed_client_keeps_its_turn(row: Row) -> None:
    """RFC 9112, section 9.6: it still reads."""
    gate = row.gate("one")
    with ExitStack() as stack:
        first, second = row.fill(stack, "one", gate, 2)
        second.half_close()
        row.settle()
        gate.answer()
        assert first.response().status == 200
        until(lambda: gate.waiting, 9, "nobody came")
        gate.answer()
        assert second.response().status == 200
        assert second.closed()


@pytest.mark.parametrize("size", [100, len(LARGE)])
def test_a_body_waits_with_its_request(row: Row, size: int) -> None:
    """Design: it is read whole where it is small, else it stays where it is; either way it arrives."""
    gate = row.gate("one")
    with ExitStack() as stack:
        (first,) = row.fill(stack, "one", gate, 1)
        second = row.client(stack)
        second.send(f"POST /body HTTP/1.1\r\nHost: {host('one')}\r\nContent-Length: {size}\r\n\r\n".encode() + LARGE[:size])
        row.settle()
        gate.answer()
        assert first.response().status == 200
        until(lambda: gate.waiting, 9, "nobody came")
        gate.answer()
        assert second.response().status == 200
    assert [len(request.body) for request in gate.origin.requests[-2:]] == [0, size]


def test_an_exchange_that_fails_gives_its_place_away(row: Row) -> None:
    """Whatever ends an exchange: here its endpoint's connection, and no other endpoint is there to ask."""
    gate = row.gate("one")
    with ExitStack() as stack:
        clients = [row.client(stack) for _ in range(2)]
        for number, client in enumerate(clients):
            client.send(f"POST /{number} HTTP/1.1\r\nHost: {host('one')}\r\nContent-Length: 0\r\n\r\n".encode())
            row.settle()
        until(lambda: gate.seen == ["/0"], 9, "the endpoint was not asked")
        gate.origin.cut()
        assert clients[0].response().status == 502
        until(lambda: gate.seen == ["/0", "/1"], 9, "nobody came after")
        gate.waiting.pop(0)
        gate.answer()
        assert clients[1].response().status == 200


def test_a_tunnel_keeps_its_place_to_its_end(row: Row) -> None:
    """RFC 9110, section 7.8: the connection is in use for as long as it is open."""
    gate = row.gate("one")
    with ExitStack() as stack:
        tunnel, second = row.client(stack), row.client(stack)
        ask(tunnel, "one", "/tunnel", "Connection: upgrade\r\nUpgrade: websocket\r\n")
        until(lambda: gate.waiting, 9, "nobody came")
        gate.answer()
        assert tunnel.response().status == 101
        ask(second, "one", "/second")
        row.settle()
        assert gate.seen == ["/tunnel"]
        gate.origin.cut()
        tunnel.socket.close()
        until(lambda: gate.waiting, 9, "nobody came after")
        gate.answer()
        assert second.response().status == 200


def test_another_endpoint_with_room_is_used_first(row: Row) -> None:
    """Nobody waits while any endpoint of the service has room."""
    first, second = (gate.fresh() for gate in row.gates["pair"])
    with ExitStack() as stack:
        clients = [row.client(stack) for _ in range(2)]
        for client in clients:
            ask(client, "pair", "/x")
        until(lambda: len(first.seen) == len(second.seen) == 1, 9, "one endpoint was not asked")
        first.answer()
        second.answer()
        assert [client.response().status for client in clients] == [200, 200]


def test_who_lost_its_endpoint_waits_for_room_no_longer_than_any(row: Row) -> None:
    """Settings: HAYSTACK_QUEUE_TIMEOUT holds for the second wait of a request too."""
    first, second = (gate.fresh() for gate in row.gates["pair"])
    with ExitStack() as stack:
        clients = [row.client(stack) for _ in range(3)]
        for client in clients[:2]:
            ask(client, "pair", "/x")
        until(lambda: len(first.seen) == len(second.seen) == 1, 9, "one endpoint was not asked")
        ask(clients[2], "pair", "/again")
        row.settle()
        first.says = OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        first.answer()
        until(lambda: first.seen[1:] == ["/again"], 9, "nobody came")
        began = time.monotonic()
        first.origin.cut()
        response = clients[2].response()
        assert (response.status, second.seen) == (503, ["/x"])
        assert "error=connection_limit_reached" in (response.get("proxy-status") or "")
        assert time.monotonic() - began < SECONDS + 2
        second.answer()
        row.settle()


def test_sigterm_serves_those_who_wait_for_an_endpoint_too(fakes: Loop) -> None:
    """Product: finish what is in flight; who has asked is in flight."""
    gate = Gate(fakes)
    with Haystack([Member("one", gate.origin.port, {"haystack.max_connections": "1"})]) as haystack, ExitStack() as stack:
        row = Row(haystack, {"one": [gate]})
        clients = row.fill(stack, "one", gate, 3)
        haystack.terminate()
        for client in clients:
            until(lambda: gate.waiting, 9, "nobody came")
            gate.answer()
            assert client.response().status == 200
    gate.origin.stop()


def test_services_that_share_an_endpoint_share_its_room(fakes: Loop) -> None:
    """docs/limits.md: the limit is the endpoint's; who waits in a service without one is called too, and nobody waits in vain."""
    project = {"com.docker.compose.project": "shop", "com.docker.compose.service": "part"}
    gates = [Gate(fakes), Gate(fakes)]
    members = [
        Member("both", gates[0].origin.port, {"haystack.max_connections": "1"}),
        Member("both", gates[1].origin.port, project),
    ]
    with Haystack(members, HAYSTACK_QUEUE_TIMEOUT="20s") as haystack, ExitStack() as stack:
        row = Row(haystack, {})
        clients = [row.client(stack) for _ in range(5)]
        for number, client in enumerate(clients[:2]):
            ask(client, "both", f"/{number}")
        until(lambda: all(len(gate.seen) == 1 for gate in gates), 9, "an endpoint was not asked")
        for number, client in enumerate(clients[2:], 2):
            client.send(f"GET /{number} HTTP/1.1\r\nHost: part.shop.services.haystack\r\n\r\n".encode())
            row.settle()
        assert len(gates[1].seen) == 1
        for number in range(4):
            gates[1].answer()
            until(lambda n=number: len(gates[1].seen) == min(n + 2, 4), 9, "nobody came after")
        gates[0].answer()
        assert [client.response().status for client in clients] == [200] * 5
    for gate in gates:
        gate.origin.stop()
