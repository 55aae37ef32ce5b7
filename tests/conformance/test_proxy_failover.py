"""Requests that wait while everything around them changes: who is told of it, whom they go to, and that nobody is forgotten."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.fakes.client import Client, until_close
from tests.fakes.gate import Gate
from tests.fakes.load import Load
from tests.fakes.origin import OK, Call, Loop, Origin, Script, never, respond
from tests.fakes.worker import Haystack, Member, host, until

ONE = {"haystack.max_connections": "1"}
SOON = 5.0  # seconds: a fifth of that on a quiet machine


@contextmanager
def origins(fakes: Loop, *scripts: Script) -> Iterator[list[Origin]]:
    made = [Origin(fakes, script).start() for script in scripts]
    try:
        yield made
    finally:
        for each in made:
            each.stop()


@pytest.fixture
def gate(fakes: Loop) -> Iterator[Gate]:
    made = Gate(fakes)
    yield made
    made.origin.stop()


def ask(stack: ExitStack, haystack: Haystack, name: str, path: str = "/") -> Client:
    """A client with a request that the worker has read."""
    client = stack.enter_context(Client(haystack.port, 15))
    client.send(f"GET {path} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
    with Client(haystack.port) as other:
        assert other.get("nowhere.services.haystack").status == 404
    return client


def compose(service: str) -> dict[str, str]:
    """Labels that give a container a second service: SERVICE.shop."""
    return {"com.docker.compose.project": "shop", "com.docker.compose.service": service}


def ejected(haystack: Haystack) -> list[str]:
    return [line["reason"] for line in haystack.lines if line.get("event") == "endpoint.ejected"]


def known(haystack: Haystack, image: str, status: int) -> bool:
    """Whether a request of this service is answered so by now."""
    with Client(haystack.port) as client:
        return client.get(host(image)).status == status


def pause(seconds: float) -> None:
    """Let time pass: what is shown is that a limit does not hold where another one should."""
    threading.Event().wait(seconds)


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
        os.kill(worker, signal.SIGSTOP)
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
            old.wait("stopping")
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


async def quick(call: Call) -> None:
    await call.body()
    await asyncio.sleep(0.02)
    await call.send(OK)


@pytest.mark.parametrize(("limit", "count", "clients"), [(0, 2, 16), (6, 4, 40), (20, 2, 40)])
def test_silence_behind_the_last_answer_is_noticed(fakes: Loop, limit: int, count: int, clients: int) -> None:
    """What hangs was sent in the moment of the last answer, or before it, and nothing is sent there any more.

    Where the others are full it gets its one trial, and not all that have no room.
    """
    labels = {"haystack.max_connections": str(limit)} if limit else {}
    with origins(fakes, *[quick] * count) as found, ExitStack() as stack:
        haystack = stack.enter_context(Haystack([Member("full", o.port, labels) for o in found], HAYSTACK_QUEUE_TIMEOUT="20s"))
        with Load().http(haystack.port, host("full"), b"ok", keep=clients, new=0) as load:
            load.go_on()
            found[0].script = never()
            until(lambda: ejected(haystack), SOON, "it was not ejected")
            out = len(found[0].requests)
            until(lambda: len(ejected(haystack)) == 2, 5 + SOON, "it was not ejected again")
            assert len(found[0].requests) - out <= 2
            found[0].script = quick
            found[0].cut()
        assert load.wrong == []


def test_who_was_silent_under_one_name_comes_back_under_another(fakes: Loop) -> None:
    """Nobody asks the name any more under which it was judged: its trial is a request of the other one."""
    with origins(fakes, *[respond()] * 4) as found, Haystack([Member("many", o.port, compose("part")) for o in found]) as haystack:
        with Load().http(haystack.port, host("part.shop"), b"ok", keep=8, new=0) as load:
            load.go_on()
            found[0].script = never()
            until(lambda: ejected(haystack), SOON, "it was not ejected")
        assert load.wrong == []
        found[0].script = respond()
        seen = len(found[0].requests)
        with Load().http(haystack.port, host("many"), b"ok", keep=1, new=0):
            until(lambda: len(found[0].requests) > seen + 20, 10 + SOON, "it did not come back")


def test_a_late_request_under_a_name_of_its_own_hides_nothing(fakes: Loop) -> None:
    """There nobody can be compared with it; under the name that it shares others can."""
    with origins(fakes, *[respond()] * 4) as found, ExitStack() as stack:
        haystack = stack.enter_context(Haystack([Member("many", o.port, compose(f"s{n}")) for n, o in enumerate(found)]))
        found[0].script = never()
        ask(stack, haystack, host("s0.shop"))
        pause(0.6)
        with Load().http(haystack.port, host("many"), b"ok", keep=8, new=0) as load:
            until(lambda: ejected(haystack), SOON, "it was not ejected")
            load.go_on()
        assert load.wrong == []
        assert load.slowest < SOON
        found[0].cut()


def test_one_slow_request_does_not_bring_all_the_others(fakes: Loop) -> None:
    """Each doubt is answered by a quick request, and the next one takes its time: a slow report must not get the service's traffic."""
    gate = threading.Event()

    async def script(call: Call) -> None:
        await call.body()
        if "/report" in call.request.line:
            await asyncio.to_thread(gate.wait, 20)
        await call.send(OK)

    with origins(fakes, *[script] * 4) as found, Haystack([Member("slow", o.port) for o in found]) as haystack, ExitStack() as stack:
        stack.callback(gate.set)
        client = ask(stack, haystack, host("slow"), "/report")
        until(lambda: any("/report" in each.line for o in found for each in o.requests), SOON, "nobody was asked")
        (busy,) = [o for o in found if any("/report" in each.line for each in o.requests)]
        asked = len(busy.requests)
        for _ in range(12):
            pause(0.3)
            assert known(haystack, "slow", 200)
        assert len(busy.requests) - asked <= 6
        gate.set()
        assert client.response().status == 200
    assert ejected(haystack) == []
