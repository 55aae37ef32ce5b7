"""Snapshots from what has changed: one container's change costs its services, not all there are.

Keeps what it knows of each source, container and service from one build to the next; its answers equal those of tests/oracles/snapshot.py,
which looks at everything (a property test holds them against each other). Never does: I/O, publishing. The registry's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from operator import is_
from typing import NamedTuple

from haystack.catalog import build, claims, container_names, service
from haystack.catalog.intake import Arrival
from haystack.catalog.merged import NONE, Merged, Sources
from haystack.catalog.service import Made
from haystack.catalog.verdicts import Conditions, Judge
from haystack.loop.turns import Turns, stretches
from haystack.model import endpoints
from haystack.model.overrides import Overrides
from haystack.model.records import Container, Network, Problem
from haystack.model.services import Endpoint, Service
from haystack.model.snapshot import Change, Found, Snapshot
from haystack.model.sorted_map import SortedMap

Told = tuple[Found, ...]
Remarks = Mapping[str, tuple[Problem, ...]]
CONTAINERS, SERVICES = range(2)


class Moment(NamedTuple):
    """Of one build: as Judge has it."""

    now: float
    steady: float
    conditions: Conditions
    touched: set[str] | None
    overrides: Overrides


class Builder:
    """previous: the snapshot to go on from: of it come the moments since when verdicts stand. records, overrides: for the next one.

    remarks: for the next one too: problems of services by their names, that others have found.
    """

    def __init__(self, previous: Snapshot) -> None:
        self.records, self.overrides = previous.records, previous.overrides
        self.remarks: Remarks = {}
        self._remarked: Remarks = {}  # in the last build
        self._origin = previous.origin
        self._last = previous
        self._fresh = True
        self._merged = Merged()
        self._containers = self._merged.containers
        self._made: dict[str, tuple[Endpoint, ...]] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        self._members: dict[str, dict[str, None]] = {}
        self._bare: dict[str, Service] = {}
        self._book = claims.Book()
        self._called = container_names.Book()
        self._owners: dict[str, str] = {}  # by endpoint: its container
        self._slow: set[str] = set()
        self._networks: list[tuple[Network, ...]] = []  # of each source, as of the last build
        self._problems: list[SortedMap[Told]] = [SortedMap.of({}), SortedMap.of({})]  # of CONTAINERS, of SERVICES
        self._blamed: list[dict[str, Told | None]] = [{}, {}]  # what is other in this build

    def build(
        self,
        listings: Sources,
        now: float,
        steady: float,
        conditions: Conditions,
        doubtful: Iterable[str] = (),
        arrivals: Mapping[str, Arrival] = NONE,
    ) -> Turns[Snapshot | None]:
        """The snapshot of these listings; None where it would be the last one again. After an exception this builder is of no use.

        doubtful: ids of endpoints whose conditions may be others than they were, though their containers are not. A condition may become
        another one while this goes on: tell of it in the next build. arrivals: of sources, how what they list differs from what they listed
        before, where that is known.
        """
        touched = yield from self._merged.take(listings, arrivals)
        if self._fresh:
            touched |= self._last.containers.keys()
        touched |= yield from self._called.follow(touched, self._containers)
        dirty = {name for identity in touched for name in self._names.get(identity, ())}
        yield
        for identity in touched:
            self._place(identity)
            yield
        dirty |= {name for identity in touched for name in self._names.get(identity, ())} | self._slow
        if self._fresh:
            dirty |= self._last.services.keys()
        owners = filter(None, map(self._owners.get, doubtful))
        dirty |= {name for identity in owners for name in self._names.get(identity, ())}
        dirty |= yield from self._overridden()
        served = yield from self._serve(dirty, Moment(now, steady, conditions, None if self._fresh else touched, self.overrides))
        networks = yield from self._networked(listings)
        return self._made_of(listings, networks, touched, served, now)

    # -- containers

    def _place(self, identity: str) -> None:
        """Put a container into its services, and out of those that it has left."""
        for name in self._names.pop(identity, ()):
            members = self._members[name]
            members.pop(identity, None)
            if not members:
                del self._members[name]
        for endpoint in self._made.pop(identity, ()):
            self._owners.pop(endpoint.id, None)
        container = self._containers.get(identity)
        if container is None:
            self._blame(CONTAINERS, identity, ())
            return
        names, odd = endpoints.names(self._origin, container)
        self._blame(CONTAINERS, identity, (*self._called.named(container).problems, *odd))
        if made := endpoints.endpoints(self._origin, container):
            self._made[identity], self._names[identity] = made, names
            self._owners.update((endpoint.id, identity) for endpoint in made)
            for name in names:
                self._members.setdefault(name, {})[identity] = None

    def _shown(self, identity: str) -> Container | None:
        found = self._containers.get(identity)
        return self._called.named(found) if found is not None else None

    # -- services

    def _overridden(self) -> Turns[set[str]]:
        """The services of what operators have decided anew."""
        names: set[str] = set()
        for targets in self.overrides.differing(self._last.overrides):
            names |= {name for target in targets for name in self._names.get(self._owners.get(target, target), ())}
            names |= self._members.keys() & targets
            yield
        return names

    def _of(self, name: str) -> list[Made]:
        """The containers of a service with their endpoints, in the order of their ids."""
        return [(self._containers[identity], self._made[identity]) for identity in sorted(self._members.get(name, ()))]

    def _serve(self, dirty: Iterable[str], moment: Moment) -> Turns[dict[str, Service | None]]:
        """Judge these services anew. Those that have become others by it, None for those that are gone."""
        rivals = self._newly_remarked()
        found: dict[str, Service | None] = {}
        for name in dirty:
            found[name] = yield from self._judged(name, moment)
            yield
        for name, each in found.items():
            rivals |= self._book.put(name, claims.of(each) if each is not None else {}, claims.plain(each))
            yield
        found.update((name, self._bare[name]) for name in (rivals - found.keys()) & self._bare.keys())
        served: dict[str, Service | None] = {}
        for name, bare in found.items():
            more = (*self._book.lost(name), *self._remarked.get(name, ()))
            known = build.contested(bare, more) if bare is not None else None
            self._blame(SERVICES, name, known.problems if known is not None else ())
            if self._last.services.get(name) != known:
                served[name] = known
            yield
        return served

    def _newly_remarked(self) -> set[str]:
        """The services of which others say something else than in the last build."""
        old, self._remarked = self._remarked, self.remarks
        return {name for name in {**old, **self.remarks} if old.get(name) != self.remarks.get(name)} if old is not self.remarks else set()

    def _judged(self, name: str, moment: Moment) -> Turns[Service | None]:
        """One service before its claims are looked at; None where nobody is in it any more."""
        members = self._of(name)
        self._slow.discard(name)
        if not members:
            self._bare.pop(name, None)
            return None
        judge = Judge(service.before(self._last.services.get(name)), *moment)
        yield
        made = self._bare[name] = yield from service.of(self._origin, name, members, judge)
        if any(e.share < 1.0 for each in (made.endpoints, *(c.endpoints for c in made.claims)) for e in each):
            self._slow.add(name)
        return made

    def _blame(self, what: int, about: str, problems: tuple[Problem, ...]) -> None:
        """These are the problems of a container or of a service."""
        told = tuple((about, p) for p in problems)
        if told == self._problems[what].get(about, ()):
            self._blamed[what].pop(about, None)
        else:
            self._blamed[what][about] = told or None

    # -- the whole

    def _networked(self, listings: Sources) -> Turns[Mapping[str, Network]]:
        """Every network once, as in build.networks. Unchanged networks keep their objects; if all are unchanged, so does the mapping."""
        lists = [listing.networks for listing in listings.values()]
        old = self._last.networks
        if len(lists) == len(self._networks) and all(map(is_, lists, self._networks)):
            return old
        found: dict[str, Network] = {}
        for some in stretches(tuple(chain.from_iterable(lists))):
            for network in some:
                known = old.get(network.id)
                found.setdefault(network.id, known if known is not None and known == network else network)
            yield
        self._networks = lists
        same = len(found) == len(old) and all(map(is_, found.values(), map(old.get, found)))
        return old if same else found

    def _made_of(
        self, listings: Sources, networks: Mapping[str, Network], touched: set[str], served: Mapping[str, Service | None], now: float
    ) -> Snapshot | None:
        last = self._last
        new = Snapshot(
            version=last.version + 1,
            created=now,
            origin=self._origin,
            engines=build.kept(last.engines, build.engines(listings)),
            networks=networks,
            containers=build.changed(last.containers, {i: self._shown(i) for i in touched}),
            services=build.changed(last.services, served),
            problems=self._told(listings),
            records=self.records,
            overrides=self.overrides,
            peers=build.peers(listings, last.peers),
            change=None if self._fresh else Change(base=last.version, containers=frozenset(touched), services=frozenset(served)),
        )
        fresh, self._fresh = self._fresh, False
        if (fresh or not (touched or served)) and new.same_content(last):
            return None
        self._last = new
        return new

    def _told(self, listings: Sources) -> tuple[Found, ...]:
        """Every problem. Unchanged problems keep their objects."""
        told: list[Found] = [(source, p) for source, listing in listings.items() for p in listing.problems]
        told += self._merged.twice
        self._problems = [kept.changed(new) for kept, new in zip(self._problems, self._blamed, strict=True)]
        self._blamed = [{}, {}]
        for kept in self._problems:
            told += chain.from_iterable(kept.values())
        last = self._last.problems
        return last if len(told) == len(last) and tuple(told) == last else tuple(told)
