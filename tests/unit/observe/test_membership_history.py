"""Who was in a service is counted back from who is in now, however many came and left."""

from __future__ import annotations

from haystack.loop.turns import at_once
from haystack.observe.membership_history import MembershipHistory, Seat

WEB = "web.services.haystack"


class Hall:
    """An attendance whose time is ours."""

    def __init__(self, most: int = 1000) -> None:
        self.now = 0.0
        self.attendance = MembershipHistory(lambda: self.now, most)

    def come(self, at: float, identity: str, name: str = "") -> None:
        self.now = at
        self.attendance.come(WEB, identity, name or identity, ["10.0.0.1:80"])

    def leave(self, at: float, identity: str) -> None:
        self.now = at
        self.attendance.leave(WEB, identity)

    def at(self, moment: float) -> set[str]:
        return {seat.name for seat in at_once(self.attendance.at(moment, [WEB]))[WEB].values()}


def test_who_was_in_at_each_time() -> None:
    hall = Hall()
    hall.come(10, "a")
    hall.come(20, "b")
    hall.leave(30, "a")
    hall.come(40, "c")
    hall.leave(50, "b")
    times = {5: set(), 10: set(), 10.1: {"a"}, 25: {"a", "b"}, 35: {"b"}, 45: {"b", "c"}, 60: {"c"}}
    assert {moment: hall.at(moment) for moment in times} == times
    assert [(m.time, m.seat.name, m.came) for m in hall.attendance.moves(20, 40)] == [(20, "b", True), (30, "a", False)]


def test_one_that_has_left_keeps_its_places() -> None:
    hall = Hall()
    hall.come(10, "a")
    hall.leave(20, "a")
    assert at_once(hall.attendance.at(15, [WEB])) == {WEB: {"a": Seat("a", "a", ("10.0.0.1:80",))}}


def test_one_that_is_made_anew_under_its_name_is_another() -> None:
    hall = Hall()
    hall.come(10, "old", "web-1")
    hall.come(20, "new", "web-1")
    hall.leave(21, "old")
    assert [hall.at(moment) for moment in (5, 15, 20.5, 30)] == [set(), {"web-1"}, {"web-1"}, {"web-1"}]


def test_other_services_say_nothing_of_one_and_who_was_not_in_can_not_leave() -> None:
    hall = Hall()
    hall.come(10, "a")
    hall.attendance.come("other", "b", "b")
    hall.leave(15, "c")
    assert hall.at(20) == {"a"}
    assert at_once(hall.attendance.at(20, ["none"])) == {"none": {}}
    assert len(hall.attendance.moves(0, 100)) == 2


def test_it_is_bounded_and_says_from_when_on_it_knows() -> None:
    hall = Hall(most=10)
    assert hall.attendance.begun == 0
    for number in range(15):
        hall.come(number, str(number))
    assert hall.attendance.begun == 4
    assert hall.at(7) == {str(n) for n in range(7)}
