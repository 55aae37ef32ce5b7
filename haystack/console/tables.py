"""Lists as plain tables at the width of the asker's terminal.

Never colours, never interprets: every cell passes `printable`, for names come from whoever starts a container.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from haystack.console.long_text import Lines
from haystack.loop.turns import Turns, at_once
from haystack.observe.safe_text import printable

NARROWEST = 20
FOLDED = 3  # columns at most of a table whose cells may be folded
GAP, INDENT = " " * 3, "  "  # between columns, and between a title and its value


def tabled(out: Lines, titles: Sequence[str], rows: Iterable[Sequence[object]], width: int | None) -> Turns[None]:
    """Write the rows under their titles. width: columns of the terminal, None where there is none: nothing is cut then, for grep and awk.

    Where a row of many columns is wider than the terminal, it becomes a block of lines: words cut in pieces can't be read.
    """
    heads = [title.upper() for title in titles]
    cells: list[tuple[str, ...]] = []
    widest = [cell_len(head) for head in heads]
    for row in rows:
        made = tuple(cell(value) for value in row)
        widest = [max(most, columns(text)) for most, text in zip(widest, made, strict=True)]
        cells.append(made)
        yield
    total = sum(widest) + len(GAP) * (len(heads) - 1)
    if width is not None and total > max(width, NARROWEST):
        if len(heads) > FOLDED:
            yield from blocks(out, heads, cells, max(width, NARROWEST))
        else:
            out.add(folded(heads, cells, max(width, NARROWEST)))
        return
    out.add(line(heads, widest), "\u2500" * total)
    for made in taken(cells):
        out.add(line(made, widest))
        yield


def table(titles: Sequence[str], rows: Iterable[Sequence[object]], width: int | None) -> str:
    """The same at once, of a few rows."""
    out = Lines()
    at_once(tabled(out, titles, rows, width))
    return "".join(out.pieces())


def taken(rows: list[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Each of them, freed one by one: the list is empty at the end."""
    rows.reverse()
    while rows:
        yield rows.pop()


def columns(text: str) -> int:
    """How many columns of a terminal it takes."""
    return len(text) if text.isascii() else cell_len(text)


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


def pieces(text: str, width: int) -> list[str]:
    """The text in lines of so many columns at most, cut within words only where they are too long; one line at least."""
    if columns(text) <= width:
        return [text]
    wrapped = Text(text).wrap(Console(file=StringIO(), width=width, color_system=None), width, overflow="fold")
    return [piece.plain.rstrip() for piece in wrapped] or [""]


def folded(titles: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """A table of few columns whose cells are folded so that it fits."""
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    for title in titles:
        grid.add_column(title, overflow="fold")
    for row in rows:
        grid.add_row(*map(Text, row))
    out = StringIO()
    Console(file=out, width=width, color_system=None, force_terminal=False, legacy_windows=False).print(grid)
    return "\n".join(each.rstrip() for each in out.getvalue().splitlines() if each.strip())


def cell(value: object) -> str:
    """One value as a person reads it: a dash where there is none, a comma between several."""
    if isinstance(value, list | tuple):
        return ", ".join(printable(item) for item in value) or "-"
    return "-" if value is None else printable(value) or "-"


def moment(seconds: float) -> str:
    """Unix seconds as UTC to the second; a dash for never."""
    if seconds <= 0:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
