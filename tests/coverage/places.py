"""Places where nothing runs: stretches of lines without one that does, named by the function that they are in. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import groupby

MODULE = "module"  # the place of what is in no function
_CLASS = re.compile(r"\s*(?:cdef )?class (\w+)")
_FUNCTION = re.compile(r"\s*(?:(?:async )?def|cp?def)\s[^(=]*?(\w+)\(")


@dataclass(frozen=True, slots=True)
class Place:
    """first, last: lines; size: how many lines between them could run; where: Class.function."""

    file: str
    where: str
    first: int
    last: int
    size: int

    def __str__(self) -> str:
        span = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.file}:{span} {self.where}"


def uncovered(file: str, text: Sequence[str], could: AbstractSet[int], did: AbstractSet[int]) -> Iterator[Place]:
    """The places of a file. text: its lines; could, did: the numbers, from 1, of those that can run and that did."""
    told = ((number, number in did, where(text, number)) for number in sorted(could))
    for (ran, name), stretch in groupby(told, key=lambda each: each[1:]):
        numbers = [number for number, *_ in stretch]
        if not ran:
            yield Place(file, name, numbers[0], numbers[-1], len(numbers))


def where(text: Sequence[str], number: int) -> str:
    """The function that a line is in, with its classes; its own head is in what is around it."""
    indent, names = _indent(text[number - 1]), list[str]()
    for line in reversed(text[: number - 1]):
        if line.strip() and _indent(line) < indent and not line.lstrip().startswith(")"):  # which ends a head of several lines
            indent = _indent(line)
            if found := _CLASS.match(line) or _FUNCTION.match(line):
                names.append(found[1])
    return ".".join(reversed(names)) or MODULE


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
