"""What all lists of the shell have in common: which rows are wanted, and how they are shown, as a table or as JSON, in pieces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import msgspec

from haystack.console.long_text import Lines
from haystack.console.tables import Title, cell, tabled
from haystack.loop.turns import Turns
from haystack.observe.safe_text import printable, printable_json
from haystack.views import shapes
from haystack.views.state import State

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """One list: its text for a terminal of some width, and its shape for JSON, each in pieces."""

    text: Callable[[State, int | None, Wanted], Turns[list[str]]]
    json: Callable[[State, Wanted], Turns[list[str]]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are shown: those that hold each of these texts, whatever the case; `*` and `?` stand for anything.

    gone: also what departed.py knows of.
    """

    texts: tuple[str, ...] = ()
    gone: bool = False

    def fits(self, row: Iterable[object]) -> bool:
        """Whether a row of cells is wanted."""
        if not self.texts:
            return True
        told = " ".join(map(cell, row)).lower()
        return all(fnmatchcase(told, f"*{text.lower()}*") for text in self.texts)

    @property
    def nothing(self) -> str:
        """That no row is."""
        return f"nothing here has {printable(' and '.join(self.texts))} in it"


ALL = Wanted()


def as_json(shape: object) -> str:
    """Indented JSON that a terminal may show."""
    encoded = shapes.encode(shape)
    try:
        text = msgspec.json.format(encoded, indent=2).decode()
    except msgspec.DecodeError:  # it takes no lone surrogate, which a file's name may have
        text = json.dumps(json.loads(encoded), indent=2)
    return printable_json(text)


def json_object(items: Iterable[tuple[str, object]]) -> Turns[list[str]]:
    """The same of an object, a value at a time."""
    return (yield from _bracketed("{", (f"{as_json(key)}: {as_json(value)}" for key, value in items), "}"))


def json_array(items: Iterable[object]) -> Turns[list[str]]:
    """The same of an array, an item at a time."""
    return (yield from _bracketed("[", map(as_json, items), "]"))


def json_of(fields: Mapping[str, object]) -> Turns[list[str]]:
    """The same of an object whose lists may be long: these item by item."""
    out, left = Lines("{"), len(fields)
    for name, value in fields.items():
        left -= 1
        comma = "," if left else ""
        if not isinstance(value, list | tuple):
            out.add(f'  "{name}": {_indented(value, 1)}{comma}')
            continue
        out.add(f'  "{name}": [')
        for number, item in enumerate(value, 1):
            out.add(f"    {_indented(item, 2)}{',' if number < len(value) else ''}")
            yield
        out.add(f"  ]{comma}")
    out.add("}")
    return out.pieces()


def _indented(value: object, depth: int) -> str:
    return as_json(value).replace("\n", "\n" + "  " * depth)


def _bracketed(before: str, items: Iterable[str], after: str) -> Turns[list[str]]:
    out, previous = Lines(), ""
    for item in items:
        out.add(f"{previous}," if previous else before)
        previous = "  " + item.replace("\n", "\n  ")  # no line feed stands within a string of JSON
        yield
    out.add(*((previous, after) if previous else (before + after,)))
    return out.pieces()


def shown(out: Lines, titles: Sequence[Title], rows: Iterable[Row], width: int | None, wanted: Wanted) -> Turns[None]:
    """The rows that are wanted, or that there are none."""
    found = []
    for row in rows:
        if wanted.fits(row):
            found.append(row)
        yield
    if found or not wanted.texts:
        yield from tabled(out, titles, found, width)
    else:
        out.add(wanted.nothing)
