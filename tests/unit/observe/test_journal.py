"""The journal: what is added is kept, in bounds, and told; many of one kind are counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from haystack.observe import journal as room
from haystack.observe.journal import KINDS, MOST, NAMES, SECONDS, TEXT, Entry, Journal


class Clocked:
    """A journal whose time is ours."""

    def __init__(self, **bounds: int) -> None:
        self.now = 1000.0
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.journal = Journal(lambda: self.now, lambda seconds, what: self.later.append((seconds, what)), **bounds)

    def add(self, about: str = "web-1", kind: str = "container.started", **more: object) -> None:
        self.journal.add(kind, about, "started", **more)  # type: ignore[arg-type]

    def kept(self) -> list[str]:
        return [entry.about or entry.text for entry in self.journal.since(0)]


@pytest.fixture
def clocked() -> Clocked:
    return Clocked()


def test_an_entry_has_what_it_was_given_and_a_number_that_grows(clocked: Clocked) -> None:
    clocked.journal.add("operator.drain", "web-1", "drains", ["web.services.haystack"], "ann", identity="abc", detail="why")
    clocked.now += 1
    clocked.add()
    first, second = clocked.journal.since(0)
    assert first == Entry(
        number=1, time=1000.0, kind="operator.drain", about="web-1", id="abc", services=("web.services.haystack",), text="drains",
        detail="why", by="ann",
    )  # fmt: skip
    assert (second.number, second.time, clocked.journal.last) == (2, 1001.0, 2)


def test_a_kind_that_there_is_not_is_a_mistake(clocked: Clocked) -> None:
    with pytest.raises(ValueError, match="is no kind"):
        clocked.add(kind="container.exploded")
    for kind in KINDS:
        clocked.add(kind=kind)


def test_since_goes_by_time_and_after_by_number(clocked: Clocked) -> None:
    for number in range(5):
        clocked.add(f"c{number}")
        clocked.now += 10
    assert [entry.about for entry in clocked.journal.since(1020.0)] == ["c2", "c3", "c4"]
    assert [entry.about for entry in clocked.journal.after(3)] == ["c3", "c4"]
    assert [clocked.journal.after(number) for number in (5, 500)] == [[], []]
    assert len(clocked.journal.after(0)) == len(clocked.journal.after(-7)) == 5


def test_the_time_of_another_clock_is_believed_where_it_was_just_now(clocked: Clocked) -> None:
    clocked.add("told late")
    clocked.add("earlier", kind="container.killed", at=clocked.now - 1)
    clocked.add("long ago", at=clocked.now - 3600)
    clocked.add("in the future", at=clocked.now + 3600)
    assert [(entry.about, entry.time) for entry in clocked.journal.since(0)] == [
        ("earlier", 999.0), ("told late", 1000.0), ("long ago", 1000.0), ("in the future", 1000.0)
    ]  # fmt: skip


def test_the_oldest_leave_when_there_are_too_many_and_it_says_from_when_on_it_knows() -> None:
    clocked = Clocked(entries=3)
    assert clocked.journal.begun == 1000.0
    for number in range(5):
        clocked.now += 10
        clocked.add(f"c{number}")
    assert clocked.kept() == ["c2", "c3", "c4"]
    assert clocked.journal.begun == 1020.0
    assert [entry.about for entry in clocked.journal.after(1)] == ["c2", "c3", "c4"]


def test_the_oldest_leave_when_their_texts_take_too_much_and_none_is_longer_than_that() -> None:
    clocked = Clocked(size=3 * TEXT)
    for letter in "abcdef":
        clocked.journal.add("container.died", letter * 10_000, "", map(str, range(1000)))
    entries = clocked.journal.since(0)
    assert sum(entry.size for entry in entries) <= 3 * TEXT
    assert {len(entry.about) for entry in entries} == {TEXT}
    assert {len(entry.services) for entry in entries} == {NAMES}


def test_of_ten_thousand_at_once_the_first_are_told_and_the_others_counted(clocked: Clocked) -> None:
    for number in range(10_000):
        clocked.add(f"c{number}", services=(f"s{number % 30}",))
        clocked.now += 0.0001
    clocked.add("killed", kind="container.killed")
    assert clocked.kept() == [*(f"c{number}" for number in range(MOST)), "killed"]
    ((seconds, tell),) = clocked.later
    assert seconds == SECONDS
    clocked.now += seconds
    tell()
    (more,) = [entry for entry in clocked.journal.since(0) if entry.more]
    assert (more.more, more.text) == (10_000 - MOST, "9,980 more containers started")
    assert len(more.services) == NAMES
    clocked.add("the next")
    assert clocked.kept()[-1] == "the next"
    tell()
    assert len(clocked.journal.since(0)) == MOST + 3


def test_a_burst_that_goes_on_is_told_with_each_entry_that_begins_another(clocked: Clocked) -> None:
    for _ in range(2):
        for number in range(MOST + 5):
            clocked.add(f"c{number}")
        clocked.now += SECONDS
    clocked.add("last")
    assert [entry.more for entry in clocked.journal.since(0) if entry.more] == [5, 5]


def test_what_operators_do_is_always_told_in_full(clocked: Clocked) -> None:
    for number in range(3 * MOST):
        clocked.add(f"c{number}", kind="operator.drain")
    assert len(clocked.kept()) == 3 * MOST


async def test_who_follows_hears_of_each_and_of_how_many_it_lost(clocked: Clocked) -> None:
    async with clocked.journal.follow(limit=2) as news, clocked.journal.follow() as others:
        for number in range(5):
            clocked.add(f"c{number}")
        assert [(await anext(news)).about for _ in range(2)] == ["c3", "c4"]
        assert news.lost == 3
        assert [(await anext(others)).about for _ in range(5)] == [f"c{number}" for number in range(5)]
        waiting = asyncio.ensure_future(anext(news))
        await asyncio.sleep(0)
        assert not waiting.done()
        clocked.add("c5")
        assert (await waiting).about == "c5"
    clocked.add("c6")
    assert others.lost == 0
    assert clocked.journal._followers == set()


async def test_on_a_loop_the_count_comes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "SECONDS", 0.5)
    journal = Journal()
    async with journal.follow() as news:
        for number in range(MOST + 1):
            journal.add("container.died", f"c{number}", "ended")
        assert [(await anext(news)).more for _ in range(MOST + 1)] == [0] * MOST + [1]
