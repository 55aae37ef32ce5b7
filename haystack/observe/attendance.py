"""Which containers were in which service at a time gone by: every coming and going of late, bounded, and counted back from now.

The journal counts what comes in crowds; here each one is, so that replay can say who was in. Never decides who is.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from haystack.loop.turns import Turns, stretches

MOST = 40_000  # comings and goings: about 6 MiB


class Move(NamedTuple):
    """A container that came into a service, or left it. time: Unix seconds."""

    time: float
    service: str
    container: str
    name: str
    came: bool


class Attendance:
    """The moves, the oldest first. clock: Unix seconds."""

    def __init__(self, clock: Callable[[], float] = time.time, most: int = MOST) -> None:
        self._clock = clock
        self._moves: deque[Move] = deque(maxlen=most)
        self.begun = clock()  # from when on it knows

    def note(self, service: str, container: str, name: str, came: bool) -> None:
        """A container came into this service, or left it, just now."""
        if len(self._moves) == self._moves.maxlen:
            self.begun = self._moves[0].time
        self._moves.append(Move(self._clock(), service, container, name, came))

    def at(self, moment: float, now: Mapping[str, Iterable[tuple[str, str]]]) -> Turns[dict[str, dict[str, str]]]:
        """Who was in then, by service: names by container's id. now: (id, name) of those who are in, by service: of these it is told."""
        found = {service: dict(members) for service, members in now.items()}
        for some in stretches(list(reversed(self._moves))):
            if some[0].time < moment:
                break
            for move in some:
                if move.time < moment:
                    break
                there = found.get(move.service)
                if there is None:
                    continue
                if move.came:
                    there.pop(move.container, None)
                else:
                    there[move.container] = move.name
            yield
        return found

    def services(self, first: float, last: float) -> set[str]:
        """Those that somebody came into or left in this time."""
        return {m.service for m in self._moves if first <= m.time < last}
