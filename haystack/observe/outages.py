"""Tells the log when a service has no endpoint left, why, and when somebody is in again: what people look for first when clients get 503.

The same of a haystack.host whose last container is out while others of its service are in. A subscriber of snapshots. Never decides who is
in. Of a service that has gone it knows for a minute that it was, as the workers do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import structlog

from haystack.model import Endpoint, Service
from haystack.snapshot import Snapshot

DOWN, UP, GONE = "service.down", "service.up", "gone"
REMEMBERED = 60.0  # seconds
MOST = 20  # lines for one snapshot: where an engine goes with all it has, a count tells the rest
News = tuple[str, str, dict[str, object]]
Led = tuple[str, str]  # a service, and a claim of it; empty: its own name
_log = structlog.get_logger("haystack.services")


class Outages:
    """clock: seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._version: int | None = None
        self._claims: dict[str, set[str]] = {}  # by service: what is up or down
        self._up: set[Led] = set()
        self._down: dict[Led, tuple[float, bool]] = {}  # since when, and whether it was told

    def follow(self, snapshot: Snapshot) -> None:
        """Tell of those services that had somebody in before this snapshot, or have again. What costs is what has changed."""
        change = snapshot.change
        names = {*snapshot.services, *self._claims} if change is None or change.base != self._version else change.services
        self._version = snapshot.version
        found = [news for name in names for news in self._look(name, snapshot.services.get(name))]
        for event, service, more in found[:MOST]:
            (_log.warning if event == DOWN else _log.info)(event, service=service, **more)
        if rest := found[MOST:]:
            _log.warning("services", more_down=sum(event == DOWN for event, *_ in rest), more_up=sum(event == UP for event, *_ in rest))
        self._forget(snapshot)

    def _look(self, name: str, service: Service | None) -> Iterator[News]:
        """A service's own news, and those of its claims: where it has nobody left itself, that says it all."""
        led = _led(service)
        serves = any(e.ready for e in led.get("", ()))
        for claim in dict.fromkeys(("", *led, *self._claims.get(name, ()))):
            if news := self._turn((name, claim), led.get(claim, ()), told=serves or not claim):
                yield news

    def _turn(self, led: Led, endpoints: tuple[Endpoint, ...], *, told: bool) -> News | None:
        name, claim = led
        more: dict[str, object] = {"host": claim} if claim else {}
        if any(e.ready for e in endpoints):
            self._up.add(led)
            self._claims.setdefault(name, set()).add(claim)
            since, was_told = self._down.pop(led, (0.0, False))
            return (UP, name, more | {"after": round(self._clock() - since, 1)}) if was_told else None
        if led not in self._up:
            return None
        self._up.remove(led)
        self._down[led] = self._clock(), told
        # why the one that was in to the last is out
        why = max(endpoints, key=lambda e: e.since).reason if endpoints else GONE
        return (DOWN, name, more | {"reason": why}) if told else None

    def _forget(self, snapshot: Snapshot) -> None:
        oldest = self._clock() - REMEMBERED
        old = [led for led, (since, _) in self._down.items() if since < oldest]
        there = {name: _led(snapshot.services.get(name)) for name in {name for name, _ in old}}
        for led in old:
            name, claim = led
            if claim in there[name]:
                continue
            del self._down[led]
            self._claims[name].discard(claim)
            if not self._claims[name]:
                del self._claims[name]


def _led(service: Service | None) -> dict[str, tuple[Endpoint, ...]]:
    """Whom clients are led to, by claim: who speaks HTTP, where anybody does."""
    if service is None:
        return {}
    own = tuple(e for e in service.endpoints if e.listener) or service.endpoints
    return {"": own} | {f"{c.host}{c.path}": c.endpoints for c in service.claims}
