"""Endpoints of HTTP/2 that are there and do not work: their requests are rescued as those of HTTP/1 (test_proxy_silence.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.fakes.h2_origin import Call, H2Origin, Script, respond
from tests.fakes.load import Load
from tests.fakes.origin import Loop
from tests.fakes.worker import Haystack, Member, host, until

SOON = 5.0  # seconds: a fifth of that on a quiet machine


@dataclass
class Ward:
    """A Haystack before services of four endpoints each that speak h2c, and answer well; each service is for one test."""

    haystack: Haystack
    origins: dict[str, list[H2Origin]]

    def load(self, name: str) -> Load:
        return Load().http(self.haystack.port, host(name), b"ok", keep=8, new=0)

    def ejected(self, name: str) -> bool:
        """Whether an endpoint of this service was."""
        return any(line.get("event") == "endpoint.ejected" and line["service"] == host(name) for line in self.haystack.lines)


@pytest.fixture(scope="module")
def ward(fakes: Loop) -> Iterator[Ward]:
    origins = {name: [H2Origin(fakes, respond()).start() for _ in range(4)] for name in (*SICK, "stopped")}
    members = [Member(name, each.port, {"haystack.protocol": "h2c"}) for name, four in origins.items() for each in four]
    with Haystack(members) as haystack:
        yield Ward(haystack, origins)
    for each in (each for four in origins.values() for each in four):
        each.stop()


async def never(_call: Call) -> None:
    await asyncio.Event().wait()


def freezes(part: bytes) -> Script:
    """Within an answer, behind these bytes of its body."""

    async def script(call: Call) -> None:
        await call.body()
        call.head(200, ("content-length", "2"))
        await call.data(part)
        await asyncio.Event().wait()

    return script


async def resets(call: Call) -> None:
    await call.body()
    call.reset(2)


async def fails(call: Call) -> None:
    await call.body()
    await call.answer(500)


SICK = {"silent": never, "within-head": freezes(b""), "within-body": freezes(b"o"), "resetting": resets, "failing": fails}


@pytest.mark.parametrize(("name", "script"), SICK.items(), ids=SICK.keys())
def test_a_sick_http2_endpoint_costs_no_get(ward: Ward, name: str, script: Script) -> None:
    """Nor does the connection that requests share there: some of them wait, and others are answered."""
    with ward.load(name) as load:
        load.go_on()
        ward.origins[name][0].script = script
        until(lambda: ward.ejected(name), SOON, "it was not ejected")
        load.go_on()
        ward.origins[name][0].cut()
    assert load.wrong == []
    assert load.slowest < SOON


def test_a_process_that_is_stopped_costs_no_get_and_comes_back(ward: Ward) -> None:
    """It does not even read: its kernel takes what is sent."""
    origin = ward.origins["stopped"][0]
    with ward.load("stopped") as load:
        load.go_on()
        origin.each(lambda line: line.transport.pause_reading())
        until(lambda: ward.ejected("stopped"), SOON, "it was not ejected")
        load.go_on()
        origin.each(lambda line: line.transport.resume_reading())
        seen = len(origin.requests)
        until(lambda: len(origin.requests) > seen + 20, 10 + SOON, "it did not come back")
    assert load.wrong == []
    assert load.slowest < SOON
