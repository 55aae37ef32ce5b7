"""Lists as plain tables at the width of the asker's terminal.

Never colours, never interprets: every cell passes `printable`, for names come from whoever starts a container.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from io import StringIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from haystack.observe.text import printable

# Without a terminal nothing is folded, so that grep and awk see one line an item.
UNBOUNDED = 10_000
NARROWEST = 20
FOLDED = 3  # columns at most of a table whose cells may be folded


def table(titles: Sequence[str], rows: Iterable[Sequence[object]], width: int | None) -> str:
    """The rows under their titles. width: columns of the terminal, None where there is none.

    Where a row of many columns is wider than the terminal, it becomes a block of lines: words cut in pieces can't be read.
    """
    cells = [[cell(value) for value in row] for row in rows]
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    for title in titles:
        grid.add_column(title.upper(), overflow="fold")
    for row in cells:
        grid.add_row(*map(Text, row))
    out = StringIO()
    columns = UNBOUNDED if width is None else max(width, NARROWEST)
    console = Console(file=out, width=columns, color_system=None, force_terminal=False, legacy_windows=False)
    if len(titles) > FOLDED and console.measure(grid, options=console.options.update(width=UNBOUNDED)).maximum > columns:
        return blocks(titles, cells, console, out)
    console.print(grid)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines() if line.strip())


def blocks(titles: Sequence[str], rows: Sequence[Sequence[str]], console: Console, out: StringIO) -> str:
    """A block a row, a line a cell, the title before it."""
    for row in rows:
        grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
        for overflow in ("ellipsis", "fold"):
            grid.add_column(overflow=overflow, no_wrap=overflow == "ellipsis")
        for title, value in zip(titles, row, strict=True):
            grid.add_row(title.upper(), Text(value))
        console.print(grid)
        console.print()
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).rstrip()


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
