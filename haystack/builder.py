"""Snapshots from what has changed: one container's change costs its services, not all there are.

Keeps what it knows of each source, container and service from one build to the next; its answers equal those of snapshot.build, which
looks at everything (a property test holds them against each other). Never does: I/O, publishing. The registry's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from haystack import claims, service, snapshot
from haystack.judge import Conditions, Judge
from haystack.model import Container, Endpoint, Listing, Problem, Service
from haystack.service import Made
from haystack.snapshot import Change, Found, Snapshot
from haystack.sortedmap import SortedMap

Sources = Mapping[str, Listing]
T = TypeVar("T")
STRETCH = 64  # containers


class Builder:
    """previous: the snapshot to go on from: of it come the moments since when verdicts stand."""

    def __init__(self, previous: Snapshot) -> None:
        self._origin = previous.origin
        self._last = previous
        self._fresh = True
        self._listings: Sources = {}
        self._listed: dict[str, dict[str, Container]] = {}
        self._containers: dict[str, Container] = {}
        self._made: dict[str, tuple[Endpoint, ...]] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        self._members: dict[str, dict[str, None]] = {}
        self._bare: dict[str, Service] = {}
        self._book = claims.Book()
        self._owners: dict[str, str] = {}  # by endpoint: its container
        self._slow: set[str] = set()
        self._twice: list[Found] = []
        self._problems: list[dict[str, tuple[Problem, ...]]] = [{}, {}]  # of containers, of services

    def build(self, listings: Sources, now: float, steady: float, conditions: Conditions, doubtful: Iterable[str] = ()) -> Snapshot | None:
        """The snapshot of these listings; None where it would be the last one again. After an exception this builder is of no use.

        doubtful: ids of endpoints whose conditions may be others than they were, though their containers are not.
        """
        touched = self._take(listings)
        if self._fresh:
            touched |= self._last.containers.keys()
        dirty = {name for identity in touched for name in self._names.get(identity, ())}
        for identity in touched:
            self._place(identity)
        dirty |= {name for identity in touched for name in self._names.get(identity, ())} | self._slow
        if self._fresh:
            dirty |= self._last.services.keys()
        owners = filter(None, map(self._owners.get, doubtful))
        dirty |= {name for identity in owners for name in self._names.get(identity, ())}
        return self._made_of(listings, touched, self._serve(dirty, now, steady, conditions), now)

    # -- containers

    def _take(self, listings: Sources) -> set[str]:
        """Take the listings in. The ids of containers that are new, other or gone."""
        suspects: set[str] = set()
        if list(listings) != list(self._listings):  # who lists first has changed
            suspects.update(*self._listed.values())
            self._listed = {source: mine for source, mine in self._listed.items() if source in listings}
        for source, listing in listings.items():
            old = self._listings.get(source)
            if old is None or old.containers is not listing.containers:
                suspects |= self._relisted(source, old.containers if old else (), listing.containers)
        self._listings = dict(listings)
        if suspects:
            self._twice = snapshot.duplicates(listings)
        return {identity for identity in suspects if self._settle(identity)}

    def _relisted(self, source: str, old: tuple[Container, ...], new: tuple[Container, ...]) -> set[str]:
        """Bring what `source` lists up to date, looking only between the first and the last difference."""
        left = _alike(old, new)
        right = _alike(old[: left - 1 if left else None : -1], new[: left - 1 if left else None : -1])
        mine = self._listed.setdefault(source, {})
        before = [c.id for c in old[left : len(old) - right]]
        for identity in before:
            mine.pop(identity, None)
        after = new[left : len(new) - right]
        for container in after:
            mine.setdefault(container.id, container)
        if len(mine) == len(new):
            return {*before, *(c.id for c in after)}
        self._listed[source] = {c.id: c for c in reversed(new)}  # it lists one twice: the first counts
        return {c.id for c in (*old, *new)}

    def _settle(self, identity: str) -> bool:
        """Let the first source that lists a container have it. Whether anything has changed by this."""
        found = next((mine[identity] for source in self._listings if identity in (mine := self._listed.get(source, {}))), None)
        if found is not None and not found.options.enable:
            found = None
        old = self._containers.get(identity)
        if found is None:
            return self._containers.pop(identity, None) is not None
        self._containers[identity] = found
        return found != old

    def _place(self, identity: str) -> None:
        """Put a container into its services, and out of those that it has left."""
        for name in self._names.pop(identity, ()):
            members = self._members[name]
            members.pop(identity, None)
            if not members:
                del self._members[name]
        for endpoint in self._made.pop(identity, ()):
            self._owners.pop(endpoint.id, None)
        self._problems[0].pop(identity, None)
        container = self._containers.get(identity)
        if container is None:
            return
        names, odd = snapshot.names(self._origin, container)
        if problems := (*container.problems, *odd):
            self._problems[0][identity] = problems
        if made := snapshot.endpoints(self._origin, container):
            self._made[identity], self._names[identity] = made, names
            self._owners.update((endpoint.id, identity) for endpoint in made)
            for name in names:
                self._members.setdefault(name, {})[identity] = None

    # -- services

    def _of(self, name: str) -> list[Made]:
        """The containers of a service with their endpoints, in the order of their ids."""
        return [(self._containers[identity], self._made[identity]) for identity in sorted(self._members.get(name, ()))]

    def _serve(self, dirty: Iterable[str], now: float, steady: float, conditions: Conditions) -> dict[str, Service | None]:
        """Judge these services anew. Those that have become others by it, None for those that are gone."""
        rivals: set[str] = set()
        found: dict[str, Service | None] = {}
        for name in dirty:
            found[name] = self._judged(name, now, steady, conditions)
        for name, each in found.items():
            rivals |= self._book.put(name, claims.of(each) if each is not None else {})
        for name in rivals - found.keys():
            found[name] = self._bare[name]
        for name, each in found.items():
            if each is not None:
                found[name] = self._known_as(name, snapshot.contested(each, self._book.lost(name)))
            else:
                self._problems[1].pop(name, None)
        last = self._last.services
        return {name: each for name, each in found.items() if last.get(name) != each}

    def _judged(self, name: str, now: float, steady: float, conditions: Conditions) -> Service | None:
        """One service before its claims are looked at; None where nobody is in it any more."""
        members = self._of(name)
        self._slow.discard(name)
        if not members:
            self._bare.pop(name, None)
            return None
        judge = Judge(service.before(self._last.services.get(name)), now, steady, conditions)
        made = self._bare[name] = service.of(self._origin, name, members, judge)
        if any(e.share < 1.0 for each in (made.endpoints, *(c.endpoints for c in made.claims)) for e in each):
            self._slow.add(name)
        return made

    def _known_as(self, name: str, known: Service) -> Service:
        if known.problems:
            self._problems[1][name] = known.problems
        else:
            self._problems[1].pop(name, None)
        return known

    # -- the whole

    def _made_of(self, listings: Sources, touched: set[str], served: Mapping[str, Service | None], now: float) -> Snapshot | None:
        last = self._last
        new = Snapshot(
            version=last.version + 1,
            created=now,
            origin=self._origin,
            engines=_same(last.engines, snapshot.engines(listings)),
            networks=_same(last.networks, snapshot.networks(listings)),
            containers=_with(last.containers, {i: self._containers.get(i) for i in touched}),
            services=_with(last.services, served),
            problems=self._told(listings),
            change=None if self._fresh else Change(base=last.version, containers=frozenset(touched), services=frozenset(served)),
        )
        fresh, self._fresh = self._fresh, False
        if (fresh or not (touched or served)) and new.same_content(last):
            return None
        self._last = new
        return new

    def _told(self, listings: Sources) -> tuple[Found, ...]:
        """Every problem, in the order of snapshot.build."""
        told: list[Found] = [(source, p) for source, listing in listings.items() for p in listing.problems]
        told += self._twice
        told += [(about, p) for kept in self._problems for about in sorted(kept) for p in kept[about]]
        last = self._last.problems
        return last if len(told) == len(last) and tuple(told) == last else tuple(told)


def _alike(one: tuple[Container, ...], other: tuple[Container, ...]) -> int:
    """How many they have in common at their beginnings, and perhaps some fewer: whole stretches are compared at once."""
    at, end = 0, min(len(one), len(other))
    while at < end and one[at : at + STRETCH] == other[at : at + STRETCH]:
        at += STRETCH
    return min(at, end)


def _same(old: T, new: T) -> T:
    return old if old == new else new


def _with(old: Mapping[str, T], changed: Mapping[str, T | None]) -> Mapping[str, T]:
    """`old` with what has changed, None for what is gone; in the order of its keys."""
    return SortedMap.of(old).changed(changed) if changed else old
