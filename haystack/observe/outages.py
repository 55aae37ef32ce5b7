"""Tells the log when a service has no endpoint left, why, and when somebody is in again: what people look for first when clients get 503.

A subscriber of snapshots. Never decides who is in. Of a service that has gone it knows for a minute that it was, as the workers do.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from haystack.model import Service
from haystack.snapshot import Snapshot

GONE = "gone"
REMEMBERED = 60.0  # seconds
_log = structlog.get_logger("haystack.services")


class Outages:
    """clock: seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._version: int | None = None
        self._up: set[str] = set()
        self._down: dict[str, float] = {}  # since when

    def follow(self, snapshot: Snapshot) -> None:
        """Tell of those services that had somebody in before this snapshot, or have again. What costs is what has changed."""
        change = snapshot.change
        whole = change is None or change.base != self._version
        self._version = snapshot.version
        for name in {*snapshot.services, *self._up, *self._down} if change is None or whole else change.services:
            self._look(name, snapshot.services.get(name))
        forgotten = self._clock() - REMEMBERED
        for name in [n for n, since in self._down.items() if since < forgotten and n not in snapshot.services]:
            del self._down[name]

    def _look(self, name: str, service: Service | None) -> None:
        if service is not None and any(e.ready for e in service.endpoints):
            self._up.add(name)
            if (since := self._down.pop(name, None)) is not None:
                _log.info("service.up", service=name, after=round(self._clock() - since, 1))
        elif name in self._up:
            self._up.remove(name)
            self._down[name] = self._clock()
            _log.warning("service.down", service=name, reason=_why(service))


def _why(service: Service | None) -> str:
    """Why the endpoint that was in to the last is out."""
    return max(service.endpoints, key=lambda e: e.since).reason if service is not None else GONE
