"""Long work on the control loop, in short turns: DNS, health and events have theirs in between.

Work is a generator that yields wherever others may go first, each few dozen microseconds or so. Never a thread: one that computes has the
interpreter for 5 ms at a time, and the loop waits as long, again and again. All work that is under way shares one turn in each round of
the loop, however much of it there is.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Generator, Iterable
from itertools import islice
from time import perf_counter
from typing import TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")
Turns = Generator[None, None, T]
TURN = 0.001  # seconds
RUN = 250  # items that are sorted in one go

_doors: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def at_once(work: Turns[T]) -> T:
    """Do it all now: for tests, and for what is known to be short."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            value: T = end.value
            return value


async def in_turns(work: Turns[T]) -> T:
    """Do it beside everything else that goes on. Raises what the work raises."""
    door = _doors.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    while True:
        async with door:  # first come, first served
            over = perf_counter() + TURN
            try:
                while perf_counter() < over:
                    next(work)
            except StopIteration as end:
                value: T = end.value
                return value
            await asyncio.sleep(0)


def ordered(items: Iterable[T], key: Callable[[T], str]) -> Turns[list[T]]:
    """sorted(items, key=key), in turns."""
    source, runs = iter(items), []
    while some := list(islice(source, RUN)):
        runs.append(sorted(some, key=key))
        yield
    found = []
    for item in heapq.merge(*runs, key=key):
        found.append(item)
        yield
    return found
