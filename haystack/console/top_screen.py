"""The screen of `top`: what it shows, which row is chosen, what a key does. Pure.

A frame begins at the upper left corner and writes over the last one, each line up to its end: nothing is erased before something
is written, so nothing flickers. Every text passes `printable`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from haystack import __version__
from haystack.console import busiest
from haystack.console.busiest import Row, Sums
from haystack.console.tables import age
from haystack.console.trace_line import cut, duration
from haystack.console.wrapping import columns
from haystack.loop.turns import Turns
from haystack.model import naming
from haystack.model.services import Endpoint, Service
from haystack.observe.safe_text import printable
from haystack.views.state import State

ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"  # another screen, no cursor, long lines are cut
LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"  # all as it was
HOME, TO_LINE_END, TO_END = "\x1b[H", "\x1b[K", "\x1b[J"
REVERSED, BOLD, RED, YELLOW, PLAIN = "\x1b[7m", "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[0m"
KEYS = {"r": "rate", "e": "errors", "m": "p50", "p": "p99", "f": "flight", "w": "queue", "n": "name"}
HELP = "r rate  e errors  m p50  p p99  f flight  w queue  n name  ↑↓ Enter Esc  q ends"
NAME = 16  # columns that a name has at least, as long as there is another column to leave out
AROUND = 3  # lines that are no rows: sums, titles, help


class Column(NamedTuple):
    """sort: what it is the value of; width: of its cells; spare: the one with the highest goes first on a narrow terminal; told: a cell."""

    title: str
    sort: str
    width: int
    spare: int
    told: Callable[[Row], str]


def _time(seconds: float) -> str:
    return duration(seconds * 1000) if seconds else "-"


def _ready(row: Row) -> str:
    found = busiest.readiness(row)  # who is in by panic is told by the colour, and by the state of the endpoint: there is no room
    return f"{found.ready}/{found.all}" if isinstance(row.subject, Service) else "-"


def _state(row: Row) -> str:
    return printable(busiest.state(row.subject)) if isinstance(row.subject, Endpoint) else "-"


SERVICES = (
    Column("REQ/S", "rate", 9, 0, lambda row: f"{row.rate.requests:,.1f}"),
    Column("ERR/S", "errors", 7, 1, lambda row: f"{row.rate.errors:,.1f}"),
    Column("P50", "p50", 8, 4, lambda row: _time(row.rate.p50)),
    Column("P99", "p99", 8, 2, lambda row: _time(row.rate.p99)),
    Column("FLIGHT", "flight", 7, 3, lambda row: f"{row.in_flight:,}"),
    Column("QUEUE", "queue", 6, 5, lambda row: f"{row.waiting:,}"),
    Column("READY", "", 9, 6, _ready),
)
ENDPOINTS = (*SERVICES[:5], Column("POOLED", "", 7, 6, lambda row: f"{row.pooled:,}"), Column("STATE", "", 24, 5, _state))


class Screen:
    """service: whole name of the one whose endpoints are shown, None: all services."""

    def __init__(self, state: State, sort: str, service: str | None, *, colour: bool) -> None:
        self._state = state
        self.sort, self.service = sort, service
        self._colour = colour
        self._outer = ""  # the service that is chosen again on the way back
        self._chosen = ""  # name of a row
        self._rows: list[Row] | None = []
        self._sums = Sums(0.0, 0.0, 0, 0)
        self._first = 0  # row at the top

    def look(self) -> Turns[None]:
        """Take in the newest figures."""
        service, sort, rates = self.service, self.sort, self._state.rates.services()
        found = yield from busiest.rows(self._state, service, sort, rates)
        sums = yield from (busiest.sums(self._state, rates) if service is None else busiest.summed(found or ()))
        if (service, sort) == (self.service, self.sort):
            self._rows, self._sums = found, sums

    def press(self, key: str, height: int) -> bool:
        """What a key does. False: it ends. Another order or another service needs a look."""
        if key == "q":
            return False
        if key in KEYS:
            self.sort, self._first = KEYS[key], 0
        elif key in ("enter", "right") and self.service is None and self._rows:
            self._outer, self.service = self._rows[self._index()].name, self._rows[self._index()].name
            self._leave_rows("")
        elif key in ("escape", "left", "backspace") and self.service is not None:
            self.service = None
            self._leave_rows(self._outer)
        else:
            self._move(key, max(1, height - AROUND))
        return True

    def _leave_rows(self, chosen: str) -> None:
        self._rows, self._chosen, self._first = [], chosen, 0

    def _move(self, key: str, page: int) -> None:
        steps = {"up": -1, "down": 1, "page up": -page, "page down": page, "space": page, "home": -(10**9), "end": 10**9}
        if self._rows and key in steps:
            self._chosen = self._rows[max(0, min(len(self._rows) - 1, self._index() + steps[key]))].name

    def _index(self) -> int:
        """Of the chosen row; the first one where it has gone."""
        return next((at for at, row in enumerate(self._rows or ()) if row.name == self._chosen), 0)

    def frame(self, width: int, height: int) -> Turns[str]:
        """The whole screen, but for its last column: what is written there would be erased with the rest of its line."""
        width = max(1, width - 1)
        room, found = max(0, height - AROUND), self._rows or []
        at = self._index()
        self._first = max(0, min(self._first, at, len(found) - room), at - room + 1 if room else 0)
        shown = found[self._first : self._first + room]
        kept, size = fitted(ENDPOINTS if self.service else SERVICES, width)
        lines = [cut(self._head(), width), self._titles(kept, size, width)]
        for number, row in enumerate(shown, self._first):
            text = cut(line(self._called(row), size, [(c.told(row), c.width) for c in kept]), width)
            lines.append(self._dressed(text, row, chosen=number == at and bool(self._chosen)))
            yield
        lines += [cut(text, width) for text in self._nothing()[: room - len(shown)]]
        lines += [""] * (height - 1 - len(lines)) + [cut(f"{HELP}", width)]
        return HOME + "\r\n".join(text + TO_LINE_END for text in lines[:height]) + TO_END

    def _head(self) -> str:
        sums, now = self._sums, datetime.now(UTC).strftime("%H:%M:%S")
        of = f"{printable(naming.short_name(self.service, self._state.snapshot.origin))}: " if self.service else ""
        going = f"{sums.requests:,.1f} requests/s, {sums.errors:,.1f} errors/s, {sums.in_flight:,} in flight, {sums.waiting:,} waiting"
        return f"{of}{going}  Haystack {__version__}, up {age(time.time() - self._state.started)}, {now} UTC"

    def _titles(self, kept: Sequence[Column], size: int, width: int) -> str:
        name = ("CONTAINER" if self.service else "SERVICE") + "*" * (self.sort == "name")
        cells = [(f"{'*' * (column.sort == self.sort)}{column.title}", column.width) for column in kept]
        return f"{BOLD}{cut(line(name, size, cells), width)}{PLAIN}"

    def _called(self, row: Row) -> str:
        if isinstance(row.subject, Endpoint):
            return printable(f"{row.subject.container_name or row.subject.container[:12]}:{row.subject.port}")
        return printable(naming.short_name(row.name, self._state.snapshot.origin))

    def _dressed(self, text: str, row: Row, *, chosen: bool) -> str:
        colour = ""
        if self._colour and row.rate.errors:
            colour = RED
        elif self._colour and (row.waiting or not _well(row)):
            colour = YELLOW
        before = colour + (REVERSED if chosen else "")
        return f"{before}{text}{PLAIN}" if before else text

    def _nothing(self) -> list[str]:
        if self._rows is None:
            return [f"no service {printable(self.service or '')} any more: Esc goes back"]
        return [] if self._rows else ["nothing yet"]


def _well(row: Row) -> bool:
    if isinstance(row.subject, Service):
        found = busiest.readiness(row)
        return found.ready == found.all
    return row.subject is None or row.subject.well


def fitted(every: Sequence[Column], width: int) -> tuple[list[Column], int]:
    """The columns that have a place, and how wide the name is."""
    kept = list(every)
    while len(kept) > 1 and width - sum(column.width + 1 for column in kept) < NAME:
        kept.remove(max(kept, key=lambda column: column.spare))
    return kept, max(1, width - sum(column.width + 1 for column in kept))


def line(name: str, size: int, cells: Sequence[tuple[str, int]]) -> str:
    """A name at the left, and cells at the right."""
    name = cut(name, size)
    return name + " " * (size - columns(name)) + "".join(f" {cut(text, width):>{width}}" for text, width in cells)
