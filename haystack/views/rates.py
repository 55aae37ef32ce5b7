"""Requests a second, errors and latency of services and endpoints over the newest seconds, and of services over the last five minutes.

Looks once a second at what the workers told since (proxy/traffic.py), whether anybody asks or not. What had no traffic costs nothing. Never
asks a worker: each tells of a second when it is over, all within a tenth of one, and this looks half a second later.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import sub
from time import monotonic
from typing import Generic, NamedTuple, TypeVar

from haystack.loop.turns import Turns, in_turns
from haystack.model.durations import SLOTS, quantile
from haystack.proxy.ipc import Tally
from haystack.proxy.traffic import Figures, Traffic

WINDOW = 5  # seconds that the newest figures are of, at most
HISTORY = 300  # seconds that are kept of services
KEPT = 2000  # services of which so much is kept: those that had traffic first
PHASE = 0.5  # of a second at which it looks
T = TypeVar("T")


class Rate(NamedTuple):
    """Of the newest seconds: exchanges ended and errors a second, and how long the middle one and the 99th of 100 took, in seconds."""

    requests: float = 0.0
    errors: float = 0.0
    p50: float = 0.0
    p99: float = 0.0


class History(NamedTuple):
    """Of the last HISTORY seconds, the oldest first: exchanges ended, errors, and the 99th percentile of their durations in seconds."""

    requests: Sequence[float]
    errors: Sequence[float]
    p99: Sequence[float]


class Count(NamedTuple):
    """What ended in a second. slots: (slot, count) one behind the other."""

    requests: int
    errors: int
    slots: tuple[int, ...]


class Ring:
    """A service's last HISTORY seconds, by their number on the clock."""

    def __init__(self, second: int) -> None:
        self._rows = tuple(array("f", bytes(4 * HISTORY)) for _ in History._fields)
        self.last = second

    def put(self, second: int, row: Iterable[float]) -> None:
        """What was in this second; nothing was in those since the last one that was put."""
        self._pass(second)
        for values, value in zip(self._rows, row, strict=True):
            values[second % HISTORY] = value

    def read(self, second: int) -> History:
        """Up to this second."""
        since = min(HISTORY, max(0, second - self.last))  # nothing was in these
        at = (self.last + 1) % HISTORY
        return History(*(tuple((values[at:] + values[:at])[since:]) + (0.0,) * since for values in self._rows))

    def _pass(self, second: int) -> None:
        for passed in range(max(self.last + 1, second - HISTORY + 1), second + 1):
            for values in self._rows:
                values[passed % HISTORY] = 0.0
        self.last = max(self.last, second)


