"""A request that containers broke off because they were told to stop goes on as if it had not been sent: it is no fault of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.fakes.client import Client
from tests.fakes.engine import FakeEngine, inspected
from tests.fakes.origin import Call, Loop, Origin, Script, respond, respond_and_close
from tests.fakes.waiting import origins as origins_of
from tests.fakes.worker import Haystack, host, until

NAME = "web"
REQUEST = f"GET /last HTTP/1.1\r\nHost: {host(NAME)}\r\n\r\n".encode()


async def stopping(call: Call) -> None:
    """Answers, and breaks off the last request."""
    await (respond_and_close() if "/last" in call.request.line else respond())(call)


def container(number: int, origin: Origin) -> dict[str, Any]:
    raw = inspected(number, f"{NAME}{number}", NAME)
    raw["Config"] |= {"ExposedPorts": {}, "Labels": {"haystack.port": str(origin.port)}}
    raw["NetworkSettings"]["Ports"] = {}
    raw["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] = "127.0.0.1"
    return raw


class Stage:
    """Containers of one service on an engine that is told what happens to them, and Haystack in front."""

    def __init__(self, engine: FakeEngine, haystack: Haystack, origins: list[Origin]) -> None:
        self.engine, self.haystack, self.origins = engine, haystack, origins
        self.ids = [raw["Id"] for raw in engine.containers.values()]

    @property
    def sent(self) -> list[int]:
        """How often each of them had the last request."""
        return [sum("/last" in each.line for each in origin.requests) for origin in self.origins]

    def stop(self, number: int) -> None:
        """`docker stop`: the engine tells of the signal, and of the end of the process when that is over."""
        self.engine.emit("kill", self.ids[number], signal="15")

    def crash(self, number: int) -> None:
        self.engine.remove(self.ids[number])

    def restart(self, number: int) -> None:
        """Start it anew; it answers well from now on."""
        self.origins[number].script = respond()
        self.engine.add(container(number + 1, self.origins[number]))


@contextmanager
def staged(fakes: Loop, *scripts: Script) -> Iterator[Stage]:
    with origins_of(fakes, *scripts) as made, FakeEngine() as engine:
        for number, origin in enumerate(made, 1):
            engine.add(container(number, origin), event=False)
        with Haystack([], HAYSTACK_STATIC="", DOCKER_HOST=engine.host) as haystack:
            until(lambda: haystack.serving(NAME) == len(scripts), 10, "the containers are not ready")
            yield Stage(engine, haystack, made)


@pytest.mark.parametrize("ends", [False, True], ids=["that still runs", "that has ended"])
def test_the_only_container_that_is_restarted_breaks_off_twice(fakes: Loop, ends: bool) -> None:
    """As nginx does: first its workers go, and what comes meanwhile is taken by a socket that goes with the master."""
    with staged(fakes, stopping) as stage, Client(stage.haystack.port, timeout=15) as client:
        assert client.get(host(NAME)).status == 200  # so that the first connection to break off is a pooled one
        client.send(REQUEST)
        until(lambda: stage.sent == [2], 9, "it was not repeated")
        stage.stop(0)
        if ends:
            stage.crash(0)
        until(lambda: stage.haystack.serving(NAME) == 0, 9, "the container did not leave")
        stage.crash(0)
        stage.restart(0)
        assert client.response().status == 200
        assert stage.sent == [3]


def test_two_containers_that_stop_at_once_cost_a_third_one_nothing(fakes: Loop) -> None:
    with staged(fakes, *[stopping] * 3) as stage, Client(stage.haystack.port, timeout=15) as client:
        client.send(REQUEST)
        until(lambda: sum(stage.sent) == 2, 9, "it was not repeated")
        left = stage.sent.index(0)
        stage.origins[left].script = respond()
        for number in {0, 1, 2} - {left}:
            stage.stop(number)
        assert client.response().status == 200
        assert stage.sent[left] == 1


def test_one_of_two_that_was_told_to_stop_costs_no_repetition(fakes: Loop) -> None:
    """It is not held against the request, which so has one repetition left."""
    with staged(fakes, *[stopping] * 2) as stage, Client(stage.haystack.port, timeout=15) as client:
        client.send(REQUEST)
        until(lambda: stage.sent == [1, 1], 9, "it was not repeated")
        stage.origins[1].script = respond()
        stage.stop(0)
        assert client.response().status == 200
        assert stage.sent == [1, 2]


def test_a_container_that_crashes_is_no_reason_to_send_the_request_again(fakes: Loop) -> None:
    """It may be what the request did to it."""
    with staged(fakes, stopping) as stage, Client(stage.haystack.port, timeout=15) as client:
        assert client.get(host(NAME)).status == 200  # so that the first connection to break off is a pooled one
        client.send(REQUEST)
        until(lambda: stage.sent == [2], 9, "it was not repeated")
        stage.crash(0)
        until(lambda: stage.haystack.serving(NAME) == 0, 9, "the container did not leave")
        stage.restart(0)
        answer = client.response()
        assert answer.status == 502
        assert "was retried before" in (answer.get("proxy-status") or "")
        assert stage.sent == [2]
