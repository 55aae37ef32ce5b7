"""Long work on the control loop, in short turns: DNS, health and events have theirs in between.

Work is a generator that yields wherever others may go first, each few dozen microseconds or so. Never a thread: a thread that computes
holds the interpreter for a while each time that the loop wants it back. The engines' threads are needed, and yield it soon (HANDOVER).
All work that is under way shares one turn in each round of the loop, however much of it there is; a Job has turns of its own, and the
others' are shorter meanwhile.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import islice
from time import perf_counter
from typing import TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")
Turns = Generator[None, None, T]
TURN = 0.001  # seconds
BESIDE = 0.0003  # seconds of a turn while a Job goes on, for both are in one round
HANDOVER = 0.0005  # seconds for which a thread that computes may keep the others waiting
RUN = 250  # items that are sorted in one go
STRETCH = 32  # items that are looked at between two yields, at some microseconds each

_jobs: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()  # that go on
_doors: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def share() -> None:
    """Have threads that compute hand the interpreter over soon: the loop asks for it again after each call of a socket."""
    sys.setswitchinterval(HANDOVER)


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
    loop = asyncio.get_running_loop()
    door = _doors.setdefault(loop, asyncio.Lock())
    while True:
        async with door:  # first come, first served
            over = perf_counter() + (BESIDE if _jobs.get(loop) else TURN)
            try:
                while perf_counter() < over:
                    next(work)
            except StopIteration as end:
                value: T = end.value
                return value
            await asyncio.sleep(0)


def stretches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """All of them in their order, some at a time: yield after each."""
    return (items[at : at + STRETCH] for at in range(0, len(items), STRETCH))


class Job:
    """Work that does not wait for other work: what clients ask for is not to delay an event.

    The search for garbage goes on meanwhile. Put off until the end, it takes 15 ms in one go: all that was made is looked through.
    ended: called when it is done, or has failed: then what it raised goes to the loop, or to who asked for the end.
    """

    def __init__(self, work: Turns[None], ended: Callable[[], None]) -> None:
        self._work = work
        self._ended = ended
        self._next: asyncio.Handle | None = None

    def start(self) -> None:
        """Do as much as one turn takes, and go on in the next rounds of the loop."""
        over, going = perf_counter() + TURN, False
        try:
            while perf_counter() < over:
                next(self._work)
            going = True
        except StopIteration:
            pass
        finally:
            if not going:
                self._leave()
        if going:
            loop = asyncio.get_running_loop()
            if self._next is None:
                _jobs[loop] = _jobs.get(loop, 0) + 1
            self._next = loop.call_soon(self.start)

    def finish(self) -> None:
        """Do the rest of it now."""
        if self._next is not None:
            self._next.cancel()
        try:
            at_once(self._work)
        finally:
            self._leave()

    def _leave(self) -> None:
        """It goes on no more."""
        if self._next is not None:
            self._next = None
            _jobs[asyncio.get_running_loop()] -= 1
        self._ended()


def ordered(items: Iterable[T], key: Callable[[T], str | tuple[int, int]]) -> Turns[list[T]]:
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
