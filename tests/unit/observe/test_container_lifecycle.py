"""The journal tells how containers live and end, and what that means for services: from the same news as the log."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from haystack.catalog.incremental import Builder
from haystack.health.policy import Condition
from haystack.loop.turns import at_once
from haystack.model import ports
from haystack.model.records import STOPPING, Container, Departure, Listing
from haystack.model.services import Endpoint
from haystack.model.snapshot import Snapshot
from haystack.observe.history import Past
from haystack.observe.journal import Entry, Journal
from haystack.observe.membership_history import MembershipHistory
from haystack.observe.snapshot_log import SnapshotLog

WEB = "web.services.haystack"


class Life:
    """What the journal hears as containers come and go. begun: when Haystack started."""

    def __init__(self, begun: float = 100.0) -> None:
        self.now = begun
        self.ended: list[Departure] = []
        self.past = Past(Journal(lambda: self.now, lambda _seconds, _what: None), attendance=MembershipHistory(lambda: self.now))
        self.story = SnapshotLog(lambda: 80, lambda: self.ended, self.past)
        self.story._lives._begun = begun
        self.builder = Builder(Snapshot(version=0, created=0.0, origin="haystack"))

    def show(self, *containers: Container) -> list[Entry]:
        self.now += 10.0
        made = at_once(self.builder.build({"x": Listing(containers=containers)}, self.now, self.now, well, set()))
        number = self.past.journal.last
        if made is not None:
            at_once(self.story.follow(made))
        return self.past.journal.after(number)

    def kinds(self, *containers: Container) -> list[tuple[str, str]]:
        return [(entry.kind, entry.about) for entry in self.show(*containers)]


def well(_container: Container, _endpoint: Endpoint) -> Condition:
    return Condition()


def container(number: int = 1, **more: Any) -> Container:
    usual = {"name": f"web-{number}", "services": ("web",), "address": "10.0.0.1", "ports": (ports.named(80, "tcp"),), "since": 1.0}
    return Container(id=f"{number:012x}" * 5, engine="e", image="web:1", **(usual | more))


@pytest.fixture
def life() -> Life:
    return Life()


def test_one_that_ran_before_haystack_did_is_in_and_did_not_start(life: Life) -> None:
    assert life.kinds(container()) == [("endpoint.in", "web-1"), ("service.up", WEB)]


def test_one_that_starts_is_told_before_what_that_means(life: Life) -> None:
    entries = life.show(container(since=109.0))
    assert [(e.kind, e.text) for e in entries] == [
        ("container.started", "started from web:1"),
        ("endpoint.in", f"gets requests for {WEB}; 1 endpoint there"),
        ("service.up", "is ready"),
    ]
    assert [e.services for e in entries] == [(WEB,)] * 3
    assert [e.id for e in entries] == ["000000000001", "000000000001", ""]
    assert entries[0].time == 109.0


def test_a_kill_is_told_with_its_signal_and_what_followed(life: Life) -> None:
    one, two = container(1), container(2)
    life.show(one, two)
    killed = replace(one, state=STOPPING, state_reason="kill SIGTERM", since=118.0)
    entries = life.show(killed, two)
    assert [(e.kind, e.about, e.text) for e in entries] == [
        ("container.killed", "web-1", "was sent SIGTERM"),
        ("endpoint.out", "web-1", f"gets no more requests for {WEB}: killed with SIGTERM; 1 endpoint left"),
    ]
    life.ended.append(Departure(container=killed, at=125.0, seen=1.0, exit="143"))
    assert [(e.kind, e.text, e.detail) for e in life.show(two)] == [("container.died", "its process ended", "exit status 143")]


def test_a_task_that_its_swarm_ends_is_told_as_that(life: Life) -> None:
    one, two = container(1), container(2)
    life.show(one, two)
    entries = life.show(replace(one, state=STOPPING, state_reason="its task is to shut down", since=118.0), two)
    assert [(e.kind, e.about, e.text) for e in entries] == [
        ("container.killed", "web-1", "was told to stop: its task is to shut down"),
        ("endpoint.out", "web-1", f"gets no more requests for {WEB}: its task is to shut down; 1 endpoint left"),
    ]


def test_a_kill_and_an_end_that_are_seen_together_are_both_told(life: Life) -> None:
    one = container()
    life.show(one)
    killed = replace(one, state=STOPPING, state_reason="kill SIGKILL", since=118.0)
    life.ended.append(Departure(container=killed, at=119.0, seen=1.0, exit="137", oom=True))
    entries = life.show()
    assert [(e.kind, e.time) for e in entries[:2]] == [("container.killed", 118.0), ("container.died", 119.0)]
    assert entries[1].detail == "exit status 137, out of memory"
    assert [(e.kind, e.about) for e in entries[2:]] == [("endpoint.out", "web-1"), ("service.down", WEB)]


def test_how_a_process_ended_is_for_the_shell_alone(life: Life) -> None:
    life.show(container())
    life.ended.append(Departure(container=container(), at=119.0, seen=1.0, exit="3"))
    entries = life.show()
    assert [e.kind for e in entries] == ["container.died", "endpoint.out", "service.down"]
    assert not [e for e in entries if "3" in e.text]
    assert all("exit" in e.detail for e in entries)


def test_one_that_goes_without_a_word_has_gone(life: Life) -> None:
    life.show(container())
    assert life.kinds() == [("container.removed", "web-1"), ("endpoint.out", "web-1"), ("service.down", WEB)]


def test_one_that_starts_anew_has_ended_and_started(life: Life) -> None:
    life.show(container())
    life.ended.append(Departure(container=container(), at=118.0, seen=1.0, exit="0"))
    assert life.kinds(container(since=119.0)) == [("container.died", "web-1"), ("container.started", "web-1")]
    assert life.kinds(container(since=119.0), container(2)) == [("endpoint.in", "web-2")]


def test_a_pause_and_its_end_are_told(life: Life) -> None:
    life.show(container())
    assert life.kinds(container(state="paused", state_reason="paused", since=119.0))[0] == ("container.paused", "web-1")
    assert life.kinds(container())[0] == ("container.resumed", "web-1")


def test_one_that_ignores_its_signal_runs_on(life: Life) -> None:
    life.show(container())
    life.show(container(state=STOPPING, state_reason="kill SIGTERM", since=118.0))
    first = life.show(container())[0]
    assert (first.kind, first.text) == ("container.resumed", "runs on, though it was told to stop")


def test_health_is_told_when_it_changes_and_what_the_check_printed_for_the_shell_alone(life: Life) -> None:
    life.show(container(health="starting"))
    entry = life.show(container(health="unhealthy", health_output="secret"))[0]
    assert (entry.kind, entry.text, entry.detail) == ("health.changed", "is unhealthy by its health check", "secret")
    entry = life.show(container(health="healthy", health_output="fine"))[0]
    assert (entry.text, entry.detail) == ("is healthy by its health check", "")


def test_attendance_and_journal_agree(life: Life) -> None:
    life.show(container(1), container(2))
    moment = life.now + 5
    life.show(container(2))
    seats = at_once(life.past.attendance.at(moment, [WEB]))[WEB].values()
    assert {(seat.name, seat.places) for seat in seats} == {("web-1", ("10.0.0.1:80",)), ("web-2", ("10.0.0.1:80",))}
