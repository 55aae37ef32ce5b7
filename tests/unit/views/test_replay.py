"""A window of time is told from what is kept: who was in, what came, and what became of requests at one that left."""

from __future__ import annotations

from typing import Any

from haystack.loop.turns import at_once
from haystack.model.reports import Outcome
from haystack.observe.history import Past
from haystack.observe.journal import Journal
from haystack.observe.membership_history import MembershipHistory
from haystack.observe.outcomes import ALIKE, Outcomes
from haystack.views.replay import Replay, replay

WEB, API = "web.services.haystack", "api.services.haystack"
ONE, TWO, THREE = "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"


class Told:
    """Three containers of one service and one of another, from 1000 on. Time is ours."""

    def __init__(self) -> None:
        self.now = 1000.0
        clock = lambda: self.now  # noqa: E731 - three times the same
        self.past = Past(Journal(clock, lambda _seconds, _what: None), Outcomes(clock), MembershipHistory(clock))
        for number, place in enumerate((ONE, TWO, THREE), 1):
            self.past.attendance.come(WEB, f"id{number}", f"web-{number}", [place])
        self.past.attendance.come(API, "id9", "api-1", ["10.0.0.9:80"])

    def kill(self, at: float) -> None:
        self.now = at
        self.past.journal.add("container.killed", "web-2", "was sent SIGKILL", [WEB])
        self.past.journal.add("endpoint.out", "web-2", "gets no more requests", [WEB])
        self.past.attendance.leave(WEB, "id2")

    def end(self, at: float, *candidates: str, **more: Any) -> None:
        usual: dict[str, Any] = {
            "worker": 0, "listener": "http:80", "client": "10.1.1.1:5", "method": "GET", "host": WEB, "target": "/", "service": WEB,
            "candidates": candidates, "endpoint": candidates[-1], "status": 200, "total_ms": 30.0, "retried": "connection_terminated",
        }  # fmt: skip
        self.now = at
        self.past.outcomes.take([Outcome(time=at, **usual | more)], 0)

    def replay(self, first: float, last: float, service: str | None = WEB) -> Replay:
        return at_once(replay(self.past, first, last, service))


def test_a_killed_container_has_its_story() -> None:
    told = Told()
    told.kill(1010.0)
    told.end(1010.1, TWO, status=502, error="connection_terminated", method="POST")
    told.end(1010.3, TWO, ONE)
    told.end(1010.4, TWO, THREE)
    told.end(1010.5, TWO, status=0, error="connection_terminated", retried="")
    found = told.replay(1005.0, 1065.0)
    assert (found.before, found.after) == ({WEB: ("web-1", "web-2", "web-3")}, {WEB: ("web-1", "web-3")})
    assert [e.kind for e in found.events] == ["container.killed", "endpoint.out"]
    assert [o.time for o in found.outcomes] == [1010.1, 1010.3, 1010.4, 1010.5]
    (leaving,) = found.leavings
    assert (leaving.name, leaving.moved, leaving.failed, leaving.gave_up) == ("web-2", 2, 1, 1)
    assert (leaving.answered_by, leaving.resumed) == (("web-1", "web-3"), 1010.3)
    assert found.name(WEB, TWO) == "web-2"
    assert found.name(WEB, "10.7.7.7:80") == "10.7.7.7:80"


def test_those_that_are_only_counted_count() -> None:
    told = Told()
    told.kill(1010.0)
    for number in range(ALIKE + 9):
        told.end(1010.1 + number / 100, TWO, ONE)
    told.past.outcomes.take([], 4)
    found = told.replay(1005.0, 1065.0)
    assert (len(found.outcomes), found.uncounted) == (ALIKE, 13)
    assert found.leavings[0].moved == ALIKE + 9


def test_what_went_wrong_elsewhere_or_long_after_is_not_its_doing() -> None:
    told = Told()
    told.kill(1010.0)
    told.end(1010.2, ONE, THREE)
    told.end(1050.0, TWO, ONE)
    found = told.replay(1005.0, 1065.0)
    assert len(found.outcomes) == 2
    assert (found.leavings[0].moved, found.leavings[0].failed) == (0, 0)


def test_a_window_has_its_own_time_and_service_alone() -> None:
    told = Told()
    told.past.journal.add("worker.died", "worker 0", "killed by signal 9")
    told.kill(1010.0)
    told.end(1020.0, "10.0.0.9:80", service=API, status=503, retried="")
    told.kill(1080.0)
    found = told.replay(1000.0, 1070.0)
    assert [e.kind for e in found.events] == ["worker.died", "container.killed", "endpoint.out"]
    assert found.outcomes == ()
    every = told.replay(1005.0, 1070.0, None)
    assert every.before == {WEB: ("web-1", "web-2", "web-3"), API: ("api-1",)}
    assert [o.service for o in every.outcomes] == [API]
    assert told.replay(1100.0, 1160.0, None).before == {}


def test_a_service_that_nobody_knows_has_had_nobody() -> None:
    found = Told().replay(1000.0, 1070.0, "none.services.haystack")
    assert found.before == found.after == {"none.services.haystack": ()}


def test_it_says_from_when_on_all_is_known() -> None:
    assert Told().replay(900.0, 1100.0).known == 1000.0
