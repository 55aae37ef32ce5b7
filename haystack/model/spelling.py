"""What people write for a switch, a time, a size or a log level, in settings, labels and the shell alike; and the nearest right word.

Pure. Raises ValueError with what is wrong; who reads a value adds what it takes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

TRUTH = dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True) | dict.fromkeys(("0", "false", "f", "no", "n", "off"), False)
LEVELS = ("debug", "info", "warning", "error", "critical")
_LEVEL_NAMES = {"warn": "warning", "err": "error", "fatal": "critical", "crit": "critical"}
_SECONDS = {
    0.001: ("ms", "msec"),
    1.0: ("s", "sec", "secs", "second", "seconds"),
    60.0: ("m", "min", "mins", "minute", "minutes"),
    3600.0: ("h", "hr", "hrs", "hour", "hours"),
    86400.0: ("d", "day", "days"),
}
_UNITS = {name: seconds for seconds, names in _SECONDS.items() for name in names}
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([a-z]+) ?", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)
# powers of 1024, as in nginx, HAProxy and Docker
_SIZE = re.compile(r"([0-9]{1,12}) ?(?:([kmg])(?:i?b)?|b)?", re.ASCII)
_POWERS = {None: 0, "k": 1, "m": 2, "g": 3}
LONGEST = 64  # characters of a value that is looked at


def truth(text: str) -> bool | None:
    """On or off; None: neither."""
    return TRUTH.get(text.strip().lower())


def seconds(text: str) -> float:
    """A duration: ``10`` (seconds), ``1.5s``, ``500ms``, ``1h30m``, ``2 min``. Raises ValueError."""
    written = text.strip().lower()
    if _NUMBER.fullmatch(written):
        return float(written)
    total, at = 0.0, 0
    while match := _PART.match(written, at):
        if match[2] not in _UNITS:
            break
        total += float(match[1]) * _UNITS[match[2]]
        at = match.end()
    if not written or at < len(written) or len(written) > LONGEST:
        raise ValueError("not a duration")
    return total


def size(text: str) -> int:
    """A number of bytes: ``65536``, ``64k``, ``64KiB``, ``1M``. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError("not a size")
    return int(match[1]) << 10 * _POWERS[match[2]]


def parts(text: str) -> tuple[str, ...]:
    """The parts of a list, between commas, semicolons or blanks; empty ones are dropped."""
    return tuple(part for part in re.split(r"[,;\s]+", text) if part)


def level(text: str) -> str:
    """A log level by the name that this log has for it, where it is one."""
    word = text.strip().lower()
    return _LEVEL_NAMES.get(word, word)


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known word that is most like this one; empty: none is."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)), "")
