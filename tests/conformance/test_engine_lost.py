"""An engine that does not answer: its containers stay for HAYSTACK_ENGINE_GRACE, then they are out, and in again when it is back."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.fakes.client import Client
from tests.fakes.engine import FakeEngine, inspected
from tests.fakes.origin import Origin
from tests.fakes.worker import Haystack, host, until

LIMIT = 30.0


@pytest.fixture
def engine(origin: Origin) -> Iterator[FakeEngine]:
    with FakeEngine() as made:
        raw = inspected(1, "web", "web")
        raw["Config"] |= {"Labels": {"haystack.port": str(origin.port), "haystack.wait": "off"}}
        raw["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] = "127.0.0.1"
        made.add(raw, event=False)
        yield made


def status(haystack: Haystack) -> int:
    with Client(haystack.port) as client:
        return client.get(host("web")).status


def reasons(haystack: Haystack) -> list[str]:
    with Client(haystack.port) as client:
        return [row["reason"] for row in json.loads(client.get("localhost", "/api/services").body) if row["name"] == host("web")]


def test_its_containers_are_out_after_the_grace_and_in_again_when_it_is_back(engine: FakeEngine) -> None:
    with Haystack([], HAYSTACK_STATIC="", DOCKER_HOST=engine.host, HAYSTACK_ENGINE_GRACE="1s") as haystack:
        until(lambda: status(haystack) == 200, LIMIT, "it is not served")
        engine.down()
        given_up = haystack.wait("engine.given_up", LIMIT)
        assert (given_up["containers"], given_up["seconds"]) == (1, 1.0)
        until(lambda: status(haystack) == 503, LIMIT, "it is served, still")
        assert {"has not answered for" in reason for reason in reasons(haystack)} == {True}
        engine.up()
        until(lambda: status(haystack) == 200, LIMIT, lambda: f"it is not served again: {reasons(haystack)}")
