"""Tells the log when a service has no endpoint left, why, and when somebody is in again: what people look for first when clients get 503.

A subscriber of snapshots. Never decides who is in. Of a service that has gone it knows for a minute that it was, as the workers do.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from haystack.model import Endpoint, Service
from haystack.snapshot import Snapshot

DOWN, UP, GONE = "service.down", "service.up", "gone"
REMEMBERED = 60.0  # seconds
MOST = 20  # lines for one snapshot: where an engine goes with all it has, a count tells the rest
News = tuple[str, str, dict[str, object]]
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
        names = {*snapshot.services, *self._up, *self._down} if change is None or change.base != self._version else change.services
        self._version = snapshot.version
        found = [news for name in names if (news := self._look(name, snapshot.services.get(name)))]
        for event, service, more in found[:MOST]:
            (_log.warning if event == DOWN else _log.info)(event, service=service, **more)
        if rest := found[MOST:]:
            _log.warning("services", more_down=sum(event == DOWN for event, *_ in rest), more_up=sum(event == UP for event, *_ in rest))
        self._forget(snapshot)

    def _look(self, name: str, service: Service | None) -> News | None:
        if service is not None and any(e.ready for e in _asked(service)):
            self._up.add(name)
            since = self._down.pop(name, None)
            return None if since is None else (UP, name, {"after": round(self._clock() - since, 1)})
        if name not in self._up:
            return None
        self._up.remove(name)
        self._down[name] = self._clock()
        # why the one that was in to the last is out
        why = max(_asked(service), key=lambda e: e.since).reason if service is not None else GONE
        return DOWN, name, {"reason": why}

    def _forget(self, snapshot: Snapshot) -> None:
        oldest = self._clock() - REMEMBERED
        for name in [n for n, since in self._down.items() if since < oldest and n not in snapshot.services]:
            del self._down[name]


def _asked(service: Service) -> tuple[Endpoint, ...]:
    """Those that clients are led to: who speaks HTTP, where anybody does."""
    return tuple(e for e in service.endpoints if e.listener) or service.endpoints
