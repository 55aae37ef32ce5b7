"""Which containers are in which service, and were at a time gone by: every coming and going of late, bounded, and counted back from now.

The journal counts what comes in crowds; here each one is, so that replay can say who was in. Never decides who is.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from haystack.loop.turns import Turns, stretches

MOST = 10_000  # comings and goings: about 3 MiB


class Seat(NamedTuple):
    """A container in a service. places: of its endpoints there, ``IP:PORT`` as traces have them."""

    container: str
    name: str
    places: tuple[str, ...] = ()


class Move(NamedTuple):
    """A container came into a service, or left it. time: Unix seconds."""

    time: float
    service: str
    seat: Seat
    came: bool


Seats = dict[str, dict[str, Seat]]  # by service, and then by container's id


class MembershipHistory:
    """The moves, the oldest first, and who is in now. clock: Unix seconds."""

    def __init__(self, clock: Callable[[], float] = time.time, most: int = MOST) -> None:
        self._clock = clock
        self._moves: deque[Move] = deque(maxlen=most)
        self._now: Seats = {}
        self.begun = clock()  # from when on it knows

    def come(self, service: str, container: str, name: str, places: Iterable[str] = ()) -> None:
        """A container is in this service from now on."""
        seat = self._now.setdefault(service, {})[container] = Seat(container, name, tuple(places))
        self._add(Move(self._clock(), service, seat, came=True))

    def leave(self, service: str, container: str) -> None:
        """It is no more. Nothing where it was not."""
        there = self._now.get(service, {})
        seat = there.pop(container, None)
        if seat is None:
            return
        if not there:
            del self._now[service]
        self._add(Move(self._clock(), service, seat, came=False))

    def _add(self, move: Move) -> None:
        if len(self._moves) == self._moves.maxlen:
            self.begun = self._moves[0].time
        self._moves.append(move)

    def at(self, moment: float, services: Iterable[str]) -> Turns[Seats]:
        """Who was in these services then."""
        found: Seats = {}
        for service in services:
            found[service] = dict(self._now.get(service, {}))
            yield
        for some in stretches(list(reversed(self._moves))):
            for move in some:
                if move.time < moment:
                    return found
                if move.service in found:
                    _undo(found[move.service], move)
            yield
        return found

    def moves(self, first: float, last: float) -> list[Move]:
        """Those of this time, in their order."""
        return [move for move in self._moves if first <= move.time < last]


def _undo(there: dict[str, Seat], move: Move) -> None:
    if move.came:
        there.pop(move.seat.container, None)
    else:
        there[move.seat.container] = move.seat
