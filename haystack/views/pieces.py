"""Long lists as a few hundred pieces of bytes, kept from one making to the next: what has not changed is not written again.

Where a piece begins is decided by its items' keys alone, so that one that comes or goes changes its own piece and no other. Pages share
pieces with the pages before them, and with every client that still reads those. Never does: know what an item means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

from haystack.loop.turns import Turns

T = TypeVar("T")
W = TypeVar("W")
D = TypeVar("D")
USUAL, MOST = 32, 128  # items in a piece
STRETCH = 8  # items that are looked at between two yields


class Piece(NamedTuple, Generic[T, D]):
    """What is written, and what it was made of. second: when they were made, of those that change with time; 0: for good.

    Keys and values are two plain tuples: the search for garbage leaves these alone.
    """

    keys: tuple[str, ...]
    values: tuple[T, ...]
    second: int
    data: D


class Parts(Generic[T, W, D]):
    """write: one item at a moment in Unix seconds; joined: the data of some that are written; ages: whether that changes with time.

    again: they will be asked for again.
    """

    def __init__(
        self,
        write: Callable[[str, T, float], W],
        joined: Callable[[list[W]], D],
        ages: Callable[[T], bool] = lambda _value: False,
        *,
        again: bool = True,
    ) -> None:
        self._write, self._joined, self._ages, self._again = write, joined, ages, again
        self._kept: dict[str, Piece[T, D]] = {}

    def of(self, items: Iterable[tuple[str, T]], now: float) -> Turns[list[D]]:
        """All of them in their order. An item's value counts as unchanged while it equals the one before."""
        kept: dict[str, Piece[T, D]] = {}
        made: list[D] = []
        keys: list[str] = []
        values: list[T] = []
        for key, value in items:
            if keys and (len(keys) == MOST or hash(key) % USUAL == 0):
                made.append((yield from self._piece(tuple(keys), tuple(values), now, kept)))
                keys, values = [], []
            keys.append(key)
            values.append(value)
            if len(keys) % STRETCH == 0:
                yield
        if keys:
            made.append((yield from self._piece(tuple(keys), tuple(values), now, kept)))
        while self._kept:  # one by one: freeing thousands of items takes milliseconds
            self._kept.popitem()
            yield
        self._kept = kept
        return made

    def _piece(self, keys: tuple[str, ...], values: tuple[T, ...], now: float, kept: dict[str, Piece[T, D]]) -> Turns[D]:
        """The one from before, where it is that still."""
        piece = self._kept.pop(keys[0], None)
        if piece is None or piece.second not in (0, int(now)) or (piece.keys, piece.values) != (keys, values):
            written = []
            for key, value in zip(keys, values, strict=True):
                written.append(self._write(key, value, now))
                yield
            piece = Piece(keys, values, int(now) if any(map(self._ages, values)) else 0, self._joined(written))
        if self._again:
            kept[keys[0]] = piece
        return piece.data


class Pieces(Parts[T, bytes, bytes]):
    """Of bytes, one behind the other."""

    def __init__(
        self, write: Callable[[str, T, float], bytes], ages: Callable[[T], bool] = lambda _value: False, *, again: bool = True
    ) -> None:
        super().__init__(write, b"".join, ages, again=again)


Columns = tuple[str, ...]
Encoded = tuple[bytes, ...]


class ColumnPieces(Parts[T, Columns, Encoded]):
    """Of several lists at once, with some text of each item for each of them."""

    def __init__(self, write: Callable[[str, T, float], Columns], *, again: bool = True) -> None:
        super().__init__(write, lambda rows: tuple("".join(column).encode() for column in zip(*rows, strict=True)), again=again)


def framed(head: bytes, pieces: list[bytes], tail: bytes) -> list[bytes]:
    """A JSON object or array of items that each begin with their comma."""
    return [head + pieces[0][1:], *pieces[1:], tail] if pieces else [head + tail]
