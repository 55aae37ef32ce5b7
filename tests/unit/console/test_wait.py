"""`wait` counts endpoints that are well; those that are in by panic are told apart, here and in the lists."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from haystack.console import welcome
from haystack.console.command import Context
from haystack.console.commands.wait import COMMAND
from haystack.console.shell import run
from haystack.loop.turns import at_once
from haystack.model.services import Cause, Endpoint, Service
from haystack.operator.waits import wanted
from haystack.views.state import State
from tests.fakes.state import ENDPOINT, NAME, picture, state

REASON = "port 8123 does not accept, but still in: no other endpoint is better (panic)"
PANICKED = replace(ENDPOINT, cause=Cause.BROKEN, reason=REASON)
STARTING = replace(ENDPOINT, cause=Cause.STARTING, reason="health starting, but still in: no other endpoint is better (panic)")
UNSERVED = replace(ENDPOINT, id="abababababab:81/tcp", port=81, port_name="81", listener=None)
OUT = replace(ENDPOINT, id="cdcdcdcdcdcd:80/tcp", container_name="other", ready=False, cause=Cause.GONE, reason="exited")


def there(*endpoints: Endpoint) -> State:
    seen = picture()
    seen.services = {NAME: Service(name=NAME, endpoints=endpoints)}
    made = state(snapshot=seen)
    made.operator.news = asyncio.Event().wait  # there are none
    return made


async def waited(shown: State, text: str = "nginx", **asked: Any) -> tuple[int, str]:
    """Status, and what was printed."""
    said: list[str] = []

    async def line(text: str) -> None:
        said.append(text)

    talk: Any = SimpleNamespace(line=line, complain=line)
    status = await COMMAND.live(shown, {"wanted": wanted(text), "timeout": 0.02, "json": False, **asked}, Context(), talk)
    return status, "\n".join(said)


@pytest.mark.parametrize("ill", [PANICKED, STARTING])
async def test_wait_does_not_count_who_is_in_by_panic_and_says_why(ill: Endpoint) -> None:
    status, text = await waited(there(ill, OUT))
    assert status == 1
    assert text.splitlines() == [
        f"{NAME}: 0 of 2 endpoints are ready, not 1: the time is up",
        f"web:80 panic: {ill.reason}",
        "other:80 out: exited",
    ]
    assert json.loads((await waited(there(ill), json=True))[1]) == {
        "service": NAME, "wanted": 1, "met": False, "ready": 0, "panicked": 1, "endpoints": 1,
    }  # fmt: skip


async def test_wait_counts_who_is_well() -> None:
    assert await waited(there(ENDPOINT, UNSERVED)) == (0, f"{NAME}: 1 of 1 endpoints are ready")
    assert (await waited(there(ENDPOINT, UNSERVED), "nginx>=2"))[0] == 1


async def test_of_many_some_are_told() -> None:
    many = [replace(OUT, id=f"{number}:80/tcp") for number in range(100)]
    assert (await waited(there(*many)))[1].splitlines()[-1] == "and 90 more"


@pytest.mark.parametrize(
    ("endpoints", "told"),
    [
        ((PANICKED,), "0/1 (1 by panic)"),
        ((ENDPOINT, UNSERVED), "1/1"),
        ((UNSERVED,), "1/1"),
        ((ENDPOINT, PANICKED, OUT), "1/3 (1 by panic)"),
    ],
)
def test_lists_tell_them_apart_and_count_who_is_served(endpoints: tuple[Endpoint, ...], told: str) -> None:
    shown = there(*endpoints)
    assert f" {told} " in run(shown, ["services"]).text
    assert {line.partition(": ")[0].split()[-1] for line in run(there(PANICKED), ["endpoints"]).text.splitlines() if REASON in line} == {
        "panic"
    }
    told_json = json.loads(run(shown, ["services", "--json"]).text)
    assert [(each["ready"], each["panicked"]) for each in told_json] == [(e.ready, e.panicked) for e in endpoints]


def test_a_port_for_http_that_is_not_served_is_told_as_such() -> None:
    unserved = replace(ENDPOINT, listener=None)  # port 80 of a container with haystack.port=81
    assert " http, not served " in run(there(unserved), ["endpoints"]).text
    assert "not served" not in run(there(ENDPOINT, UNSERVED, replace(UNSERVED, port_name="ssh")), ["endpoints"]).text


def test_the_greeting_tells_them_apart() -> None:
    assert (
        "1 service, 1 without a ready endpoint; 0 endpoints ready, 1 in by panic, 1 out; "
        in at_once(welcome.lines(there(PANICKED, OUT)))[1]
    )
    assert "1 service; 1 endpoint ready, 0 out; " in at_once(welcome.lines(there(ENDPOINT)))[1]


async def test_top_and_cohorts_tell_them_apart() -> None:
    assert "0/1 (1 by panic)" in run(there(PANICKED), ["cohorts", NAME]).text
