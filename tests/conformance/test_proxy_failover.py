"""Requests that wait while everything around them changes: who is told of it, whom they go to, and that nobody is forgotten."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.fakes.client import Client, until_close
from tests.fakes.gate import Gate
from tests.fakes.origin import OK, Call, Loop, respond
from tests.fakes.waiting import ask, compose, known, origins, pause
from tests.fakes.worker import Haystack, Member, halt, host, until

ONE = {"haystack.max_connections": "1"}
SOON = 5.0  # seconds: a fifth of that on a quiet machine


@pytest.fixture
def gate(fakes: Loop) -> Iterator[Gate]:
    made = Gate(fakes)
    yield made
    made.origin.stop()


def test_all_that_hope_for_news_hear_that_the_last_endpoint_has_gone(fakes: Loop) -> None:
    """It refuses, and each waits a second for news; the news are that it has gone, so each waits for the next one."""
    with origins(fakes, respond()) as (only,), Haystack([Member("solo", only.port)]) as haystack, ExitStack() as stack:
        assert known(haystack, "solo", 200)
        only.stop()
        clients = [ask(stack, haystack, host("solo")) for _ in range(5)]
        haystack.show([])
        pause(1.5)
        only.start()
        haystack.show([Member("solo", only.port)])
        assert [client.response().status for client in clients] == [200] * 5


def test_who_hopes_goes_on_when_one_of_several_that_refuse_has_gone(fakes: Loop) -> None:
    """A host goes with all its containers: each one's end is news of its own, and the others refuse still."""
    with origins(fakes, *[respond()] * 4) as found, ExitStack() as stack:
        haystack = stack.enter_context(Haystack([Member("all", each.port) for each in found]))
        assert known(haystack, "all", 200)
        for each in found:
            each.stop()
        clients = [ask(stack, haystack, host("all")) for _ in range(5)]
        for number in range(1, 4):
            haystack.show([*[None] * number, *(Member("all", each.port) for each in found[number:])])
            pause(0.1)
        found[3].start()
        assert [client.response().status for client in clients] == [200] * 5


def test_all_that_wait_for_room_wait_for_an_endpoint_when_theirs_has_gone(gate: Gate) -> None:
    member = Member("one", gate.origin.port, ONE)
    with Haystack([member], HAYSTACK_QUEUE_TIMEOUT="1s") as haystack, ExitStack() as stack:
        clients = [ask(stack, haystack, host("one"), f"/{number}") for number in range(4)]
        until(lambda: gate.waiting, SOON, "the endpoint was not asked")
        gate.waiting.clear()
        haystack.show([])
        pause(2.0)
        haystack.show([member])
        for _ in clients:
            until(lambda: gate.waiting, SOON, "nobody came")
            gate.answer()
        assert [client.response().status for client in clients] == [200] * 4


def test_with_a_queue_timeout_of_0_requests_wait_for_an_endpoint_and_not_for_room(gate: Gate) -> None:
    """It switched HAYSTACK_WAIT off, too: a restart cost requests."""
    member = Member("one", gate.origin.port, ONE)
    with Haystack([member], HAYSTACK_QUEUE_TIMEOUT="0") as haystack, ExitStack() as stack:
        first = ask(stack, haystack, host("one"))
        until(lambda: gate.waiting, SOON, "the endpoint was not asked")
        full = ask(stack, haystack, host("one"), "/full").response()
        assert full.status == 503
        assert "error=connection_limit_reached" in (full.get("proxy-status") or "")
        gate.answer()
        assert first.response().status == 200
        haystack.show([])
        until(lambda: haystack.serving("one") == 0, SOON, "it did not go")
        clients = [ask(stack, haystack, host("one"), f"/{number}") for number in range(3)]
        pause(0.3)
        haystack.show([member])
        until(lambda: gate.waiting, SOON, "nobody waited")
        pause(0.3)
        gate.answer()
        assert sorted(client.response().status for client in clients) == [200, 503, 503]


def test_who_waited_for_an_endpoint_waits_for_room_as_long_as_any(gate: Gate) -> None:
    member = Member("one", gate.origin.port, ONE)
    with Haystack([member], HAYSTACK_QUEUE_TIMEOUT="7s", HAYSTACK_WAIT="4s") as haystack, ExitStack() as stack:
        first = ask(stack, haystack, host("one"))
        until(lambda: gate.waiting, SOON, "the endpoint was not asked")
        gate.answer()
        assert first.response().status == 200
        haystack.show([])
        until(lambda: haystack.serving("one") == 0, SOON, "it did not go")
        clients = [ask(stack, haystack, host("one"), f"/{number}") for number in range(2)]
        haystack.show([member])
        until(lambda: gate.waiting, SOON, "nobody came")
        pause(4.0)
        gate.answer()
        until(lambda: gate.waiting, SOON, "nobody came after")
        gate.answer()
        assert [client.response().status for client in clients] == [200, 200]


