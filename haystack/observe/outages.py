"""Tells the log when a service has somebody in for the first time, has nobody left, why, and when somebody is in again.

The same of a haystack.host whose last container is out while others of its service are in. A reader of snapshots, in turns. Never decides
who is in. Of a service that has gone it knows for a minute that it was, as the workers do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from haystack.loop.turns import Turns
from haystack.model import unproxied
from haystack.model.reasons import cause
from haystack.model.services import Endpoint, Service
from haystack.model.snapshot import Snapshot
from haystack.observe.bursts import Lines

GONE = "all its containers have gone"
REMEMBERED = 60.0  # seconds


class Led(NamedTuple):
    """A service, and a claim of it, a host with its path; empty: its own name."""

    name: str
    claim: str


class Why(NamedTuple):
    """Why a container left a service; empty: none did. private: as bursts.Lines has it."""

    text: str = ""
    private: bool = False


class Outages:
    """url: of a host as a person types it; clock: seconds that only grow; why: why a container left a service just now."""

    def __init__(
        self,
        url: Callable[[str], str],
        crowd: Lines,
        clock: Callable[[], float] = time.monotonic,
        why: Callable[[str], Why] = lambda _service: Why(),
    ) -> None:
        self._url = url
        self._crowd = crowd
        self._clock = clock
        self._why = why
        self._version: int | None = None
        self._claims: dict[str, set[str]] = {}  # by service: what is up or down
        self._up: set[Led] = set()
        self._panicked: set[Led] = set()  # of those that are up: told as being in by panic alone
        self._down: dict[Led, tuple[float, bool]] = {}  # since when, and whether it was told

    def follow(self, snapshot: Snapshot) -> Turns[None]:
        """Tell of those services whose first endpoint is in, whose last one has left, or that are back. What costs is what has changed."""
        change = snapshot.changed_since(self._version)
        names = change.services if change is not None else {*snapshot.services, *self._claims}
        self._version = snapshot.version
        for name in sorted(names):
            self._look(name, snapshot.services.get(name))
            yield
        self._forget(snapshot)

    def _look(self, name: str, service: Service | None) -> None:
        """A service's own news, and those of its claims: where it comes up or has nobody left itself, that says it all."""
        led = by_claim(service)
        serves, served = any(e.ready for e in led.get("", ())), Led(name, "") in self._up
        for claim in dict.fromkeys(("", *led, *self._claims.get(name, ()))):
            one, endpoints = Led(name, claim), led.get(claim, ())
            ready = any(e.ready for e in endpoints)
            if service is not None and ready and one not in self._up:
                self._rise(one, service, endpoints, known=not claim or served)
            elif service is not None and one in self._panicked and any(e.well for e in endpoints):
                self._panicked.remove(one)
                self._tell_up(one, service, endpoints, None)
            elif not ready and one in self._up:
                self._fall(one, endpoints, told=not claim or serves)

    def _rise(self, led: Led, service: Service, endpoints: tuple[Endpoint, ...], *, known: bool) -> None:
        """known: its service is up already, or it is the service itself."""
        self._up.add(led)
        self._claims.setdefault(led.name, set()).add(led.claim)
        since, told = self._down.pop(led, (None, known))
        if told:
            self._tell_up(led, service, endpoints, since)

    def _fall(self, led: Led, endpoints: tuple[Endpoint, ...], *, told: bool) -> None:
        self._up.remove(led)
        self._panicked.discard(led)
        self._down[led] = self._clock(), told
        if told:
            # why the one that was in to the last is out
            why = Why(cause(max(endpoints, key=lambda e: e.since))) if endpoints else self._why(led.name)
            self._crowd.warning("service.down", private=why.private, name=led.name, host=led.claim or None, reason=why.text or GONE)

    def _tell_up(self, led: Led, service: Service, endpoints: tuple[Endpoint, ...], since: float | None) -> None:
        """It gets requests. Where nobody is well, that is told, and told again once somebody is."""
        panicked = next((e.reason for e in endpoints if e.panicked), None) if not any(e.well for e in endpoints) else None
        if panicked is not None:
            self._panicked.add(led)
        after = None if since is None else round(self._clock() - since, 1)
        url = self._url(led.claim or led.name) if service.has_http else None
        hosts = None if led.claim else list(service.hosts) or None
        hint = unproxied.unheard(service) or None
        host = led.claim or None
        self._crowd.info("service.up", name=led.name, url=url, host=host, hosts=hosts, down_seconds=after, hint=hint, panic=panicked)

    def _forget(self, snapshot: Snapshot) -> None:
        oldest = self._clock() - REMEMBERED
        old = [led for led, (since, _) in self._down.items() if since < oldest]
        there = {name: by_claim(snapshot.services.get(name)) for name in {name for name, _ in old}}
        for led in old:
            name, claim = led
            if claim in there[name]:
                continue
            del self._down[led]
            self._claims[name].discard(claim)
            if not self._claims[name]:
                del self._claims[name]


def by_claim(service: Service | None) -> dict[str, tuple[Endpoint, ...]]:
    """Whom clients are led to, by claim: who speaks HTTP, where anybody does."""
    if service is None:
        return {}
    own = tuple(e for e in service.endpoints if e.listener) or service.endpoints
    return {"": own} | {f"{c.host}{c.path}": c.endpoints for c in service.claims}
