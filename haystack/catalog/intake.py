"""One source's containers on their way into the snapshot: a long list comes in by portions, so that no build of one takes long.

Who leaves or changes comes before who is new; those who are new come by their services. Pure, but for what it keeps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import chain, islice
from typing import NamedTuple

from msgspec.structs import replace

from haystack.loop.turns import Turns, stretches
from haystack.model.listed import Listed, Some, differing
from haystack.model.records import Container, Listing

MOST = 12  # containers in a portion: a build of so many takes about 5 ms, and what is more urgent waits for the end of it
PORTIONS = 800  # in which all come at the most, for each has a price that grows with what is there
SHARE = 16  # where a service has more than so many portions, more of it come at once: each time it is looked through as a whole


class Arrival(NamedTuple):
    """How a listing differs from another one of its source: who is new, other, or gone (None)."""

    before: Some
    changes: Mapping[str, Container | None]


class Intake:
    """`listing`: what has come in by now; `arrival`: how that differs from what it was; `wanted`: the source's newest list."""

    def __init__(self) -> None:
        self.wanted = self._seen = Listing()  # the newest, and the newest of which it is known what it has that is new
        self._shown = Listed()  # what has come in
        self._other = False  # than what `listing` was made of
        self.listing: Listing | None = None
        self.arrival = Arrival((), {})
        self._there: dict[str, Container] = {}
        self._urgent: dict[str, Container | None] = {}  # None: it leaves
        self._new: dict[str, Container] = {}
        self._sizes: Counter[str] = Counter()  # by service: containers that have come in

    @property
    def behind(self) -> bool:
        """Whether there is more to come in."""
        return bool(self._urgent or self._new or self._seen is not self.wanted)

    def aim(self, wanted: Listing) -> None:
        """Take the source's newest list; what it says of one container counts from its next portion on."""
        self.wanted = wanted

    def _compare(self, wanted: Listing) -> Turns[None]:
        old, new = differing(self._seen.containers, wanted.containers)
        mine: set[str] = set()
        unknown: dict[tuple[str, ...], list[Container]] = {}
        for some in new:
            for container in some:
                if container.id not in mine:  # it may list one twice: the first counts
                    mine.add(container.id)
                    if not self._known(container):
                        unknown.setdefault(container.services, []).append(container)
            yield
        for some in old:
            for container in some:
                if container.id not in mine:
                    self._leave(container.id)
            yield
        for some in stretches(list(chain.from_iterable(unknown.values()))):
            self._new.update((container.id, container) for container in some)
            yield
        self._seen, self._other = wanted, True

    def _leave(self, identity: str) -> None:
        self._new.pop(identity, None)
        self._urgent.pop(identity, None)
        if identity in self._there:
            self._urgent[identity] = None

    def _known(self, container: Container) -> bool:
        """Whether it has come in, or waits: then it is what it is now from its next portion on."""
        self._urgent.pop(container.id, None)
        there = self._there.get(container.id)
        if there is None and container.id in self._new:
            self._new[container.id] = container
        elif there is not None and there != container:
            self._urgent[container.id] = container
        return there is not None or container.id in self._new

    def step(self, most: int = MOST) -> Turns[list[Container]]:
        """Let so many more in: those that are new by it."""
        if self._seen is not self.wanted:
            yield from self._compare(self.wanted)
        urgent = self._portion(self._urgent, most)
        new = self._portion(self._new, most - len(urgent))
        arrived = [self._new.pop(identity) for identity in new]
        yield
        changes = {identity: self._urgent.pop(identity) for identity in urgent} | {c.id: c for c in arrived}
        for identity, container in changes.items():
            self._put(identity, container)
        yield
        self.arrival = Arrival(self.listing.containers if self.listing is not None else (), changes)
        if self._other or changes:
            self._shown = self._shown.changed(changes)
            self.listing, self._other = replace(self._seen, containers=self._shown), False
        return arrived

    def _portion(self, waiting: Mapping[str, Container | None], most: int) -> list[str]:
        """The first so many; more where the first of them is of a service that has many already."""
        first = next(iter(waiting), None)
        known = self._there.get(first) or waiting[first] if first is not None else None
        if known is None or most <= 0:
            return []
        judged = max((self._sizes[name] for name in known.services), default=0)
        return list(islice(waiting, max(most, judged // SHARE, len(self._there) // PORTIONS)))

    def _put(self, identity: str, container: Container | None) -> None:
        """Have this one come in, or go."""
        old = self._there.get(identity)
        if old is not None:
            self._sizes.subtract(old.services)
        if container is None:
            del self._there[identity]
        else:
            self._there[identity] = container
            self._sizes.update(container.services)
