"""Lists as plain tables at the width of the asker's terminal.

Never colours, never interprets: every cell passes `printable`, for names come from whoever starts a container.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

from haystack.console.long_text import Lines
from haystack.console.wrapping import columns, pieces, widest_part
from haystack.loop.turns import Turns, at_once
from haystack.observe.safe_text import printable

NARROWEST = 20
FOLDED, SQUEEZED = 16, 12  # least width of a folded cell; of one whose words may be cut, if its column says no other
WIDEST = 120  # of a column, where there is no terminal: one long cell would have all rows as long
GAP, INDENT = " " * 3, "  "  # between columns, and between a title and its value


@dataclass(frozen=True, slots=True)
class Column:
    """A title with what may be done to its cells on a narrow terminal: fold them into several lines, or leave the column out.

    spare: 0: it stays; the column with the highest number goes first. brief: what is shown on a terminal, however wide, in place of a cell;
    briefer: the same where words have to be broken; squeezed: its least width then; broken: its words may be cut.
    """

    title: str
    fold: bool = False
    spare: int = 0
    brief: Callable[[str], str] | None = None
    briefer: Callable[[str], str] | None = None
    squeezed: int = SQUEEZED
    broken: bool = False


Title = str | Column


def tabled(out: Lines, titles: Sequence[Title], rows: Iterable[Sequence[object]], width: int | None) -> Turns[None]:
    """Write the rows under their titles. width: columns of the terminal, None where there is none.

    Without one nothing is cut, for grep and awk; a cell wider than WIDEST shifts what follows it in its own row alone.
    What is too wide for the terminal loses its spare columns and has cells folded between words; where that is not enough, between parts of
    words (wrapping.py), with as many columns as there is room for then. Where that is not enough either, each row becomes a block of lines.
    """
    heads = [title if isinstance(title, Column) else Column(title) for title in titles]
    cells: list[tuple[str, ...]] = []
    shape = Shape([columns(head.title) for head in heads], [columns(head.title) for head in heads])
    for row in rows:
        made = tuple(cell(value) for value in row)
        if width is not None:
            made = shortened(made, [head.brief for head in heads])
        shape.see(made, heads)
        cells.append(made)
        yield
    kept, widths = fitted(heads, shape, width)
    if widths is None:
        broken = [replace(head, broken=head.fold) for head in heads]
        kept, widths = fitted(broken, (yield from _squeezed(broken, cells)), width)
    if widths is None:
        yield from blocks(out, [head.title.upper() for head in heads], cells, max(width or 0, NARROWEST))
        return
    out.add(line([heads[at].title.upper() for at in kept], widths), "\u2500" * (sum(widths) + len(GAP) * (len(widths) - 1)))
    for made in taken(cells):
        out.add(*folded([made[at] for at in kept], widths, whole=width is None))
        yield


class Shape(NamedTuple):
    """Of each column: how wide its widest cell is, and its widest word, or the widest part of one where they may be broken."""

    widest: list[int]
    words: list[int]

    def see(self, cells: Sequence[str], heads: Sequence[Column]) -> None:
        """One row more."""
        for at, text in enumerate(cells):
            if (size := columns(text)) > self.widest[at]:
                self.widest[at] = size
            if heads[at].fold and size > self.words[at]:
                self.words[at] = max(self.words[at], widest_part(text) if heads[at].broken else max(map(columns, text.split()), default=0))


def shortened(cells: Sequence[str], how: Sequence[Callable[[str], str] | None]) -> tuple[str, ...]:
    """A row, each cell in its shorter form, if it has one."""
    return tuple(brief(text) if brief is not None else text for brief, text in zip(how, cells, strict=True))


def _squeezed(heads: Sequence[Column], cells: list[tuple[str, ...]]) -> Turns[Shape]:
    """Have the rows as short as they can be, and say how wide they are."""
    shape, how = Shape([columns(head.title) for head in heads], [columns(head.title) for head in heads]), [head.briefer for head in heads]
    for number, row in enumerate(cells):
        cells[number] = shortened(row, how)
        shape.see(cells[number], heads)
        yield
    return shape


def fitted(heads: Sequence[Column], shape: Shape, width: int | None) -> tuple[list[int], list[int] | None]:
    """Which columns are shown, and how wide each is; None: they don't fit."""
    kept = list(range(len(heads)))
    if width is None:
        return kept, [min(size, WIDEST) for size in shape.widest]
    room = max(width, NARROWEST)
    while True:
        needed = [_least(heads[at], shape, at) for at in kept]
        gaps = len(GAP) * (len(kept) - 1)
        if sum(needed) + gaps <= room:
            return kept, _shared_out([shape.widest[at] for at in kept], needed, room - gaps)
        spare = max(kept, key=lambda at: (heads[at].spare, at))
        if not heads[spare].spare:
            return kept, None
        kept.remove(spare)


