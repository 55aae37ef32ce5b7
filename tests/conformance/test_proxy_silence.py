"""Silent endpoints beyond the plain case: where nothing new goes, several names lead, one request is slow, another process begins.

The plain case: test_proxy_sick.py. The rules: docs/decisions/0004-sick-endpoints.md.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import ExitStack

import pytest

from tests.fakes.engine import FakeEngine, inspected, rfc3339
from tests.fakes.load import Load
from tests.fakes.origin import OK, Call, Loop, Origin, never, respond
from tests.fakes.waiting import ask, compose, ejected, known, origins, pause
from tests.fakes.worker import Haystack, Member, host, until

SOON = 5.0  # seconds: a fifth of that on a quiet machine


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


@pytest.mark.parametrize("clients", [1, 2, 3])
def test_few_clients_are_answered_though_all_of_them_wait_at_the_silent_endpoint(fakes: Loop, clients: int) -> None:
    """Nobody else asks, so nobody's answer shows that it is silent: each of them was answered 504 in the end, one request after another."""
    with origins(fakes, *[respond()] * 4) as found, Haystack([Member("few", o.port) for o in found]) as haystack:
        with Load().http(haystack.port, host("few"), b"ok", keep=clients, new=0) as load:
            load.go_on()
            found[0].script = never()
            until(lambda: ejected(haystack), SOON, "it was not ejected")
            load.go_on()
        found[0].cut()
        assert load.wrong == []
        assert load.slowest < SOON


@pytest.mark.parametrize("part", [b"", b"o"], ids=["behind its head", "within its body"])
def test_who_freezes_within_its_answers_costs_no_get(fakes: Loop, part: bytes) -> None:
    """As a process that is stopped, or a host that is lost, between the head of a small answer and its body, which nginx sends apart."""

    async def freezes(call: Call) -> None:
        await call.body()
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + part)
        await call.reader.read()
        call.keep = False

    with origins(fakes, *[respond()] * 4) as found, Haystack([Member("ice", o.port) for o in found]) as haystack:
        with Load().http(haystack.port, host("ice"), b"ok", keep=8, new=0) as load:
            load.go_on()
            found[0].script = freezes
            until(lambda: ejected(haystack), SOON, "it was not ejected")
            load.go_on()
        found[0].cut()
        assert load.wrong == []
        assert load.slowest < SOON


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


def contained(engine: FakeEngine, number: int, origin: Origin) -> str:
    """A container of the service `life` behind which this origin answers; its id."""
    raw = inspected(number, f"life{number}", "life")
    raw["Config"] |= {"Labels": {"haystack.port": str(origin.port)}}
    raw["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] = "127.0.0.1"
    return engine.add(raw, event=False)


def test_a_silent_endpoint_whose_container_is_restarted_is_trusted_at_once(fakes: Loop) -> None:
    """Found silent twice, it would get its next trial after two seconds: another process at its address was silent to nobody."""
    with origins(fakes, *[respond()] * 4) as found, FakeEngine() as engine, ExitStack() as stack:
        ids = [contained(engine, number, each) for number, each in enumerate(found, 1)]
        haystack = stack.enter_context(Haystack([], HAYSTACK_STATIC="", DOCKER_HOST=engine.host))
        with Load().http(haystack.port, host("life"), b"ok", keep=8, new=0) as load:
            load.go_on()
            found[0].script = never()
            until(lambda: len(ejected(haystack)) == 2, 2 * SOON, "it was not ejected twice")
            found[0].script = respond()
            seen = len(found[0].requests)
            engine.emit("die", ids[0], exitCode="0")
            engine.containers[ids[0]]["State"]["StartedAt"] = rfc3339(time.time())
            engine.emit("start", ids[0])
            until(lambda: len(found[0].requests) > seen + 8, 1.9, "it got nothing")
        assert load.wrong == []