class Newest(Mapping[str, Rate], Generic[T]):
    """Rates over these seconds, each computed when it is looked up for the first time. counts: what a value of one of them comes to."""

    def __init__(self, seconds: Sequence[Mapping[str, T]], counts: Callable[[T], Iterable[Count]]) -> None:
        self._seconds = seconds
        self._counts = counts
        self._known: dict[str, Rate] = {}

    def __getitem__(self, key: str) -> Rate:
        known = self._known.get(key)
        if known is None:
            counts = [count for second in self._seconds if key in second for count in self._counts(second[key])]
            if not counts:
                raise KeyError(key)
            known = self._known[key] = rate(counts, len(self._seconds))
        return known

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key for second in self._seconds for key in second))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Rates:
    """Of what this traffic counts. `look` once a second, or `run`."""

    def __init__(self, traffic: Traffic | None = None) -> None:
        self._traffic = traffic or Traffic()
        self._before: dict[str, tuple[int, int, array[int]]] = {}  # by service, when it was looked at last
        self._services: deque[Mapping[str, Count]] = deque(maxlen=WINDOW)  # by second, the newest last
        self._endpoints: deque[Mapping[str, Sequence[Tally]]] = deque(maxlen=WINDOW)
        self._rings: dict[str, Ring] = {}  # the one that had traffic longest ago first
        self._second = 0

    async def run(self) -> None:
        """Look each second, for ever."""
        while True:
            await asyncio.sleep(1 - (monotonic() - PHASE) % 1)
            if (second := int(monotonic())) > self._second:  # a timer may be early by a little
                await in_turns(self.look(second))

    def look(self, second: int) -> Turns[None]:
        """Take in what was told since the last call. second: its number, which only grows."""
        services, endpoints = self._traffic.take_recent()
        counts: dict[str, Count] = {}
        for name in services:
            if (figures := self._traffic.services.get(name)) is not None:
                count = counts[name] = self._change(name, figures)
                self._keep(name, second, count)
            yield
        for _ in range(max(0, min(WINDOW, second - self._second - 1)) if self._second else 0):  # held up: those are over, and were empty
            self._services.append({})
            self._endpoints.append({})
        self._services.append(counts)
        self._endpoints.append(endpoints)
        self._second = second
        yield from self._expire(second)

    def _change(self, name: str, figures: Figures) -> Count:
        """What has ended since it was looked at last."""
        requests, errors, durations = figures.requests, figures.errors, figures.durations[:]
        before = self._before.get(name)
        self._before[name] = requests, errors, durations
        if before is None or before[0] > requests:  # a name that was gone, and is there again
            return Count(requests, errors, pairs(durations))
        return Count(requests - before[0], errors - before[1], pairs(list(map(sub, durations, before[2]))))

    def _keep(self, name: str, second: int, count: Count) -> None:
        ring = self._rings.pop(name, None)
        if ring is None:
            if len(self._rings) >= KEPT:
                return
            ring = Ring(second - 1)
        ring.put(second, (count.requests, count.errors, quantile(merged([count.slots]), 0.99)))
        self._rings[name] = ring

    def _expire(self, second: int) -> Turns[None]:
        """Let go of what had no traffic for long, and of services that have left."""
        while self._rings and self._rings[name := next(iter(self._rings))].last <= second - HISTORY:
            del self._rings[name]
            yield
        if second % HISTORY == 0:
            for name in tuple(self._before):
                if name not in self._traffic.services:
                    del self._before[name]
                yield

    def services(self, seconds: int = WINDOW) -> Mapping[str, Rate]:
        """Those with traffic in the newest seconds (WINDOW at most), by whole name. Each is computed when it is looked up."""
        return Newest([*self._services][-seconds:], lambda count: (count,))

    def endpoints(self, seconds: int = WINDOW) -> Mapping[str, Rate]:
        """The same by endpoint's id."""
        return Newest([*self._endpoints][-seconds:], lambda tallies: map(count_of, tallies))

    def history(self, name: str) -> History:
        """Of one service: empty sequences where nothing is kept of it."""
        ring = self._rings.get(name)
        return ring.read(self._second) if ring is not None else History((), (), ())


def count_of(tally: Tally) -> Count:
    """What a worker told of an endpoint."""
    classes, *_, slots = tally
    return Count(sum(classes), classes[0] + classes[5], slots)


def pairs(durations: Iterable[int]) -> tuple[int, ...]:
    """(slot, count) one behind the other, of those that hold any."""
    return tuple(number for slot, count in enumerate(durations) if count for number in (slot, count))


def merged(many: Iterable[Sequence[int]]) -> list[int]:
    """Counts by slot, of all of these pairs."""
    counts = [0] * SLOTS
    for slots in many:
        for at in range(0, len(slots), 2):
            counts[slots[at]] += slots[at + 1]
    return counts


def rate(counts: Sequence[Count], seconds: int) -> Rate:
    """What these, of so many seconds in all, come to."""
    slots = merged(count.slots for count in counts)
    requests, errors = sum(count.requests for count in counts), sum(count.errors for count in counts)
    return Rate(requests / seconds, errors / seconds, quantile(slots, 0.5), quantile(slots, 0.99))
