"""Values that several labels take: each text → what it means, or a BadValueError with what it takes instead. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from haystack.model import spelling

DIGITS = 9  # of a whole number
SHOWN = 80  # characters of a bad value that a message repeats
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")  # RFC 9110 section 5.6.2

_PATH = re.compile(r"/[!-\"$->@-~]*")  # printable ASCII but ? and #: RFC 3986 section 3.3


class BadValueError(ValueError):
    """A label's value is not what it takes; the text says what it takes."""


def bad(text: str, takes: str) -> BadValueError:
    """Says what a label takes instead of this text."""
    return BadValueError(f"{text[:SHOWN]!r} is not {takes}")


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    """Reads a whole number within these bounds."""

    def reader(text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) <= DIGITS and lowest <= int(text) <= highest:
            return int(text)
        raise bad(text, f"a number from {lowest} to {highest}")

    return reader


def path(text: str) -> str:
    """A URL's path. Raises BadValueError."""
    if _PATH.fullmatch(text):
        return text
    raise bad(text, "a path that starts with /")


def seconds(text: str) -> float:
    """A duration, ``1.5``, ``500ms``, ``5s``, ``1h30m``, in seconds. Raises BadValueError."""
    try:
        value = spelling.seconds(text)
    except ValueError:
        value = 0.0
    if value <= 0:
        raise bad(text, "a duration such as 500ms, 5s or 1h30m")
    return value
