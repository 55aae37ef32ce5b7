"""Tells the log which containers join services, and which leave, and why; and which run and are in none.

A reader of snapshots, in turns. Never decides who is in. What it costs is what has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from haystack.loop.turns import Turns, stretches
from haystack.model import naming, unproxied
from haystack.model.addresses import place
from haystack.model.reasons import cause
from haystack.model.records import Departure
from haystack.model.services import Service
from haystack.model.snapshot import Snapshot
from haystack.observe.bursts import Lines
from haystack.observe.membership_history import MembershipHistory
from haystack.observe.outages import Why, by_claim

REMOVED = "removed"
NOBODY: frozenset[str] = frozenset()


class Moves:
    """departures: how containers ended of late, the latest last; attendance: is told who comes into a service and who leaves it."""

    def __init__(
        self,
        crowd: Lines,
        departures: Callable[[], Iterable[Departure]] = tuple,
        attendance: MembershipHistory | None = None,
    ) -> None:
        self._crowd = crowd
        self._departures = departures
        self._attendance = attendance or MembershipHistory()
        self._last: Snapshot | None = None
        self._in: dict[str, frozenset[str]] = {}  # by service: the containers that are in, for its own name or for a host
        self._idle: set[str] = set()  # containers that run and are in no service, and were told
        self._why: dict[str, Why] = {}  # by service: why somebody left it with the newest snapshot

    def why(self, service: str) -> Why:
        """Why a container left this service with the newest snapshot."""
        return self._why.get(service, Why())

    def size(self, service: str) -> int:
        """How many containers are in this service."""
        return len(self._in.get(service, NOBODY))

    def follow(self, snapshot: Snapshot) -> Turns[None]:
        """Tell of this snapshot what is other than in the one before."""
        last = self._last
        change = snapshot.changed_since(last.version if last is not None else None)
        names = change.services if change is not None else {*snapshot.services, *self._in}
        joined: dict[str, list[str]] = {}
        left: dict[str, list[str]] = {}
        for name in sorted(names):
            before, now = self._in.get(name, NOBODY), members(snapshot.services.get(name))
            for found, whole in ((joined, now - before), (left, before - now)):
                for identity in whole:
                    found.setdefault(identity, []).append(name)
            self._in[name] = now
            yield from self._attend(snapshot, name, before, now)
            if not now:
                del self._in[name]
            yield
        yield from self._tell_left(snapshot, left)
        yield from self._tell_joined(snapshot, joined)
        yield from self._tell_idle(snapshot, change.containers if change is not None else snapshot.containers)
        self._last = snapshot

    def _attend(self, snapshot: Snapshot, service: str, before: frozenset[str], now: frozenset[str]) -> Turns[None]:
        """Tell the attendance of one service."""
        for some in stretches(tuple(before - now)):
            for identity in some:
                self._attendance.leave(service, identity)
            yield
        places: dict[str, dict[str, None]] = {identity: {} for identity in now - before}
        for claimed in by_claim(snapshot.services.get(service)).values() if places else ():
            for endpoint in claimed:
                if endpoint.container in places:
                    places[endpoint.container][place(endpoint.address, endpoint.port)] = None
            yield
        for found in stretches(tuple(places)):
            for identity in found:
                self._attendance.come(service, identity, snapshot.containers[identity].name, places[identity])
            yield

    def _tell_joined(self, snapshot: Snapshot, joined: Mapping[str, list[str]]) -> Turns[None]:
        for identity in sorted(joined, key=lambda i: snapshot.containers[i].name):
            container, services = snapshot.containers[identity], joined[identity]
            dns = naming.container(snapshot.origin, container)
            self._crowd.info("container.joined", name=container.name, id=container.short_id, dns=dns, services=services)
            yield

    def _tell_left(self, snapshot: Snapshot, left: Mapping[str, list[str]]) -> Turns[None]:
        self._why.clear()
        if not left:
            return
        ended = {d.container.id: d for d in self._departures()}
        for identity, services in left.items():
            container = snapshot.containers.get(identity) or (self._last.containers.get(identity) if self._last is not None else None)
            if container is not None:
                why = _why(snapshot, identity, services, ended.get(identity))
                self._why.update(dict.fromkeys(services, why))
                self._crowd.info(
                    "container.left", private=why.private, name=container.name, id=container.short_id, services=services, reason=why.text
                )
            yield

    def _tell_idle(self, snapshot: Snapshot, identities: Iterable[str]) -> Turns[None]:
        """Of those that run, and are no endpoint of anything: their names lead to nothing, which a person may wonder about."""
        for identity in identities:
            container = snapshot.containers.get(identity)
            why = unproxied.unserved(container) if container is not None and container.state == "running" else ""
            if container is None or not why:
                self._idle.discard(identity)
            elif identity not in self._idle:
                self._idle.add(identity)
                dns = naming.container(snapshot.origin, container)
                self._crowd.info("container.unserved", name=container.name, id=container.short_id, dns=dns, reason=why)
            yield


def members(service: Service | None) -> frozenset[str]:
    """The containers of which an endpoint is in: one that speaks HTTP, where any does."""
    return frozenset(e.container for endpoints in by_claim(service).values() for e in endpoints if e.ready)


def _why(snapshot: Snapshot, identity: str, services: Iterable[str], ended: Departure | None) -> Why:
    """Why a container is not in these services any more."""
    found = (snapshot.services.get(name) for name in services)
    out = [e for service in found if service is not None for e in service.endpoints if e.container == identity and not e.ready]
    if out:
        return Why(cause(max(out, key=lambda e: e.since)))
    if identity in snapshot.containers:
        return Why("its labels, name or ports have changed")
    if ended is None:
        return Why(REMOVED)
    told = f"exit {ended.exit}" if ended.exit else "its process ended"
    return Why(f"{told}, out of memory" if ended.oom else told, private=bool(ended.exit))
