"""Text in lines that fit a terminal: broken between words, and within a word only where it is too long for a line.

There best behind a sign such as a dot or a colon: a name, an image or an address can still be read then. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rich.cells import cell_len

_PART = re.compile(r"[^._/:@,=]+[._/:@,=]*|[._/:@,=]+")
_SMALL = re.compile(r"[^-]+-*|-+")  # of a part that is too long itself


def columns(text: str) -> int:
    """How many columns of a terminal it takes."""
    return len(text) if text.isascii() else cell_len(text)


def widest_part(text: str) -> int:
    """Columns of the widest part of a word that is not cut."""
    return max((columns(small) for word in text.split() for part in _PART.findall(word) for small in _SMALL.findall(part)), default=0)


def pieces(text: str, width: int) -> list[str]:
    """The text in lines of so many columns at most; one line at least."""
    if columns(text) <= width:
        return [text]
    found, line = list[str](), ""
    for word in text.split():
        if line and columns(line) + 1 + columns(word) <= width:
            line += f" {word}"
            continue
        found += [line] if line else []
        *whole, line = _cut(word, width)
        found += whole
    return [*found, line]


def prose(lines: Iterable[str], width: int | None) -> Iterator[str]:
    """Each of these lines in as many as it needs. width: None: there is no terminal, and nothing is broken."""
    for line in lines:
        yield from [line] if width is None else pieces(line, width)


def _cut(word: str, width: int) -> list[str]:
    """A word in lines: whole where it fits, else broken between its parts, and within these if it has to be."""
    if columns(word) <= width:
        return [word]
    found, line = list[str](), ""
    for part in _parts(word, width):
        if line and columns(line) + columns(part) > width:
            found.append(line)
            line = ""
        line += part
        while columns(line[: 2 * width + 1]) > width:  # not of all that is left: it may be long
            size = _fitting(line, width)
            found.append(line[:size])
            line = line[size:]
    return [*found, line] if line or not found else found


def _fitting(text: str, width: int) -> int:
    """How many characters fit; one at least."""
    size = min(len(text), max(1, width))
    while size > 1 and columns(text[:size]) > width:
        size -= 1
    return size


def _parts(word: str, width: int) -> Iterator[str]:
    """Between dashes only where the other signs leave too much."""
    for part in _PART.findall(word):
        yield from [part] if columns(part) <= width else _SMALL.findall(part)
