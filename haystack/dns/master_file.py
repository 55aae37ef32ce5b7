r"""Master files (RFC 1035, section 5): text → records with their places. A, AAAA, CNAME, TXT and SRV of class IN; $ORIGIN and $TTL.

Pure. Never does: read a file, know which names may be there. dnslib's ZoneParser tells no line of a fault, reads neither the octets of
`\DDD` nor durations such as 1h, and takes types that it does not know as hexadecimal; so the text is taken apart here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from haystack.dns import rdata, wire
from haystack.loop.turns import STRETCH, Turns

LONGEST_TTL = 2**31 - 1  # RFC 2181, section 8
_TOKEN = re.compile(
    r"(?P<space>[ \t\r\f]+|;[^\n]*)|(?P<line>\n)|(?P<paren>[()])"
    r'|"(?P<quoted>(?:[^"\\\n]|\\[^\n])*)"|(?P<word>(?:[^\s;"()\\]|\\[^\n])+)|(?P<bad>.)',
    re.DOTALL,
)
_TTL = re.compile(r"[0-9]{1,10}|(?:[0-9]{1,10}[smhdw])+", re.IGNORECASE)
_PART = re.compile(r"([0-9]+)([smhdw]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_CLASSES = ("IN", "CH", "HS", "CS")


class MasterFileError(ValueError):
    """The text is no such file, or its name is not to be there. line: from 1; str(): what is wrong, with the line."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line


class Entry(NamedTuple):
    """One record. name: lower-case wire form; ttl: seconds, None: none is given; data: in wire form, without compression."""

    line: int
    name: bytes
    rtype: int
    ttl: int | None
    data: bytes


class Line(NamedTuple):
    """The words of one entry, which may be on several lines, and whether each was in quotes. indented: its name is that of the last one."""

    number: int
    indented: bool
    words: list[tuple[str, bool]]


def read(text: str, origin: str) -> Turns[list[Entry]]:
    """All records, in their order. origin: below which names without a dot at the end are. Raises MasterFileError."""
    reader, found = _Reader(wire.name(origin)), []
    for count, line in enumerate(_lines(text)):
        try:
            if line.words and (entry := reader.read(line)) is not None:
                found.append(entry)
        except ValueError as error:
            raise MasterFileError(line.number, str(error)) from None
        if not count % STRETCH:
            yield
    return found


def _lines(text: str) -> Iterator[Line]:
    number, begin, depth = 1, 0, 0
    current = Line(number, indented=False, words=[])
    for token in _TOKEN.finditer(text):
        kind, value = token.lastgroup or "", token.group()
        if kind in ("word", "quoted"):
            current.words.append((token.group(kind), kind == "quoted"))
        elif kind == "line":
            number, begin = number + 1, token.end()
            if not depth:
                yield current
                current = Line(number, indented=False, words=[])
        elif kind != "space":
            depth = _deeper(number, depth, value)
        elif token.start() == begin and not depth and value[0] != ";":
            current = current._replace(indented=True)
    if depth:
        raise MasterFileError(current.number, "a parenthesis is not closed")
    yield current


def _deeper(line: int, depth: int, character: str) -> int:
    """How many parentheses are open after this character, which is nothing else that may be there."""
    deeper = depth + {"(": 1, ")": -1}.get(character, 0)
    if deeper in (0, 1) and deeper != depth:
        return deeper
    if character == '"':
        raise MasterFileError(line, "a quotation mark is not closed")
    raise MasterFileError(line, f"{character!r} is not possible here")


class _Reader:
    """What lines have in common: the origin, the last name, and the TTL of records without one (RFC 2308, section 4)."""

    def __init__(self, origin: bytes) -> None:
        self._origin = origin
        self._name: bytes | None = None
        self._ttl: int | None = None
        self._last: int | None = None

    def read(self, line: Line) -> Entry | None:
        """The record of a line; None where it is a directive. Raises ValueError."""
        words = list(line.words)
        if words[0][0].startswith("$") and not line.indented:
            self._direct(*(word for word, _ in words))
            return None
        if not line.indented:
            self._name = rdata.name(words.pop(0)[0], self._origin)
        if self._name is None:
            raise ValueError("the first record has no name")
        ttl = self._ttl_of(words)
        if not words:
            raise ValueError("it has no type")
        rtype, pack = rdata.kind_of(words.pop(0)[0])
        return Entry(line.number, self._name.lower(), rtype, ttl, pack(words, self._origin))

    def _direct(self, directive: str, *words: str) -> None:
        if directive.upper() not in ("$ORIGIN", "$TTL"):
            raise ValueError(f"{directive[: rdata.SHOWN]} is not supported: $ORIGIN and $TTL are")
        if len(words) != 1:
            raise ValueError(f"{directive.upper()} takes one word")
        if directive.upper() == "$TTL":
            self._ttl = _seconds(words[0])
        else:
            self._origin = rdata.name(words[0], self._origin)

    def _ttl_of(self, words: list[tuple[str, bool]]) -> int | None:
        """TTL and class, in either order, each where it is there."""
        ttl = None
        while words and (_TTL.fullmatch(words[0][0]) or words[0][0].upper() in _CLASSES):
            word = words.pop(0)[0]
            if word[0].isdigit() and ttl is None:
                ttl = self._last = _seconds(word)
            elif word.upper() != "IN":
                raise ValueError(f"{word[: rdata.SHOWN]!r} is not possible here")
        return next((each for each in (ttl, self._ttl, self._last) if each is not None), None)


def _seconds(word: str) -> int:
    if not _TTL.fullmatch(word):
        raise ValueError(f"{word[: rdata.SHOWN]!r} is no TTL: seconds, or a duration such as 1h")
    found = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(word.lower()))
    if found > LONGEST_TTL:
        raise ValueError(f"the TTL {word[: rdata.SHOWN]} is longer than {LONGEST_TTL} seconds")
    return found
