"""Tells the journal how containers live: started, told to stop, paused, ended and how, removed; and what their health checks say.

A reader of snapshots, in turns, and of departures, which say more of an end than a snapshot that has one container less. Those that ran
before Haystack did are no news. Never decides who is in (membership.py tells that).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from haystack.loop.turns import Turns
from haystack.model import naming, reasons
from haystack.model.records import STOPPING, Container, Departure
from haystack.model.snapshot import Snapshot
from haystack.observe.journal import Note

REMEMBERED = 1000  # ends that were told
HEALTHS = ("starting", "healthy", "unhealthy")


class Lives:
    """departures: how containers ended of late, the latest last; clock: Unix seconds."""

    def __init__(self, note: Note, departures: Callable[[], Iterable[Departure]] = tuple, clock: Callable[[], float] = time.time) -> None:
        self._note = note
        self._departures = departures
        self._begun = clock()
        self._last: Snapshot | None = None
        self._ended: dict[tuple[str, float], None] = {}  # departures that were told, by container and time

    def follow(self, snapshot: Snapshot) -> Turns[None]:
        """Tell of this snapshot what is other than in the one before."""
        last, self._last = self._last, snapshot
        change = snapshot.changed_since(last.version if last is not None else None)
        before = last.containers if last is not None else {}
        identities: Iterable[str] = change.containers if change is not None else {*before, *snapshot.containers}
        ends: dict[str, Departure] | None = None
        for identity in identities:
            old, new = before.get(identity), snapshot.containers.get(identity)
            if old is not None and (new is None or new.since > old.since):
                ends = self._ends() if ends is None else ends
            self._compare(old, new, (ends or {}).get(identity))
            yield

    def _ends(self) -> dict[str, Departure]:
        """Departures that were not told yet, by container: one that has ended twice of late is told of its last end."""
        return {d.container.id: d for d in self._departures() if (d.container.id, d.at) not in self._ended}

    def _compare(self, old: Container | None, new: Container | None, end: Departure | None) -> None:
        if end is not None:
            self._end(old, end)
        if new is None:
            if old is not None and end is None:
                self._tell("container.removed", old, "has gone")
        elif old is None or end is not None:
            self._begin(new)
        elif old != new:
            self._change(old, new)
            self._check(old, new)

    def _begin(self, new: Container) -> None:
        if new.since >= self._begun:
            self._tell("container.started", new, f"started from {new.image}" if new.image else "started", at=new.since)
        if new.state == STOPPING:
            self._kill(new)

    def _change(self, old: Container, new: Container) -> None:
        if old.state == new.state:
            return
        if new.state == STOPPING:
            self._kill(new)
        elif new.state == "paused":
            self._tell("container.paused", new, "is paused", at=new.since)
        elif new.state == "running":
            text = "runs on, though it was told to stop" if old.state == STOPPING else "runs on"
            self._tell("container.resumed", new, text)

    def _check(self, old: Container, new: Container) -> None:
        if old.health != new.health and new.health in HEALTHS:
            said = new.health_output if new.health == "unhealthy" else ""
            self._tell("health.changed", new, f"is {new.health} by its health check", detail=said)

    def _kill(self, container: Container) -> None:
        signal = reasons.signal_of(container.state_reason)
        told = f"was sent {signal}" if signal else f"was told to stop: {container.state_reason}"
        self._tell("container.killed", container, told, at=container.since)

    def _end(self, old: Container | None, end: Departure) -> None:
        """It ended: the signal before that, where that had not been seen yet."""
        self._ended[end.container.id, end.at] = None
        while len(self._ended) > REMEMBERED:
            del self._ended[next(iter(self._ended))]
        if end.container.state == STOPPING and (old is None or old.state != STOPPING):
            self._kill(end.container)
        how = [f"exit status {end.exit}"] if end.exit else []
        how += ["out of memory"] if end.oom else []
        self._tell("container.died", end.container, "its process ended", detail=", ".join(how), at=end.at)

    def _tell(self, kind: str, container: Container, text: str, *, detail: str = "", at: float = 0.0) -> None:
        origin = self._last.origin if self._last is not None else ""
        services = (naming.service_name(short, origin) for short in container.services)
        self._note(kind, container.name, text, services, identity=container.short_id, detail=detail, at=at)
