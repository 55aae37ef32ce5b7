"""Exchanges that failed, or were sent to another endpoint: those of late, in a bounded ring. With the journal, what replay tells from.

Workers tell some of them each second, and count the rest (_fast/worker/traces.pyx). Here the ring is kept for what differs: of a thousand
that failed in one way in one second, some are kept, and all are counted. What clients cause themselves has a ring of its own.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable

from haystack.model.reports import Outcome

MOST, BY_CLIENTS = 4000, 500  # of services, and of what clients cause themselves: about a KiB each
ALIKE = 10  # of one service that went one way in one second
SECONDS_KEPT = 7200  # seconds of which it is known how many there were no room for
CLIENT_GONE = "connection_terminated"
Manner = tuple[str, str, int, str]  # service, error, status, why it was retried


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
        self._left: deque[tuple[int, int]] = deque(maxlen=SECONDS_KEPT)  # (Unix second, outcomes that are not kept)
        self._second = 0
        self._alike: Counter[Manner] = Counter()
        self._begun = [clock(), clock()]

    def take(self, outcomes: Iterable[Outcome], left: int) -> None:
        """Keep these. left: how many more a worker had no room for."""
        for outcome in outcomes:
            if not self._takes(outcome):
                left += 1
                continue
            kind = by_client(outcome)
            ring = self._rings[kind]
            if len(ring) == ring.maxlen:
                self._begun[kind] = ring[0].time
            ring.append(outcome)
        if left:
            self._leave(int(self._clock()), left)

    def between(self, first: float, last: float) -> list[Outcome]:
        """Those that ended in this time (Unix seconds), in the order of their ends."""
        return sorted((o for ring in self._rings for o in ring if first <= o.time < last), key=lambda o: o.time)

    def left(self, first: float, last: float) -> int:
        """How many of this time are not kept."""
        return sum(count for second, count in self._left if int(first) <= second < last)

    def begun(self) -> float:
        """From when on those of services are all there, but for those that are counted: Unix seconds."""
        return self._begun[False]

    def _takes(self, outcome: Outcome) -> bool:
        second = int(outcome.time)
        if second > self._second:
            self._second = second
            self._alike.clear()
        manner = outcome.service, outcome.error, outcome.status, outcome.retried
        self._alike[manner] += 1
        return self._alike[manner] <= ALIKE

    def _leave(self, second: int, count: int) -> None:
        if self._left and self._left[-1][0] == second:
            count += self._left.pop()[1]
        self._left.append((second, count))
