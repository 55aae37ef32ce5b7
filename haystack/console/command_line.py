"""From a typed line to words: quoting as in a shell, and the call forms ``exit()`` and ``haystack.trace(True)``.

Pure. Old fingers and the walk-through type calls, some as in Erlang (``haystack:trace(true).``); all forms mean the same words.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable

from haystack.loop.turns import Turns

CALL = re.compile(r"(?:haystack\s*[.:]\s*)?([A-Za-z_]\w*)\s*\((.*)\)\s*[.;]?", re.DOTALL)
MOST = 3  # words that are named where several are as near
SWITCH = {"true": "on", "false": "off", "1": "on", "0": "off"}


def split(line: str) -> list[str]:
    """The words of a line. Raises ValueError when a quotation does not end."""
    return shlex.split(line)


def normal(words: Iterable[str]) -> list[str]:
    """The words in their plain form: ``trace(true, nginx)`` and ``haystack.trace True nginx`` are ``trace on nginx``."""
    plain = list(words)
    call = CALL.fullmatch(" ".join(plain))
    if call is not None:
        arguments = (argument.strip(" \t'\"") for argument in call[2].split(","))
        plain = [call[1], *(argument for argument in arguments if argument)]
    if not plain:
        return []
    name = plain[0].lower().removeprefix("haystack.").removeprefix("haystack:")
    name = "help" if name in ("?", "-h", "--help") else name
    if name == "trace" and len(plain) > 1:
        plain[1] = SWITCH.get(plain[1].lower(), plain[1])
    return [name, *plain[1:]]


def nearest_of(word: str, known: Iterable[str]) -> Turns[str]:
    """``; did you mean X?`` for the known word nearest to this one, or for MOST that are as near; or nothing."""
    best, likeness = dict[str, None](), 0.0
    for each in known:
        close = difflib.get_close_matches(word.lower(), [each], n=1, cutoff=0.5)
        if close and (found := difflib.SequenceMatcher(None, each, word.lower()).ratio()) >= likeness:
            best, likeness = {**(best if found == likeness else {}), each: None}, found
        yield
    *some, last = sorted(best)[:MOST] or [""]
    return f"; did you mean {', '.join(some)}{' or ' if some else ''}{last}?" if last else ""
