"""The log tells by name which container joins what, which leaves and why, and which is in nothing at all."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from haystack.catalog.incremental import Builder
from haystack.health.policy import Condition
from haystack.loop.turns import at_once
from haystack.model import ports
from haystack.model.records import Container, Departure, Listing
from haystack.model.services import Endpoint
from haystack.model.snapshot import Snapshot
from haystack.observe.bursts import MOST, Crowd
from haystack.observe.membership import Moves


class Heard:
    """What Moves tells of containers as they come and go. As in life, a snapshot says what has changed in it. out: why endpoints are."""

    def __init__(self) -> None:
        self.now = 0.0
        self.out: dict[str, Condition] = {}
        self.ended: list[Departure] = []
        self.builder = Builder(Snapshot(version=0, created=0.0, origin="haystack"))
        self.crowd = Crowd("t", lambda: self.now, lambda _seconds, _what: lambda: None)
        self.moves = Moves(self.crowd, lambda: self.ended)

    def condition(self, container: Container, _endpoint: Endpoint) -> Condition:
        return self.out.get(container.name, Condition())

    def show(self, *containers: Container) -> list[dict[str, Any]]:
        self.now += 10.0
        doubtful = {f"{c.short_id}:{port.number}/tcp" for c in containers for port in c.ports}
        made = at_once(self.builder.build({"x": Listing(containers=containers)}, self.now, self.now, self.condition, doubtful))
        with capture_logs() as lines:
            if made is not None:
                at_once(self.moves.follow(made))
            self.crowd.flush()
        return [{**line} for line in lines]


WEB = "web.services.haystack"


def container(number: int = 1, **more: Any) -> Container:
    usual = {"name": f"trial_p_web_{number}", "services": ("web",), "address": "10.0.0.1", "ports": (ports.named(80, "tcp"),)}
    return Container(id=f"{number:012x}" * 5, engine="e", since=1.0, **(usual | more))


@pytest.fixture
def heard() -> Heard:
    return Heard()


def reasons(lines: list[dict[str, Any]]) -> list[tuple[str, str, object]]:
    return [(line["event"], line.get("name", ""), line.get("reason")) for line in lines]


def test_who_joins_is_told_by_name_with_the_name_that_it_has_in_dns(heard: Heard) -> None:
    (line,) = heard.show(container())
    assert line == {
        "event": "container.joined", "log_level": "info", "name": "trial_p_web_1", "id": "000000000001",
        "dns": "trial-p-web-1.containers.haystack", "services": [WEB],
    }  # fmt: skip


def test_one_that_is_in_two_services_joins_with_one_line(heard: Heard) -> None:
    (line,) = heard.show(container(services=("web", "web.shop")))
    assert line["services"] == [WEB, "web.shop.services.haystack"]


def test_one_that_does_not_accept_yet_joins_when_it_does(heard: Heard) -> None:
    heard.out["trial_p_web_1"] = Condition(waiting="port 80 refuses")
    assert heard.show(container()) == []
    heard.out.clear()
    assert reasons(heard.show(container())) == [("container.joined", "trial_p_web_1", None)]


@pytest.mark.parametrize(
    ("then", "told"),
    [
        ({"state": "stopping", "state_reason": "kill SIGTERM"}, "killed with SIGTERM"),
        ({"state": "paused", "state_reason": "paused"}, "paused"),
        ({"health": "unhealthy"}, "unhealthy"),
    ],
)
def test_who_leaves_is_told_with_the_reason(heard: Heard, then: dict[str, str], told: str) -> None:
    heard.show(container(1), container(2))
    assert reasons(heard.show(replace(container(1), **then), container(2))) == [("container.left", "trial_p_web_1", told)]
    assert heard.show(replace(container(1), **then), container(2)) == []
    assert reasons(heard.show(container(1), container(2))) == [("container.joined", "trial_p_web_1", None)]


@pytest.mark.parametrize(("departed", "told"), [({"exit": "137", "oom": True}, "exit 137, out of memory"), ({"exit": "0"}, "exit 0")])
def test_one_whose_process_has_ended_left_with_its_status(heard: Heard, departed: dict[str, Any], told: str) -> None:
    heard.show(container())
    heard.ended = [Departure(container=container(), at=0.0, seen=0.0, **departed)]
    assert reasons(heard.show()) == [("container.left", "trial_p_web_1", told)]


def test_one_of_which_nothing_else_is_known_was_removed(heard: Heard) -> None:
    heard.show(container())
    assert reasons(heard.show()) == [("container.left", "trial_p_web_1", "removed")]


def test_one_whose_label_takes_it_elsewhere_leaves_and_joins(heard: Heard) -> None:
    heard.show(container(1), container(2))
    lines = heard.show(container(1, services=("api",)), container(2))
    assert [(line["event"], line["services"]) for line in lines] == [
        ("container.left", [WEB]), ("container.joined", ["api.services.haystack"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("without", "why"),
    [
        ({"ports": ()}, "it exposes no port"),
        ({"services": ()}, "it belongs to no service, so it only has its own name in DNS"),
        ({"services": (), "withheld": "it is a one-off of Docker Compose"}, "it is a one-off of Docker Compose, so it only has its own"),
        ({"address": None, "address_reason": "on no network"}, "it has no address: on no network"),
    ],
)
def test_one_that_runs_and_is_in_nothing_is_told_once_and_why(heard: Heard, without: dict[str, Any], why: str) -> None:
    (line,) = heard.show(container(1, **without))
    assert (line["event"], line["name"], line["dns"]) == ("container.unserved", "trial_p_web_1", "trial-p-web-1.containers.haystack")
    assert str(line["reason"]).startswith(why)
    assert heard.show(container(1, **without), container(2))[0]["name"] == "trial_p_web_2"


def test_of_ten_thousand_at_once_some_are_told_and_the_rest_counted(heard: Heard) -> None:
    lines = heard.show(*(container(number, services=(f"s{number}",)) for number in range(10_000)))
    assert len(lines) == MOST + 1
    assert (lines[-1]["kind"], lines[-1]["more"]) == ("container.joined", 10_000 - MOST)
