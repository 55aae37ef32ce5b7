"""Mappings in the order of their keys that never change: another one with some changes costs those, not all there is.

A few hundred parts of a few dozen items each; what has not changed is shared by all that were made of one another. To look a key up takes
a binary search more than a dict does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from itertools import chain
from typing import TypeVar

T = TypeVar("T")
Part = dict[str, T]
MOST = 64  # items in a part; one with more is cut in halves


class SortedMap(Mapping[str, T]):
    """parts: none is empty, and they and their keys are in order; firsts: the first key of each. Use SortedMap.of, and `changed`."""

    __slots__ = ("_firsts", "_parts", "_size")

    def __init__(self, parts: list[Part[T]], firsts: list[str], size: int) -> None:
        self._parts = parts
        self._firsts = firsts
        self._size = size

    @classmethod
    def of(cls, items: Mapping[str, T]) -> SortedMap[T]:
        """The same items in order."""
        if isinstance(items, cls):
            return items
        parts = _cut({key: items[key] for key in sorted(items)})
        return cls(parts, _firsts(parts), len(items))

    def changed(self, changes: Mapping[str, T | None]) -> SortedMap[T]:
        """This one with these instead of what it has for their keys; None: no such key any more."""
        touched: dict[int, dict[str, T | None]] = {}
        for key, value in changes.items():
            touched.setdefault(self._place(key), {})[key] = value
        parts, firsts, size = list(self._parts), list(self._firsts), self._size
        for at in sorted(touched, reverse=True):  # the last first: the places of the others stay
            old = self._parts[at] if self._parts else {}
            new = _with(old, touched[at])
            size += len(new) - len(old)
            parts[at : at + 1] = cut = _cut(new)
            firsts[at : at + 1] = _firsts(cut)
        return SortedMap(parts, firsts, size)

    def parted(self, other: SortedMap[T]) -> tuple[list[ValuesView[T]], list[ValuesView[T]]]:
        """The values of both, part by part, but for the parts that they share."""
        mine, theirs = set(map(id, self._parts)), set(map(id, other._parts))
        return _outside(self._parts, theirs), _outside(other._parts, mine)

    def _place(self, key: str) -> int:
        """The part in which this key is, or would be."""
        return max(bisect_right(self._firsts, key) - 1, 0)

    def __getitem__(self, key: str) -> T:
        if not self._parts:
            raise KeyError(key)
        return self._parts[self._place(key)][key]

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._parts)

    def items(self) -> ItemsView[str, T]:
        """Keys with values, in order."""
        return _Items(self, self._parts)

    def values(self) -> ValuesView[T]:
        """Values in the order of their keys."""
        return _Values(self, self._parts)

    def __repr__(self) -> str:
        return f"SortedMap({dict(self.items())!r})"


class _Items(ItemsView[str, T]):
    def __init__(self, mapping: Mapping[str, T], parts: list[Part[T]]) -> None:
        super().__init__(mapping)
        self._parts = parts

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return chain.from_iterable(part.items() for part in self._parts)


class _Values(ValuesView[T]):
    def __init__(self, mapping: Mapping[str, T], parts: list[Part[T]]) -> None:
        super().__init__(mapping)
        self._parts = parts

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable(part.values() for part in self._parts)


def _outside(parts: list[Part[T]], shared: set[int]) -> list[ValuesView[T]]:
    return [part.values() for part in parts if id(part) not in shared]


def _with(part: Part[T], changes: Mapping[str, T | None]) -> Part[T]:
    new = {**part, **changes}
    return {key: value for key in sorted(new) if (value := new[key]) is not None}


def _firsts(parts: list[Part[T]]) -> list[str]:
    return [next(iter(part)) for part in parts]


def _cut(part: Part[T]) -> list[Part[T]]:
    """Its items as parts of a size; none where there are none."""
    if len(part) <= MOST:
        return [part] if part else []
    items, size = list(part.items()), MOST // 2
    return [dict(items[at : at + size]) for at in range(0, len(items), size)]
