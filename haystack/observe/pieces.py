"""Long lists as a few hundred pieces of bytes, kept from one making to the next: what has not changed is not written again.

Where a piece begins is decided by its items' keys alone, so that one that comes or goes changes its own piece and no other. Pages share
pieces with the pages before them, and with every client that still reads those. Never does: know what an item means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar
from zlib import crc32

from haystack.turns import Turns

T = TypeVar("T")
USUAL, MOST = 32, 128  # items in a piece


class Piece(NamedTuple, Generic[T]):
    """Bytes, and what they were made of. second: when they were made, of those that change with time; 0: for good."""

    items: list[tuple[str, T]]
    second: int
    data: bytes


class Pieces(Generic[T]):
    """write: one item at a moment in Unix seconds; ages: whether what is written of it changes with time."""

    def __init__(self, write: Callable[[str, T, float], bytes], ages: Callable[[T], bool] = lambda _value: False) -> None:
        self._write, self._ages = write, ages
        self._kept: dict[str, Piece[T]] = {}

    def of(self, items: Iterable[tuple[str, T]], now: float) -> Turns[list[bytes]]:
        """All of them in their order. An item's value counts as unchanged while it equals the one before."""
        made: list[Piece[T]] = []
        some: list[tuple[str, T]] = []
        for item in items:
            if some and (len(some) == MOST or crc32(item[0].encode("utf-8", "surrogatepass")) % USUAL == 0):
                made.append((yield from self._piece(some, now)))
                some = []
            some.append(item)
            yield
        if some:
            made.append((yield from self._piece(some, now)))
        self._kept = {piece.items[0][0]: piece for piece in made}
        return [piece.data for piece in made]

    def _piece(self, items: list[tuple[str, T]], now: float) -> Turns[Piece[T]]:
        old = self._kept.get(items[0][0])
        if old is not None and old.second in (0, int(now)) and old.items == items:
            return old
        written = []
        for key, value in items:
            written.append(self._write(key, value, now))
            yield
        return Piece(items, int(now) if any(self._ages(value) for _, value in items) else 0, b"".join(written))


def framed(head: bytes, pieces: list[bytes], tail: bytes) -> list[bytes]:
    """A JSON object or array of items that each begin with their comma."""
    return [head + pieces[0][1:], *pieces[1:], tail] if pieces else [head + tail]
