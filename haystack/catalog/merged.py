"""Every container once, of the lists of all sources: the first source that lists it has it.

What a list that differs in little costs is that little. Never looks into a container, but for whether it is enabled. incremental.py's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from haystack.catalog import build
from haystack.catalog.intake import Arrival
from haystack.loop.turns import Turns
from haystack.model.listed import Some, differing
from haystack.model.records import Container, Listing
from haystack.model.snapshot import Found

Sources = Mapping[str, Listing]
NONE: Mapping[str, Arrival] = MappingProxyType({})


class Merged:
    """containers: by id; twice: problems, of those that several sources list."""

    def __init__(self) -> None:
        self.containers: dict[str, Container] = {}
        self.twice: list[Found] = []
        self._listings: Sources = {}
        self._listed: dict[str, dict[str, Container]] = {}  # by source

    def take(self, listings: Sources, arrivals: Mapping[str, Arrival] = NONE) -> Turns[set[str]]:
        """Take the newest lists in: the ids of containers that are new, other or gone. arrivals: as Builder.build has them."""
        suspects: set[str] = set()
        if list(listings) != list(self._listings):  # who lists first has changed
            suspects.update(*self._listed.values())
            self._listed = {source: mine for source, mine in self._listed.items() if source in listings}
        for source, listing in listings.items():
            old = self._listings.get(source)
            arrival = arrivals.get(source)
            if old is not None and arrival is not None and arrival.before is old.containers:
                suspects |= self._arrived(source, arrival)
            elif old is None or old.containers is not listing.containers:
                suspects |= yield from self._relisted(source, old.containers if old else (), listing.containers)
        if suspects or _engines(listings) != _engines(self._listings):  # the problem tells of the engine, which may be known later
            self.twice = build.duplicates(listings)
        self._listings = dict(listings)
        touched: set[str] = set()
        for identity in suspects:
            if self._settle(identity):
                touched.add(identity)
            yield
        return touched

    def _arrived(self, source: str, arrival: Arrival) -> set[str]:
        """Bring what `source` lists up to date: whoever may be another one."""
        mine = self._listed.setdefault(source, {})
        for identity, container in arrival.changes.items():
            if container is not None:
                mine[identity] = container
            else:
                mine.pop(identity, None)
        return set(arrival.changes)

    def _relisted(self, source: str, old: Some, new: Some) -> Turns[set[str]]:
        """Bring what `source` lists up to date, looking only between the first and the last difference: whoever may be another one."""
        left, right = differing(old, new)
        mine = self._listed.setdefault(source, {})
        there: set[str] = set()
        suspects: set[str] = set()
        for some in right:
            there.update(c.id for c in some)
            suspects.update(c.id for c in some if mine.get(c.id) is not c)
            mine.update((c.id, c) for c in some)
            yield
        for some in left:
            suspects.update(c.id for c in some if c.id not in there and mine.pop(c.id, None) is not None)
            yield
        if len(mine) == len(new):
            return suspects
        self._listed[source] = {c.id: c for c in reversed(tuple(new))}  # it lists one twice: the first counts
        return {c.id for c in (*old, *new)}

    def _settle(self, identity: str) -> bool:
        """Let the first source that lists a container have it. Whether anything has changed by this."""
        found = next((mine[identity] for source in self._listings if identity in (mine := self._listed.get(source, {}))), None)
        if found is not None and not found.options.enable:
            found = None
        old = self.containers.get(identity)
        if found is None:
            return self.containers.pop(identity, None) is not None
        self.containers[identity] = found
        return found != old


def _engines(listings: Sources) -> list[str]:
    """The id of each source's engine; empty: there is none, or it is not known yet."""
    return [listing.engine.id if listing.engine is not None else "" for listing in listings.values()]
