"""How containers ended, kept for a minute, so that a person can ask why one has gone. Of one engine; one thread's own.

Never does: I/O, logging. The view keeps it, the watch tells it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec.structs import replace

from haystack.model.records import Container, Departure

SECONDS = 90.0  # a minute is promised, and a list is made only when something happens
MOST = 200


class Departures:
    """Departures by container id. clock: seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._found: dict[str, Departure] = {}
        self._starved: dict[str, None] = {}

    def starved(self, identity: str) -> bool:
        """Something in this container was killed for lack of memory: its end comes next, or was told just before. Whether that is news."""
        if identity in self._found:
            return self.examine(identity, oom=True, output="") is not None
        news = identity not in self._starved
        self._starved.pop(identity, None)
        self._starved[identity] = None
        while len(self._starved) > MOST:
            del self._starved[next(iter(self._starved))]
        return news

    def name(self, identity: str) -> str:
        """The name of one that has ended; empty where it is not known."""
        found = self._found.get(identity)
        return found.container.name if found else ""

    def ended(self, container: Container, at: float, status: str) -> None:
        """It has ended."""
        self._found.pop(container.id, None)
        oom = container.id in self._starved
        self._starved.pop(container.id, None)
        self._found[container.id] = Departure(container=container, at=at, seen=self._clock(), exit=status, oom=oom)
        while len(self._found) > MOST:
            del self._found[next(iter(self._found))]

    def examine(self, identity: str, *, oom: bool, output: str) -> Departure | None:
        """Add what the engine tells of it afterwards. What is known then; None where that is nothing new."""
        old = self._found.get(identity)
        if old is None:
            return None
        container = replace(old.container, health_output=output or old.container.health_output)
        new = self._found[identity] = replace(old, oom=old.oom or oom, container=container)
        return new if new != old else None

    def departures(self) -> tuple[Departure, ...]:
        """Those of the last while, the latest last."""
        since = self._clock() - SECONDS
        self._found = {identity: d for identity, d in self._found.items() if d.seen > since}
        return tuple(self._found.values())
