"""One source's containers on their way into the snapshot: a long list comes in by portions, so that no build of one takes long.

Who leaves or changes comes before who is new; those who are new come by their services. Pure, but for what it keeps.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from inspect import GEN_CLOSED, getgeneratorstate
from itertools import chain, islice

from msgspec.structs import replace

from haystack.model import Container, Listing
from haystack.turns import Turns

MOST = 12  # containers in a portion: with 10,000 there, a build of so many takes about 5 ms
PORTIONS = 800  # in which all come at the most, for each has a price that grows with what is there
SHARE = 4  # where a service has more than so many portions, more of it come at once: each time it is judged as a whole
LOOKS = 500  # containers that are looked at in one go, to find out what a list has that is new
STRETCH = 64  # containers that are compared at once


class Intake:
    """`listing`: what has come in by now; `wanted`: the source's newest list."""

    def __init__(self) -> None:
        self.wanted = Listing()
        self._other = False  # than what `listing` was made of
        self.listing: Listing | None = None
        self._there: dict[str, Container] = {}
        self._urgent: dict[str, Container | None] = {}  # None: it leaves
        self._new: dict[str, Container] = {}
        self._sizes: Counter[str] = Counter()  # by service: containers that have come in
        self._looking: Turns[None] | None = None

    @property
    def behind(self) -> bool:
        """Whether there is more to come in."""
        return bool(self._urgent or self._new or self._looking)

    def aim(self, wanted: Listing) -> None:
        """Take the source's newest list; what it says of one container counts from its next portion on."""
        self._look(sys.maxsize)
        self._looking = self._compare(wanted)
        self._look(LOOKS)

    def _look(self, most: int) -> None:
        """Go on to find out what is new, or other."""
        if self._looking is None:
            return
        for _ in islice(self._looking, most):
            pass
        if getgeneratorstate(self._looking) == GEN_CLOSED:
            self._looking = None

    def _compare(self, wanted: Listing) -> Turns[None]:
        old, new = self.wanted.containers, wanted.containers
        left = _alike(old, new)
        right = _alike(old[: left - 1 if left else None : -1], new[: left - 1 if left else None : -1])
        mine: set[str] = set()
        unknown: dict[tuple[str, ...], list[Container]] = {}
        for container in new[left : len(new) - right]:
            if container.id not in mine:  # it may list one twice: the first counts
                mine.add(container.id)
                if not self._known(container):
                    unknown.setdefault(container.services, []).append(container)
            yield
        for container in old[left : len(old) - right]:
            if container.id not in mine:
                self._leave(container.id)
            yield
        for container in chain.from_iterable(unknown.values()):
            self._new[container.id] = container
            yield
        self.wanted, self._other = wanted, True

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

    def step(self, most: int = MOST) -> Iterable[Container]:
        """Let so many more in: those that are new by it."""
        self._look(max(most, LOOKS))
        urgent = self._portion(self._urgent, most)
        for identity in urgent:
            self._put(identity, self._urgent.pop(identity))
        new = {identity: self._new.pop(identity) for identity in self._portion(self._new, most - len(urgent))}
        for identity, container in new.items():
            self._put(identity, container)
        if self._other or urgent or new:
            self.listing, self._other = replace(self.wanted, containers=tuple(self._there.values())), False
        return new.values()

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


def _alike(one: tuple[Container, ...], other: tuple[Container, ...]) -> int:
    """How many they have in common at their beginnings, and perhaps some fewer."""
    at, end = 0, min(len(one), len(other))
    while at < end and one[at : at + STRETCH] == other[at : at + STRETCH]:
        at += STRETCH
    return min(at, end)
