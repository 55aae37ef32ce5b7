"""What clients may cost that are many, idle, or slow to read: a full worker serves new ones, and what waits for readers is bounded."""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import Call, Origin, Script, respond
from tests.fakes.worker import Haystack, Member, host, resident, until

REQUEST = f"GET / HTTP/1.1\r\nHost: {host('web')}\r\n\r\n".encode()
PART = REQUEST[:10]
REST = REQUEST[10:]
MIB = 1 << 20


@pytest.fixture
def limited(origin: Origin) -> Iterator[Any]:
    """Makes a Haystack with the settings that a test gives, before the service `web`."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Haystack([Member("web", origin.port)], **settings))
    origin.script = respond()


def long(size: int) -> Script:
    """A body of so many bytes."""
    return respond(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))


def in_chunks(size: int) -> Script:
    """The same in chunks of 64 KiB, sent as they are taken."""

    async def script(call: Call) -> None:
        await call.body()
        await call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(size >> 16):
            await call.send(b"10000\r\n" + bytes(65536) + b"\r\n")
        await call.send(b"0\r\n\r\n")

    return script


def silent_stream() -> Script:
    """A stream of events that has none to tell."""

    async def script(call: Call) -> None:
        await call.body()
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n:\n\r\n")
        await asyncio.sleep(2.5)
        await call.send(b"0\r\n\r\n")

    return script


def served(client: Client) -> bool:
    return client.get(host("web")).status == 200


def status(port: int, source: str = "127.0.0.1") -> int:
    """What a new client of this address is told; 0: its connection ends."""
    try:
        with Client(port, source=source) as client:
            return client.send(REQUEST).response().status
    except (ConnectionError, TimeoutError):
        return 0


def test_a_full_worker_closes_the_client_that_has_been_idle_longest_for_a_new_one(limited: Any) -> None:
    """RFC 9112, section 9.5. Those that came or asked later stay."""
    port = limited(HAYSTACK_MAX_CONNECTIONS="4").port
    with ExitStack() as stack:
        never_asked, first, second, third = [stack.enter_context(Client(port)) for _ in range(4)]
        assert served(first)
        assert served(second)
        assert served(third)
        assert served(first)
        fifth = stack.enter_context(Client(port))
        assert served(fifth)
        assert never_asked.closed()
        sixth = stack.enter_context(Client(port))
        assert served(sixth)
        assert second.closed()
        assert all(map(served, (first, third, fifth, sixth)))


def test_no_client_with_a_request_is_closed_for_another(limited: Any) -> None:
    """One that has sent a part of a head has one."""
    port = limited(HAYSTACK_MAX_CONNECTIONS="3").port
    with ExitStack() as stack:
        inside = [stack.enter_context(Client(port)) for _ in range(3)]
        for client in inside:
            client.send(PART)
        waiting = stack.enter_context(Client(port, timeout=1)).send(REQUEST)
        with pytest.raises(TimeoutError):
            waiting.response()
        for client in inside:
            assert client.send(REST).response().status == 200
        waiting.socket.settimeout(5)
        assert waiting.response().status == 200


def test_one_address_leaves_room_for_others_unless_a_limit_is_set(limited: Any) -> None:
    """RFC 6585, section 4: where no number is set, an address has no more connections than are free, but always a few."""
    port = limited(HAYSTACK_MAX_CONNECTIONS="40").port
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(Client(port)).send(PART)
        assert status(port) == 429
        assert status(port, "127.0.0.2") == 200
        for _ in range(8):
            stack.enter_context(Client(port, source="127.0.0.2")).send(PART)
        assert status(port, "127.0.0.3") == 200


def test_an_address_at_its_share_loses_its_own_idle_connections_first(limited: Any) -> None:
    port = limited(HAYSTACK_MAX_CONNECTIONS="40").port
    with ExitStack() as stack:
        others = stack.enter_context(Client(port, source="127.0.0.2"))
        assert served(others)
        oldest, *_ = [stack.enter_context(Client(port)) for _ in range(19)]
        until(lambda: status(port) == 200, 3, "its newest client is not served")
        until(lambda: status(port) == 200, 3, "its newest client is not served")
        for _ in range(4):
            stack.enter_context(Client(port)).send(PART)
        until(lambda: status(port) == 200, 3, "its newest client is not served")
        assert oldest.closed()
        assert served(others), "another one's is not touched"


def read_slowly(client: Client, seconds: float) -> int:
    """Bytes that came within so many seconds, 2,000 at once with pauses, or until the other side broke off."""
    came, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            data = client.socket.recv(2000)
        except ConnectionError:
            return came
        came += len(data)
        if not data:
            return came
        time.sleep(0.05)  # it reads slowly: that is what the test is about
    raise TimeoutError


def cut_off(clients: list[Client]) -> int:
    """How many connections have been reset, whatever was read of them."""
    ends = select.poll()
    for client in clients:
        ends.register(client.socket, 0)
    return len(ends.poll(0))


@pytest.mark.parametrize("script", [long(32 * MIB), in_chunks(32 * MIB)], ids=["length", "chunks"])
def test_a_client_that_reads_below_the_least_rate_is_closed(limited: Any, origin: Origin, script: Script) -> None:
    """Settings: HAYSTACK_READ_RATE, judged over HAYSTACK_IDLE_TIMEOUT."""
    origin.script = script
    port = limited(HAYSTACK_READ_RATE="1000000", HAYSTACK_IDLE_TIMEOUT="1s").port
    with Client(port, small_window=True) as slow, Client(port) as fast:
        slow.send(REQUEST)
        assert len(fast.get(host("web")).body) == 32 * MIB
        assert read_slowly(slow, 10) < MIB


def test_a_client_that_reads_slowly_but_fast_enough_is_served(limited: Any, origin: Origin) -> None:
    origin.script = long(32 * MIB)
    port = limited(HAYSTACK_READ_RATE="1000", HAYSTACK_IDLE_TIMEOUT="500ms").port
    with Client(port, small_window=True) as slow:
        slow.send(REQUEST)
        with pytest.raises(TimeoutError):
            read_slowly(slow, 4)


def test_a_stream_that_has_nothing_to_tell_has_no_slow_reader(limited: Any, origin: Origin) -> None:
    origin.script = silent_stream()
    port = limited(HAYSTACK_READ_RATE="1000000", HAYSTACK_IDLE_TIMEOUT="500ms").port
    with Client(port) as client:
        assert client.get(host("web")).complete


def test_what_waits_for_all_readers_together_is_bounded(limited: Any, origin: Origin) -> None:
    """Settings: HAYSTACK_ANSWER_MEMORY. Others are served as before."""
    origin.script = in_chunks(8 * MIB)
    haystack = limited(HAYSTACK_ANSWER_MEMORY=str(MIB))
    (worker,) = haystack.workers()
    with ExitStack() as stack:
        before = resident(worker)
        for _ in range(80):
            stack.enter_context(Client(haystack.port, small_window=True)).send(REQUEST)
        until(lambda: len(origin.requests) >= 80, 60, "not all were asked")
        with Client(haystack.port) as client:
            assert len(client.get(host("web")).body) == 8 * MIB
        assert resident(worker) - before < 6 * MIB


def test_where_that_is_too_much_the_slowest_is_closed(limited: Any, origin: Origin) -> None:
    """And not one that reads, however late it gets to that on a busy machine: what a single one may hold fits in several times."""
    origin.script = in_chunks(16 * MIB)
    port = limited(HAYSTACK_ANSWER_MEMORY="600000").port
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(port, small_window=True)).send(REQUEST) for _ in range(100)]
        until(lambda: 0 < cut_off(clients) < 100, 20, "nobody is closed")
        with Client(port) as client:
            assert len(client.get(host("web")).body) == 16 * MIB


def test_a_full_worker_drains_like_any(limited: Any) -> None:
    """Product: a worker that closes refuses no connection that the kernel has taken."""
    haystack = limited(HAYSTACK_MAX_CONNECTIONS="2")
    with Client(haystack.port) as one, Client(haystack.port) as two, Client(haystack.port) as three:
        one.send(PART)
        two.send(PART)
        three.send(REQUEST)
        haystack.terminate()
        assert three.response().status == 200
        for client in (one, two):
            assert client.send(REST).response().status == 200


@pytest.mark.parametrize("script", [long(16 * MIB), in_chunks(16 * MIB)], ids=["length", "chunks"])
def test_a_client_that_rests_for_longer_than_an_endpoint_may_is_served(limited: Any, origin: Origin, script: Script) -> None:
    """Settings: HAYSTACK_TIMEOUT is for endpoints; a client may take nothing for HAYSTACK_IDLE_TIMEOUT."""
    origin.script = script
    with Client(limited(HAYSTACK_TIMEOUT="200ms").port, small_window=True) as slow:
        slow.send(REQUEST).take(1000)
        time.sleep(1)  # it rests for longer than the endpoint may
        assert len(slow.take(15 * MIB)) == 15 * MIB


@pytest.mark.parametrize("script", [long(16 * MIB), in_chunks(16 * MIB)], ids=["length", "chunks"])
def test_a_client_that_takes_nothing_is_closed_where_any_rate_is_good(limited: Any, origin: Origin, script: Script) -> None:
    origin.script = script
    with Client(limited(HAYSTACK_READ_RATE="0", HAYSTACK_IDLE_TIMEOUT="500ms").port, small_window=True) as slow:
        slow.send(REQUEST)
        until(lambda: cut_off([slow]), 10, "it holds its endpoint still")
