"""A silent event stream may be a dead one: asks the engine whether it is there and what it has told. Never blocks.

Where it has told of events that the stream has not brought, these have moments to come, or the stream is at its end.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial

from haystack.discovery.docker import client as border
from haystack.discovery.docker import events
from haystack.discovery.docker.asking import Asking
from haystack.discovery.docker.timing import Timing


class StreamEndedError(Exception):
    """The engine's event stream is at its end: it went away, or we are closing."""


class Silence:
    """Of one session. seen: stamps of events that the stream has brought; there: called when the engine has shown that it is there."""

    def __init__(self, client: border.Client, asking: Asking, timing: Timing, seen: deque[str], there: Callable[[], None]) -> None:
        self._client, self._asking, self._timing = client, asking, timing
        self._seen = seen
        self._there = there
        self._heard = time.monotonic()
        self._asks = False
        self._overdue = float("inf")  # when an event that the engine has told of has to be there

    def end(self) -> None:
        """The stream has brought something."""
        self._heard, self._overdue = time.monotonic(), float("inf")

    def wake(self) -> float:
        """When there is something to do, in seconds of a clock that only grows."""
        return self._overdue if self._asks or self._overdue < float("inf") else self._heard + self._timing.ping

    def begin(self, since: str, *, more: bool) -> None:
        """Ask, where it is time to. since: where in the engine's events; more: not all that came was looked at. Raises StreamEndedError."""
        now = time.monotonic()
        if now >= self._overdue:
            if more:
                return  # it may be in what was not looked at
            raise StreamEndedError("the event stream fell silent")
        if now >= self.wake():
            self._asks = True
            self._asking.ask(partial(border.missed, self._client, since, self._timing.answer), self._take)

    def _take(self, told: list[object] | None) -> None:
        """What it has told is here by now, or comes within moments."""
        self._asks = False
        if told is None:
            raise StreamEndedError("the engine's clock went back")
        self._heard = time.monotonic()
        self._there()
        if not {event.stamp for event in map(events.read, told) if event} <= {"", *self._seen}:
            self._overdue = self._heard + self._timing.late
