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


def table(titles: Sequence[str], rows: Iterable[Sequence[object]], width: int | None) -> str:
    """The rows under their titles. width: columns of the terminal, None where there is none."""
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    for title in titles:
        grid.add_column(title.upper(), overflow="fold")
    for row in rows:
        grid.add_row(*[Text(cell(value)) for value in row])
    out = StringIO()
    columns = UNBOUNDED if width is None else max(width, NARROWEST)
    Console(file=out, width=columns, color_system=None, force_terminal=False, legacy_windows=False).print(grid)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines() if line.strip())


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
