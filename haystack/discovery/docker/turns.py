"""Whose turn it is to be looked at: which container is asked about next, and how many at once. Pure; one thread's own.

An engine may not answer for one container, whose storage or runtime hangs, for as long as that lasts. So answers that take longer than SLOW
count for nobody else, up to MOST; and a container that could not be looked at waits, each time for twice as long, and then in a lane of its
own, DOUBTED wide. Containers that events are about come before those of a list.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

TOGETHER = 4  # containers that are asked about at once
SLOW = 0.4  # seconds after which another one is asked about as well
MOST = 12  # that are asked about at once if all are slow
DOUBTED = 2  # beside those, of containers that could not be looked at the last time


class Look:
    """One container that is being asked about. told: when the event was that it is asked for, or 0.0; of: whether a list is the reason.

    valid: whether the answer will count; gone: the container has ended since; again: once more, because of the event of that time.
    """

    def __init__(self, identity: str, began: float, told: float, *, doubted: bool, listed: bool) -> None:
        self.identity, self.began, self.told = identity, began, told
        self.doubted, self.listed = doubted, listed
        self.valid, self.gone = True, False
        self.again: float | None = None


class Turns:
    """first, longest: seconds from a look that failed to the next one, the first time and at most. clock: seconds that only grow."""

    def __init__(self, first: float, longest: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._first, self._longest, self._clock = first, longest, clock
        self._wanted: dict[str, float] = {}  # because of events
        self._listed: dict[str, None] = {}
        self._doubted: dict[str, float] = {}
        self._flying: dict[str, Look] = {}
        self._pauses: dict[str, float] = {}  # before the next look, of those that could not be looked at
        self._again: dict[str, float] = {}  # when that is
        self._round: set[str] = set()  # of the list, those that have not been looked at yet

    def want(self, identity: str, told: float = 0.0) -> None:
        """Inspect the container soon. An inspect that is under way counts, but may be older than this, so another one follows."""
        look = self._flying.get(identity)
        if look is not None:
            look.again = look.again or told
            return
        self._listed.pop(identity, None)
        self._again.pop(identity, None)
        lane = self._doubted if identity in self._pauses else self._wanted
        lane[identity] = lane.get(identity) or told

    def want_all(self, identities: Iterable[str]) -> None:
        """Look at all of these, but those that wait since they could not be looked at."""
        for identity in identities:
            if identity in self._pauses:
                continue
            self._round.add(identity)
            if identity not in self._flying and identity not in self._wanted:
                self._listed[identity] = None

    def outdate(self, identity: str) -> None:
        """An inspect that is under way may be older than what is known by now: it does not count, and another one follows."""
        look = self._flying.get(identity)
        if look is not None:
            look.valid = False
            self.want(identity)

    def forget(self, identity: str) -> None:
        """It has gone: what is being asked about it says nothing any more."""
        look = self._flying.get(identity)
        if look is not None:
            look.valid, look.gone, look.again = False, True, None
        for lane in (self._wanted, self._listed, self._doubted, self._pauses, self._again):
            lane.pop(identity, None)
        self._round.discard(identity)

    def next(self) -> Look | None:
        """The next that may be asked about now; landed() has to be told when it has been."""
        now = self._clock()
        for identity in [i for i, at in self._again.items() if at <= now]:
            self.want(identity)
        doubted = sum(look.doubted for look in self._flying.values())
        if self._doubted and doubted < DOUBTED:
            return self._begin(self._doubted, now, doubted=True)
        if len(self._flying) - doubted >= MOST or len(self._prompt(now)) >= TOGETHER:
            return None
        if self._wanted:
            return self._begin(self._wanted, now)
        return self._begin(self._listed, now) if self._listed else None

    def landed(self, look: Look, *, seen: bool) -> bool:
        """It has been asked about; seen: whether the engine could say. Whether what was found out counts."""
        identity = look.identity
        del self._flying[identity]
        if seen:
            self._pauses.pop(identity, None)
        elif not look.gone:
            pause = self._pauses.get(identity, self._first)
            self._pauses[identity] = min(2 * pause, self._longest)
            self._again[identity] = self._clock() + pause
        if look.again is None or not seen:
            self._round.discard(identity)
        if look.again is not None:
            self.want(identity, look.again)
        return look.valid

    def wake(self) -> float:
        """When it may be somebody's turn, if nothing happens until then."""
        times = list(self._again.values())
        if self._wanted or self._listed:
            times += [began + SLOW for began in self._prompt(self._clock())]
        return min(times, default=float("inf"))

    @property
    def round_over(self) -> bool:
        """Whether all of the list have been looked at."""
        return not self._round

    @property
    def more_soon(self) -> bool:
        """Whether there are answers to come soon of what events have asked for."""
        now = self._clock()
        return bool(self._wanted) or any(not look.listed and now - look.began < SLOW for look in self._flying.values())

    def _begin(self, lane: dict[str, float] | dict[str, None], now: float, *, doubted: bool = False) -> Look:
        identity = next(iter(lane))
        told = lane.pop(identity)
        look = self._flying[identity] = Look(identity, now, told or 0.0, doubted=doubted, listed=lane is self._listed)
        return look

    def _prompt(self, now: float) -> list[float]:
        """When those began that may be answered soon."""
        return [look.began for look in self._flying.values() if not look.doubted and now - look.began < SLOW]