def test_who_had_no_room_was_not_tried(fakes: Loop, gate: Gate) -> None:
    """One breaks off while the other is full: the request waits for room there."""

    async def breaks(call: Call) -> None:
        await call.body()
        call.keep = False

    labels = ONE | {"haystack.balance": "roundrobin"}
    with origins(fakes, breaks) as (bad,), ExitStack() as stack:
        members = [Member("two", gate.origin.port, labels), Member("two", bad.port, labels)]
        haystack = stack.enter_context(Haystack(members, HAYSTACK_QUEUE_TIMEOUT="10s"))
        for turn in range(2):  # each of them is looked at first once
            holder = ask(stack, haystack, host("two"), f"/hold{turn}")
            until(lambda: gate.waiting, SOON, "the good one was not asked")
            asked = len(bad.requests)
            client = ask(stack, haystack, host("two"), f"/{turn}")
            until(lambda n=asked: len(bad.requests) > n, SOON, "the bad one was not asked")
            gate.answer()
            assert holder.response().status == 200
            until(lambda: gate.waiting, SOON, "nobody came after")
            gate.answer()
            assert client.response().status == 200


def test_a_request_whose_body_took_its_time_goes_to_who_is_there_now(fakes: Loop) -> None:
    """A container that was told to stop gets nothing new."""
    with (
        origins(fakes, respond(), respond()) as (old, new),
        Haystack([Member("up", old.port)]) as haystack,
        Client(haystack.port) as client,
    ):
        client.send(f"POST /late HTTP/1.1\r\nHost: {host('up')}\r\nContent-Length: 10\r\n\r\n12345".encode())
        haystack.show([None, Member("up", new.port)])
        until(lambda: known(haystack, "up", 200) and len(new.requests) > 0, SOON, "the new one was not asked")
        client.send(b"67890")
        assert client.response().status == 200
        assert [sum("/late" in each.line for each in origin.requests) for origin in (old, new)] == [0, 1]


def test_the_first_of_each_queue_is_called_when_there_is_room(gate: Gate) -> None:
    """A container of two names: who waited longest has gone when its turn comes, and the other name's is called all the same."""
    labels = ONE | compose("part")
    with Haystack([Member("both", gate.origin.port, labels)], HAYSTACK_QUEUE_TIMEOUT="20s") as haystack, ExitStack() as stack:
        first = ask(stack, haystack, host("both"))
        until(lambda: gate.waiting, SOON, "the endpoint was not asked")
        leaving = ask(stack, haystack, host("both"))
        staying = ask(stack, haystack, host("part.shop"))
        (worker,) = haystack.workers()
        halt(worker)
        gate.answer()
        leaving.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        leaving.socket.close()
        os.kill(worker, signal.SIGCONT)
        assert first.response().status == 200
        until(lambda: gate.waiting, SOON, "the other one was not called")
        gate.answer()
        assert staying.response().status == 200


def test_a_promise_to_keep_the_connection_outlives_a_handover(fakes: Loop) -> None:
    """RFC 9112, section 9.6: a response that did not say close is followed by one that does, not by a bare end."""
    go_on = threading.Event()

    async def script(call: Call) -> None:
        await call.body()
        if "/long" in call.request.line:
            await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
            await asyncio.to_thread(go_on.wait, 20)
            await call.send(b"67890")
        else:
            await call.send(OK)

    with origins(fakes, script) as (origin,), Haystack([Member("web", origin.port)]) as old, ExitStack() as stack:
        client = ask(stack, old, host("web"), "/long")
        with Haystack([Member("web", origin.port)], instead_of=old):
            old.wait("haystack.stopping")
            go_on.set()
            assert client.response().get("connection") is None
            assert {answer.status for answer in until_close(client, host("web"))} == {200}
            old.ended()


@pytest.mark.parametrize(("size", "status"), [(65536, 200), (65537, 502)])
def test_of_a_body_in_chunks_as_much_is_kept(fakes: Loop, size: int, status: int) -> None:
    """HAYSTACK_KEPT_BODY counts bytes of the body, whatever the chunks and the head take."""

    async def breaks(call: Call) -> None:
        await call.body()
        call.keep = False

    body = bytes(range(256)) * 300
    labels = {"haystack.weight": "0"}
    with origins(fakes, breaks, respond()) as (bad, good):
        with Haystack([Member("web", bad.port), Member("web", good.port, labels)]) as haystack, Client(haystack.port) as client:
            head = f"PUT / HTTP/1.1\r\nHost: {host('web')}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            parts = (body[:30000], body[30000:size])
            client.send(head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n")
            assert client.response().status == status
        assert [each.body for each in good.requests] == ([body[:size]] if status == 200 else [])
