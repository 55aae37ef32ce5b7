import asyncio
import gc
import random
import sys
from time import perf_counter

import pytest
import structlog

from haystack.command_line import running
from haystack.loop import turns
from haystack.loop.turns import TURN, Job, at_once, in_turns, ordered
from haystack.settings.settings import load


def steps(count, note=lambda: None):
    for _ in range(count):
        end = perf_counter() + 0.0002
        while perf_counter() < end:
            pass
        note()
        yield
    return count


async def test_work_is_done_beside_everything_else():
    turns = 0
    work = asyncio.ensure_future(in_turns(steps(100)))
    while not work.done():
        turns += 1
        await asyncio.sleep(0)
    assert await work == 100
    assert turns > 15


async def test_all_work_under_way_has_one_turn_in_each_round_of_the_loop():
    worked = []
    works = [asyncio.ensure_future(in_turns(steps(20, lambda n=n: worked.append(n)))) for n in range(10)]
    rounds = []
    while not all(work.done() for work in works):
        worked.clear()
        await asyncio.sleep(0)
        rounds.append(set(worked))
    assert max(map(len, rounds)) == 1


async def test_turns_beside_a_job_are_shorter_for_both_are_in_one_round_of_the_loop(monkeypatch):
    """The clock goes on by a hundredth of a turn with each look at it."""
    now, counted, stopped = 0.0, 0, False

    def clock():
        nonlocal now
        now += TURN / 100
        return now

    def work():
        nonlocal counted
        while not stopped:
            counted += 1
            yield

    def job():
        while not stopped:
            yield

    async def most():
        nonlocal counted
        found = []
        for _ in range(10):
            counted = 0
            await asyncio.sleep(0)
            found.append(counted)
        return max(found)

    monkeypatch.setattr(turns, "perf_counter", clock)
    working = asyncio.ensure_future(in_turns(work()))
    alone = await most()
    ended = asyncio.Event()
    Job(job(), ended.set).start()
    await asyncio.sleep(0)
    beside = await most()
    stopped = True
    await ended.wait()
    await working
    assert alone > 90
    assert 0 < beside < alone / 2
    counted, stopped = 0, False
    working = asyncio.ensure_future(in_turns(work()))
    await asyncio.sleep(0)
    assert await most() == alone
    stopped = True
    await working


async def test_what_fails_in_its_turn_fails_for_who_waits():
    def work():
        yield
        raise KeyError

    with pytest.raises(KeyError):
        await in_turns(work())
    assert await in_turns(steps(1)) == 1


def test_sorting_in_turns_is_stable():
    words = [(random.choice("abc"), n) for n in range(2000)]
    assert at_once(ordered(words, lambda word: word[0])) == sorted(words, key=lambda word: word[0])


def test_the_control_process_has_threads_that_compute_hand_over_soon(monkeypatch, tmp_path):
    """Those of the engines: while one computes the loop waits for so long after each call of a socket."""
    found = []

    def run(work):
        work.close()
        found.append(sys.getswitchinterval())

    before, thresholds = sys.getswitchinterval(), gc.get_threshold()
    monkeypatch.setattr(running.uvloop, "run", run)
    try:
        assert running.main(load({"state_dir": str(tmp_path), "docker_host": "tcp://127.0.0.1:1"}), demo=False) == 0
    finally:
        sys.setswitchinterval(before)
        gc.set_threshold(*thresholds)
        structlog.reset_defaults()
    assert found[0] <= TURN


async def test_the_search_for_garbage_goes_on_during_a_job():
    """All that a long one has made, looked through in one go at its end, would hold the loop."""
    made, searches, done = [], 0, asyncio.Event()

    def work():
        for _ in range(200):
            made.extend([n] for n in range(100))
            yield

    def count(phase, _info):
        nonlocal searches
        searches += phase == "start" and not done.is_set()

    gc.callbacks.append(count)
    try:
        Job(work(), done.set).start()
        await done.wait()
    finally:
        gc.callbacks.remove(count)
    assert searches >= 200 * 100 // max(1, gc.get_threshold()[0]) - 2
