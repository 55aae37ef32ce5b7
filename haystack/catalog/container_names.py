"""Which container has a name in DNS where the names of several become the same one: none has another's.

A name that holds what DNS can't, or is too long, is changed, and may then be that of somebody else. cSHORTID is its container's, whatever
others are called; a name that needed no change goes before those that did; of those that did none has it, for nobody can tell which of
them is meant. Who does not have it has it with its short id behind it. Pure, but for what it keeps: one container's change costs those
whose names it takes or gives free.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from haystack.loop.turns import Turns
from haystack.model import naming
from haystack.model.records import Container, Problem


class Claimants:
    """Of one label. ids: whose id it is made of; names: what those are called that would have it, and how many are called so."""

    __slots__ = ("called", "ids", "members")

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.called: Counter[str] = Counter()
        self.members: set[str] = set()

    def holder(self, label: str) -> str | None:
        """The name that has it, or the id that it is made of; None: nobody can have it."""
        if self.ids:
            return min(self.ids)
        return label if label in self.called else next(iter(self.called)) if len(self.called) == 1 else None


class Named(NamedTuple):
    """A container that has a longer name than its own gives, and why."""

    label: str
    problem: Problem


class Book:
    """The names of all containers."""

    def __init__(self) -> None:
        self._labels: dict[str, Claimants] = {}
        self._known: dict[str, tuple[str, str, str]] = {}  # by container: what it is called, its label, and that of its id
        self._longer: dict[str, Named] = {}

    def follow(self, changed: Iterable[str], containers: Mapping[str, Container]) -> Turns[set[str]]:
        """Take in those that are new, other or gone. The others of which the name has become another one by it."""
        doubtful: set[str] = set()
        for identity in changed:
            doubtful |= self._put(identity, containers.get(identity))
            yield
        concerned: set[str] = set()
        for identity in doubtful:
            if self._settle(identity):
                concerned.add(identity)
            yield
        return concerned

    def named(self, container: Container) -> Container:
        """The container with the name that it has in DNS, and its problem with that."""
        found = self._longer.get(container.id)
        return container if found is None else replace(container, label=found.label, problems=(*container.problems, found.problem))

    def _put(self, identity: str, container: Container | None) -> set[str]:
        """Whose name may be another by it."""
        new = (container.name, naming.label(container.name), naming.id_label(container.short_id)) if container is not None else None
        old = self._known.get(identity)
        if old == new:
            return set()
        labels = {label for each in (old, new) if each is not None for label in each[1:] if label}
        before = {label: self._holder(label) for label in labels}
        if old is not None:
            self._leave(identity, *old)
        if new is not None:
            self._join(identity, *new)
        moved = (self._labels[label].members for label in labels if label in self._labels and self._holder(label) != before[label])
        return {identity}.union(*moved)

    def _holder(self, label: str) -> str | None:
        return self._labels[label].holder(label) if label in self._labels else None

    def _join(self, identity: str, name: str, label: str, short: str) -> None:
        self._known[identity] = name, label, short
        self._labels.setdefault(short, Claimants()).ids.add(identity)
        if label:
            there = self._labels.setdefault(label, Claimants())
            there.called[name] += 1
            there.members.add(identity)

    def _leave(self, identity: str, name: str, label: str, short: str) -> None:
        del self._known[identity]
        self._labels[short].ids.discard(identity)
        if label:
            there = self._labels[label]
            there.members.discard(identity)
            there.called[name] -= 1
            there.called += Counter()  # without those of which there are none
        for each in {short, label} & self._labels.keys():
            if not (self._labels[each].ids or self._labels[each].members):
                del self._labels[each]

    def _settle(self, identity: str) -> bool:
        """Find what it is called in DNS. Whether that is another name than before, or for another reason."""
        old = self._longer.pop(identity, None)
        known = self._known.get(identity)
        if known is None:
            return old is not None
        name, label, _ = known
        holder = self._holder(label) if label else identity
        if holder not in (name, identity):
            self._longer[identity] = _longer(identity, name, label, holder, is_id=bool(self._labels[label].ids))
        return self._longer.get(identity) != old


def _longer(identity: str, name: str, label: str, holder: str | None, *, is_id: bool) -> Named:
    longer = naming.longer_label(name, identity[:12])
    taken = (
        "as those of others do" if holder is None else f"which is for the id {holder[:12]}" if is_id else f"which container {holder} has"
    )
    return Named(longer, Problem(subject="container name", message=f"{name!r} gives {label} in DNS, {taken}: it is called {longer} there"))
