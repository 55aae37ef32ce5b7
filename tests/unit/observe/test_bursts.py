"""Of many lines of one event the first ones are there, and the others are counted, so that none goes unmentioned."""

from __future__ import annotations

import threading
from collections.abc import Callable

from structlog.testing import capture_logs

from haystack.observe.bursts import MOST, SECONDS, Crowd


class Rig:
    def __init__(self) -> None:
        self.now = 100.0
        self.due: list[Callable[[], None]] = []
        self.crowd = Crowd("t", lambda: self.now, self._after)

    def _after(self, _seconds: float, what: Callable[[], None]) -> Callable[[], None]:
        self.due.append(what)
        return lambda: self.due.remove(what)


def test_the_rest_is_counted_event_by_event_when_the_time_is_up() -> None:
    rig = Rig()
    with capture_logs() as lines:
        for number in range(10_000):
            rig.crowd.info("service.up", name=str(number))
        rig.crowd.warning("service.down", name="other")
        assert [line["name"] for line in lines] == [*map(str, range(MOST)), "other"]
        (due,) = rig.due
        due()
    assert lines[-1] == {"event": "events.counted", "kind": "service.up", "more": 10_000 - MOST, "log_level": "info"}


def test_few_at_a_time_are_all_told_and_nothing_is_set_up_for_them() -> None:
    rig = Rig()
    with capture_logs() as lines:
        for _ in range(10 * MOST):
            rig.now += SECONDS / MOST
            rig.crowd.info("service.up", name="x")
    assert (len(lines), rig.due) == (10 * MOST, [])


def test_what_was_counted_is_told_though_more_comes_before_the_time_is_up() -> None:
    rig = Rig()
    with capture_logs() as lines:
        for _ in range(MOST + 1):
            rig.crowd.info("service.up", name="x")
        rig.now += SECONDS
        rig.crowd.info("service.up", name="y")
        rig.crowd.flush()
    assert [line.get("more") or line["name"] for line in lines[MOST:]] == [1, "y"]
    assert rig.due == []


def test_it_is_told_by_itself_and_from_any_thread() -> None:
    told = threading.Event()

    def soon(_seconds: float, what: Callable[[], None]) -> Callable[[], None]:
        threading.Thread(target=lambda: (what(), told.set())).start()
        return lambda: None

    crowd = Crowd("t", after=soon)
    with capture_logs() as lines:
        for _ in range(MOST + 1):
            crowd.info("container.died", name="x")
        assert told.wait(10)
    assert lines[-1]["more"] == 1


def test_what_says_nothing_is_left_out() -> None:
    with capture_logs() as lines:
        Rig().crowd.info("service.up", name="x", url=None)
    assert "url" not in lines[0]
