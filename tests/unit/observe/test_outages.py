"""The log tells when a service is there, with what to type; when it has nobody left, why; and when somebody is back."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from haystack.catalog.incremental import Builder
from haystack.health.policy import Condition
from haystack.loop.turns import at_once
from haystack.model import ports
from haystack.model.records import Container, Listing, Options
from haystack.model.services import Endpoint
from haystack.model.snapshot import Snapshot
from haystack.observe.bursts import Crowd
from haystack.observe.outages import GONE, Outages
from tests.oracles.snapshot import build


class Heard:
    """What Outages tells of containers as they come and go; each `show` is ten seconds after the one before.

    refuses: the port that does not accept connections. As in life, a snapshot says what has changed in it.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.refuses, self.overdue = 0, False
        self.told: list[tuple[str, object]] = []  # events of the last show, and how far they are of a panic
        self.builder = Builder(Snapshot(version=0, created=0.0, origin="haystack"))
        self.crowd = Crowd("t", lambda: self.now, lambda _seconds, _what: lambda: None)
        self.outages = Outages(lambda host: f"http://{host}/", self.crowd, lambda: self.now)

    def condition(self, _container: Container, endpoint: Endpoint) -> Condition:
        return Condition(waiting="it refuses", overdue=self.overdue) if endpoint.port == self.refuses else Condition()

    def show(self, *containers: Container) -> list[tuple[str, object]]:
        self.now += 10.0
        listings = {"x": Listing(containers=containers)}
        doubtful = {f"{c.short_id}:{port.number}/tcp" for c in containers for port in c.ports}
        made = at_once(self.builder.build(listings, self.now, self.now, self.condition, doubtful))
        with capture_logs() as lines:
            if made is not None:
                at_once(self.outages.follow(made))
            self.crowd.flush()
        self.told = [(line["event"], line.get("panic")) for line in lines]
        return [(line["event"], line.get("reason") or line.get("down_seconds") or line.get("more") or line.get("url")) for line in lines]


def container(
    number: int = 1,
    state: str = "running",
    reason: str = "",
    *,
    numbers: tuple[int, ...] = (80,),
    service: str = "web",
    hosts: tuple[str, ...] = (),
) -> Container:
    listed = tuple(ports.named(each, "tcp") for each in numbers)
    return Container(
        id=f"{number:012x}" * 5, name=f"c{number}", engine="e", services=(service,), address="10.0.0.1", ports=listed,
        state=state, state_reason=reason, since=1.0, options=Options(hosts=hosts),
    )  # fmt: skip


def snapshot_of(*containers: Container) -> Snapshot:
    return build(1, "haystack", {"x": Listing(containers=containers)}, 0.0)


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_a_new_service_is_told_with_its_url(heard: Heard) -> None:
    assert heard.show(container()) == [("service.up", "http://web.services.haystack/")]
    assert heard.show(container(), container(2)) == []
    assert heard.show(container(), container(2), container(3, service="api.shop")) == [("service.up", "http://api.shop.services.haystack/")]


def test_one_none_of_whose_ports_speaks_http_is_told_with_the_label_that_would_have_it_served(heard: Heard) -> None:
    with capture_logs() as lines:
        at_once(heard.outages.follow(snapshot_of(container(service="gitea", numbers=(22, 3000)))))
    (line,) = lines
    assert "url" not in line
    assert "22/tcp, 3000/tcp" in line["hint"]
    assert "haystack.port=3000" in line["hint"]


def test_the_last_one_that_stops_takes_its_service_down_and_the_next_one_has_it_up(heard: Heard) -> None:
    heard.show(container(1), container(2))
    assert heard.show(container(1)) == []
    assert heard.show(container(1, "stopping", "kill SIGTERM")) == [("service.down", "killed with SIGTERM")]
    assert heard.show(container(1, "stopping", "kill SIGTERM")) == []
    assert heard.show(container(1)) == [("service.up", 20.0)]


def test_one_that_vanishes_is_gone_and_back_when_it_is_within_a_minute(heard: Heard) -> None:
    heard.show(container())
    assert heard.show() == [("service.down", GONE)]
    assert heard.show() == []
    assert heard.show(container()) == [("service.up", 20.0)]


def test_one_that_is_in_by_panic_is_told_as_such_and_told_again_when_it_is_well(heard: Heard) -> None:
    heard.refuses, heard.overdue = 80, True
    heard.show(container())
    assert heard.told == [("service.up", "it refuses, but still in: no other endpoint is better (panic)")]
    assert heard.show(container()) == []
    heard.refuses = 0
    assert heard.show(container()) == [("service.up", "http://web.services.haystack/")]
    assert heard.told == [("service.up", None)]
    assert heard.show(container(), container(2)) == []


def test_a_service_whose_other_port_is_well_is_down_all_the_same(heard: Heard) -> None:
    heard.show(container(numbers=(80, 5432)))
    heard.refuses = 80
    assert heard.show(container(numbers=(80, 5432))) == [("service.down", "waiting: it refuses yet")]


def test_of_many_at_once_some_are_told_and_the_rest_counted(heard: Heard) -> None:
    heard.show(*(container(number, service=f"s{number}") for number in range(1, 101)))
    told = heard.show()
    assert [event for event, _ in told] == ["service.down"] * 20 + ["events.counted"]
    assert told[-1] == ("events.counted", 80)


def test_after_a_minute_it_is_a_new_one(heard: Heard) -> None:
    heard.show(container())
    heard.show()
    heard.now += 61.0
    assert heard.show(container(2, service="other")) == [("service.up", "http://other.services.haystack/")]
    assert heard.show(container(), container(2, service="other")) == [("service.up", "http://web.services.haystack/")]


def test_one_that_was_never_up_is_not_down(heard: Heard) -> None:
    assert heard.show(container(1, "paused", "paused")) == []


def test_a_host_whose_last_container_is_out_is_told_while_others_of_its_service_are_in(heard: Heard) -> None:
    of_one, other = ("one.example", "two.example"), container(2, hosts=("two.example",))
    assert len(heard.show(container(1, hosts=of_one), other)) == 1
    assert heard.show(container(1, "paused", hosts=of_one), other) == [("service.down", "paused")]
    assert heard.show(container(1, hosts=of_one), other) == [("service.up", 10.0)]
    assert heard.show(other) == [("service.down", GONE)]
    assert heard.show(container(3, hosts=("one.example",)), other) == [("service.up", 10.0)]


def test_a_service_that_has_nobody_left_is_told_once_however_many_hosts_it_has(heard: Heard) -> None:
    hosts = ("one.example", "two.example")
    assert len(heard.show(container(1, hosts=hosts), container(2))) == 1
    assert heard.show() == [("service.down", GONE)]
    assert heard.show(container(1, hosts=hosts), container(2)) == [("service.up", 10.0)]


def test_a_host_that_a_service_gets_later_is_told(heard: Heard) -> None:
    heard.show(container(1))
    assert heard.show(container(1), container(2, hosts=("one.example",))) == [("service.up", "http://one.example//")]


def test_what_is_known_of_hosts_that_are_gone_is_forgotten_after_a_while(heard: Heard) -> None:
    for number in range(3, 50):
        heard.show(container(number, hosts=(f"h{number}.example",)), container(2))
    assert len(heard.outages._claims["web.services.haystack"]) < 10
    assert len(heard.outages._down) < 10
