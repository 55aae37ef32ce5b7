"""Containers as one source lists them, in the order of their ids, and where two such lists differ. Pure.

A list that was made of another one shares the parts that are equal. So what a change costs is the change, in three places: who makes a
list, who compares two, and the search for garbage, which looks through each new tuple of thousands as a whole (5 ms and more), but through
no dict of records.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import overload

from haystack.model.records import Container
from haystack.model.sorted_map import SortedMap

STRETCH = 32  # containers of plain sequences that are compared at once
Some = Sequence[Container]
Pieces = Iterable[Collection[Container]]
NOBODY: SortedMap[Container] = SortedMap.of({})


class Listed(Sequence[Container]):
    """by_id: them. A sequence of containers that equals any other with the same ones."""

    __slots__ = ("by_id",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, by_id: SortedMap[Container] = NOBODY) -> None:
        self.by_id = by_id

    @classmethod
    def of(cls, containers: Iterable[Container]) -> Listed:
        """Of two with one id the first counts."""
        found: dict[str, Container] = {}
        for container in containers:
            found.setdefault(container.id, container)
        return cls(SortedMap.of(found))

    def changed(self, changes: Mapping[str, Container | None]) -> Listed:
        """This list with these by their ids; None: one that has gone."""
        return Listed(self.by_id.changed(changes)) if changes else self

    @overload
    def __getitem__(self, at: int) -> Container: ...

    @overload
    def __getitem__(self, at: slice) -> Some: ...

    def __getitem__(self, at: int | slice) -> Container | Some:
        return tuple(self)[at]

    def __len__(self) -> int:
        return len(self.by_id)

    def __iter__(self) -> Iterator[Container]:
        return iter(self.by_id.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __repr__(self) -> str:
        return f"Listed({list(self)!r})"


def differing(old: Some, new: Some) -> tuple[Pieces, Pieces]:
    """Both lists in pieces of some dozens, without those that they share: the same parts, or equal ones at the beginnings and the ends."""
    if isinstance(old, Listed) and isinstance(new, Listed):
        return old.by_id.parted(new.by_id)
    return _between(tuple(old), tuple(new))


def changed_ids(old: Listed, new: Listed) -> set[str]:
    """The ids of containers that are in one of these only, or are another in each."""
    return {c.id for each in differing(old, new) for c in chain.from_iterable(each)}


def _between(old: tuple[Container, ...], new: tuple[Container, ...]) -> tuple[Pieces, Pieces]:
    left, end = 0, min(len(old), len(new))
    while left < end and old[left : left + STRETCH] == new[left : left + STRETCH]:
        left = min(left + STRETCH, end)
    mine, theirs = len(old), len(new)
    while (size := min(STRETCH, mine - left, theirs - left)) and old[mine - size : mine] == new[theirs - size : theirs]:
        mine, theirs = mine - size, theirs - size
    return _cut(old, left, mine), _cut(new, left, theirs)


def _cut(whole: tuple[Container, ...], first: int, last: int) -> Pieces:
    return (whole[at : min(at + STRETCH, last)] for at in range(first, last, STRETCH))
