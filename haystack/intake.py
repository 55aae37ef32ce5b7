"""One source's containers on their way into the snapshot: a long list comes in by portions, so that no build of one takes long.

Who leaves or changes comes before who is new; those who are new come by their services. Pure, but for what it keeps.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from haystack.model import Container, Listing

MOST = 200  # containers in a portion: fewer hold the loop for less, and all take longer, for each has a price of its own
STRETCH = 64  # containers that are compared at once


class Intake:
    """`listing`: what has come in by now; `wanted`: the source's newest list."""

    def __init__(self) -> None:
        self.wanted = Listing()
        self.listing: Listing | None = None
        self._there: dict[str, Container] = {}
        self._urgent: dict[str, Container | None] = {}  # None: it leaves
        self._new: dict[str, Container] = {}

    @property
    def behind(self) -> bool:
        """Whether there is more to come in."""
        return bool(self._urgent or self._new)

    def aim(self, wanted: Listing) -> None:
        """Take the source's newest list; what it says of one container counts from its next portion on."""
        old, new = self.wanted.containers, wanted.containers
        left = _alike(old, new)
        right = _alike(old[: left - 1 if left else None : -1], new[: left - 1 if left else None : -1])
        mine = {c.id: c for c in reversed(new[left : len(new) - right])}  # it may list one twice: the first counts
        for container in old[left : len(old) - right]:
            if container.id not in mine:
                self._leave(container.id)
        for container in sorted(mine.values(), key=lambda c: c.services):
            self._come(container)
        self.wanted = wanted

    def _leave(self, identity: str) -> None:
        self._new.pop(identity, None)
        self._urgent.pop(identity, None)
        if identity in self._there:
            self._urgent[identity] = None

    def _come(self, container: Container) -> None:
        self._urgent.pop(container.id, None)
        there = self._there.get(container.id)
        if there is None:
            self._new[container.id] = container
        elif there != container:
            self._urgent[container.id] = container

    def step(self, most: int = MOST) -> Iterable[Container]:
        """Let so many more in: those that are new by it."""
        for identity in _first(self._urgent, most):
            container = self._urgent.pop(identity)
            if container is None:
                del self._there[identity]
            else:
                self._there[identity] = container
            most -= 1
        new = {identity: self._new.pop(identity) for identity in _first(self._new, most)}
        self._there.update(new)
        self.listing = replace(self.wanted, containers=tuple(self._there.values()))
        return new.values()


def _first(some: Iterable[str], most: int) -> list[str]:
    return [identity for identity, _ in zip(some, range(most), strict=False)]


def _alike(one: tuple[Container, ...], other: tuple[Container, ...]) -> int:
    """How many they have in common at their beginnings, and perhaps some fewer."""
    at, end = 0, min(len(one), len(other))
    while at < end and one[at : at + STRETCH] == other[at : at + STRETCH]:
        at += STRETCH
    return min(at, end)