def _least(head: Column, shape: Shape, at: int) -> int:
    """How narrow a column may be: as wide as its widest word, where its cells may be folded."""
    return min(shape.widest[at], max(shape.words[at], head.squeezed if head.broken else FOLDED)) if head.fold else shape.widest[at]


def _shared_out(wanted: list[int], least: list[int], room: int) -> list[int]:
    """What is left beyond the least, to those that want more, in equal parts."""
    found, left = list(least), room - sum(least)
    while left > 0 and (short := [at for at, size in enumerate(found) if size < wanted[at]]):
        part = max(1, left // len(short))
        for at in short:
            more = min(part, wanted[at] - found[at], left)
            found[at] += more
            left -= more
    return found


def folded(cells: Sequence[str], widths: Sequence[int], *, whole: bool = False) -> list[str]:
    """A row in as many lines as its tallest cell; whole: in one."""
    if whole or all(columns(text) <= most for text, most in zip(cells, widths, strict=True)):
        return [line(cells, widths)]
    parts = [pieces(text, most) for text, most in zip(cells, widths, strict=True)]
    tall = max(map(len, parts))
    return [line([part[at] if at < len(part) else "" for part in parts], widths) for at in range(tall)]


def table(titles: Sequence[Title], rows: Iterable[Sequence[object]], width: int | None) -> str:
    """The same at once, of a few rows."""
    out = Lines()
    at_once(tabled(out, titles, rows, width))
    return "".join(out.pieces())


def taken(rows: list[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Each of them, freed one by one: the list is empty at the end."""
    rows.reverse()
    while rows:
        yield rows.pop()


def line(row: Sequence[str], widest: Sequence[int]) -> str:
    """One row, each cell as wide as its column."""
    return GAP.join(text + " " * (most - columns(text)) for text, most in zip(row, widest, strict=True)).rstrip()


def blocks(out: Lines, titles: Sequence[str], rows: list[tuple[str, ...]], width: int) -> Turns[None]:
    """A block a row, a line a cell, the title before it."""
    left = max(map(columns, titles))
    between: tuple[str, ...] = ()
    for row in taken(rows):
        out.add(*between)
        for title, value in zip(titles, row, strict=True):
            first, *more = pieces(value, max(1, width - left - len(INDENT)))
            out.add(f"{title}{' ' * (left - columns(title))}{INDENT}{first}", *(f"{' ' * left}{INDENT}{piece}" for piece in more))
        between = ("",)
        yield


def cell(value: object) -> str:
    """One value as a person reads it: a dash where there is none, a comma between several."""
    if isinstance(value, list | tuple):
        return ", ".join(printable(item) for item in value) or "-"
    return "-" if value is None else printable(value) or "-"


def age(seconds: float) -> str:
    """How long something has been so, in the unit that a person would say it in: ``45 s``, ``12 min``, ``3 h``, ``9 d``."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def moment(seconds: float) -> str:
    """Unix seconds as UTC to the second; a dash for never."""
    if seconds <= 0:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
