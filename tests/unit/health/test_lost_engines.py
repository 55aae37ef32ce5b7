"""Whose endpoints are looked at because their engine does not answer, and for how long."""

import asyncio
from contextlib import suppress
from types import SimpleNamespace

import pytest

from haystack.health import lost_engines
from haystack.model.records import Container


def container(number, engine, state="running"):
    return Container(id=f"{number:064x}", name=f"c{number}", engine=engine, state=state)


class Rounds:
    """What was doubted in each round; lost: engines."""

    def __init__(self, *containers):
        self.lost, self.doubted, self.number, self.news = set(), [], 0, asyncio.Event()
        self.snapshot = SimpleNamespace(containers={each.id: each for each in containers})

    def now_lost(self):
        self.number += 1
        self.news.set()
        return self.lost

    def doubt(self, identities):
        self.doubted.append([int(each, 16) for each in identities])

    async def next(self, count=1):
        """What has been doubted last, when so many rounds have begun, and one more."""
        async with asyncio.timeout(5):
            for _ in range(count + 1):
                self.news.clear()
                await self.news.wait()
        return self.doubted[-1] if self.doubted else None


@pytest.fixture
async def rounds(monkeypatch):
    monkeypatch.setattr(lost_engines, "PAUSE", 0.005)
    made = Rounds(container(1, "E1"), container(2, "E2"), container(3, "E1"), container(4, "E1", "stopping"))
    task = asyncio.create_task(lost_engines.run(made.now_lost, lambda: made.snapshot, made.doubt))
    yield made
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_while_all_engines_answer_nobody_is_doubted(rounds):
    assert await rounds.next(5) is None


async def test_what_runs_on_an_engine_that_does_not_answer_is_doubted_in_each_round(rounds):
    rounds.lost = {"E1"}
    assert await rounds.next() == [1, 3]
    rounds.snapshot.containers[f"{5:064x}"] = container(5, "E1")
    assert await rounds.next() == [1, 3, 5]
    rounds.lost = {"E1", "E2"}
    assert await rounds.next() == [1, 2, 3, 5]


async def test_once_it_answers_that_ends_with_one_round_that_doubts_nobody(rounds):
    rounds.lost = {"E1"}
    await rounds.next()
    rounds.lost = set()
    assert await rounds.next(5) == []
    assert rounds.doubted.count([]) == 1
