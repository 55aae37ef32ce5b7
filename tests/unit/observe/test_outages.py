"""The log tells when a service has nobody left, why, and when somebody is back."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from haystack import ports
from haystack.model import Container, Listing
from haystack.observe.outages import Outages
from haystack.snapshot import build


class Heard:
    """What Outages tells of containers as they come and go; each `show` is a snapshot, ten seconds after the one before."""

    def __init__(self) -> None:
        self.now = 0.0
        self.version = 0
        self.outages = Outages(lambda: self.now)

    def show(self, *containers: Container) -> list[tuple[str, object]]:
        self.now += 10.0
        self.version += 1
        with capture_logs() as lines:
            self.outages.follow(build(self.version, "haystack", {"x": Listing(containers=containers)}, self.now))
        return [(line["event"], line.get("reason") or line.get("after")) for line in lines]


def container(number: int = 1, state: str = "running", reason: str = "") -> Container:
    listed = (ports.named(80, "tcp"),)
    return Container(
        id=f"{number:x}" * 64, name=f"c{number}", engine="e", services=("web",), address="10.0.0.1", ports=listed,
        state=state, state_reason=reason,
    )  # fmt: skip


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_of_what_is_there_at_the_start_nothing_is_told(heard: Heard) -> None:
    assert heard.show(container()) == []


def test_the_last_one_that_stops_takes_its_service_down_and_the_next_one_has_it_up(heard: Heard) -> None:
    heard.show(container(1), container(2))
    assert heard.show(container(1)) == []
    assert heard.show(container(1, "stopping", "kill SIGTERM")) == [("service.down", "draining: kill SIGTERM")]
    assert heard.show(container(1, "stopping", "kill SIGTERM")) == []
    assert heard.show(container(1)) == [("service.up", 20.0)]


def test_one_that_vanishes_is_gone_and_back_when_it_is_within_a_minute(heard: Heard) -> None:
    heard.show(container())
    assert heard.show() == [("service.down", "gone")]
    assert heard.show() == []
    assert heard.show(container()) == [("service.up", 20.0)]


def test_after_a_minute_it_is_a_new_one(heard: Heard) -> None:
    heard.show(container())
    heard.show()
    heard.now += 61.0
    assert heard.show() == []
    assert heard.show(container()) == []


def test_one_that_was_never_up_is_not_down(heard: Heard) -> None:
    assert heard.show(container(1, "paused", "paused")) == []
