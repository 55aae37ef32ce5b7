"""Exchanges that failed, or were sent to another endpoint: those of late, in a bounded ring. With the journal, what replay tells from.

Workers tell some of them each second, and count the rest (_fast/worker/traces.pyx). Here the ring is kept for what differs: of a thousand
that failed in one way in one second, some are kept, and all are counted. What clients cause themselves has a ring of its own.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from haystack.model.reports import Outcome

MOST, BY_CLIENTS = 4000, 500  # of services, and of what clients cause themselves: about a KiB each
ALIKE = 20  # of one service that went one way in one second
COUNTS = 5000  # of those that there was no room for
CLIENT_GONE = "connection_terminated"


class Manner(NamedTuple):
    """How an exchange went: its service, its first candidate, and the same as in Outcome. All empty: a worker only counted it."""

    service: str = ""
    candidate: str = ""
    error: str = ""
    status: int = 0
    retried: str = ""


class Count(NamedTuple):
    """So many more of one manner that ended in one second (Unix time), and are not kept."""

    second: int
    manner: Manner
    number: int


def by_client(outcome: Outcome) -> bool:
    """Whether the client itself is why: it asked for what can't be had, or waited no more."""
    if outcome.retried:
        return False
    return not outcome.service or 400 <= outcome.status < 500 or outcome.error == CLIENT_GONE  # noqa: PLR2004 - the class of statuses


class Outcomes:
    """The rings. clock: Unix seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._rings: tuple[deque[Outcome], deque[Outcome]] = deque(maxlen=MOST), deque(maxlen=BY_CLIENTS)
        self._counts: deque[Count] = deque(maxlen=COUNTS)
        self._second = 0
        self._alike: Counter[Manner] = Counter()  # of this second
        self.begun = clock()  # from when on those of services are known

    def take(self, outcomes: Iterable[Outcome], left: int) -> None:
        """Keep these. left: how many more a worker had no room for."""
        for outcome in outcomes:
            if int(outcome.time) > self._second:
                self._next(int(outcome.time))
            manner = Manner(
                outcome.service, outcome.candidates[0] if outcome.candidates else "", outcome.error, outcome.status, outcome.retried
            )
            self._alike[manner] += 1
            if self._alike[manner] <= ALIKE:
                self._keep(outcome)
        if left:
            self._add(Count(int(self._clock()), Manner(), left))

    def _next(self, second: int) -> None:
        """Another second: tell of the one before how many there were in all."""
        self._counts.extend(self._unkept())
        self._second = second
        self._alike.clear()

    def _add(self, count: Count) -> None:
        """With the one before, where that is of the same second: workers tell ten times in each."""
        if self._counts and self._counts[-1][:2] == count[:2]:
            count = count._replace(number=count.number + self._counts.pop().number)
        self._counts.append(count)

    def _unkept(self) -> Iterable[Count]:
        return [Count(self._second, manner, count - ALIKE) for manner, count in self._alike.items() if count > ALIKE]

    def _keep(self, outcome: Outcome) -> None:
        mine = by_client(outcome)
        ring = self._rings[mine]
        if len(ring) == ring.maxlen and not mine:
            self.begun = ring[0].time
        ring.append(outcome)

    def between(self, first: float, last: float) -> list[Outcome]:
        """Those that ended in this time (Unix seconds), in the order of their ends."""
        return sorted((o for ring in self._rings for o in ring if first <= o.time < last), key=lambda o: o.time)

    def counts(self, first: float, last: float) -> list[Count]:
        """How many more of this time are not kept."""
        return [each for each in (*self._counts, *self._unkept()) if int(first) <= each.second < last]
