"""A long JSON list, element by element as it comes.

The list of 10,000 containers is read from 20 MB of text. To have that read as a whole is one call into the interpreter's own code: every
other thread, the control loop's first, stands still until it ends.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator

LONGEST = 16 << 20  # characters of one element, or of what is no list: an engine that tells more tells nonsense
_decoder = json.JSONDecoder()
_SPACE = " \t\r\n"


def elements(chunks: Iterable[bytes]) -> Iterator[object]:
    """The elements of the list that these bytes say; none where they say something that is no list. Raises ValueError: it is no JSON."""
    texts = map(codecs.getincrementaldecoder("utf-8")("replace").decode, filter(None, chunks))
    text = _first(texts)
    if not text.startswith("["):
        for more in texts:
            text += more
            _check(text)
        json.loads(text)
        return
    pending = _Pending(text[1:])
    yield from pending.values()
    for more in texts:
        pending.add(more)
        yield from pending.values()
    yield from pending.values(last=True)


def _first(texts: Iterator[str]) -> str:
    """What comes first, but for white space."""
    return next((kept for each in texts if (kept := each.lstrip(_SPACE))), "")


def _check(text: str) -> None:
    if len(text) > LONGEST:
        raise ValueError(f"more than {LONGEST} characters that are no whole element of a list")


class _Pending:
    """Text of a list behind its bracket."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._enough = 0  # characters: an element that was not whole is tried again once there is twice as much
        self._separated = True
        self._ended = False

    def add(self, text: str) -> None:
        """What comes next."""
        self._text += text
        _check(self._text)

    def values(self, *, last: bool = False) -> Iterator[object]:
        """The elements that are whole by now. last: nothing more comes. Raises ValueError."""
        if len(self._text) < self._enough and not last:
            return
        at = 0
        while (at := self._begin(at)) < len(self._text) and not self._ended:
            try:
                value, at = _decoder.raw_decode(self._text, at)
            except ValueError:
                if last:
                    raise
                break
            yield value
            self._separated = False
        self._text = self._text[at:]
        self._enough = 2 * len(self._text)
        if last and not self._ended:
            raise ValueError("a list that does not end")

    def _begin(self, at: int) -> int:
        """Where the next element begins; `_ended` where there is none. Raises ValueError."""
        while at < len(self._text) and not self._ended:
            found = self._text[at]
            if found == "]":
                self._ended = True
            elif found == "," and not self._separated:
                self._separated = True
            elif found not in _SPACE:
                if not self._separated:
                    raise ValueError("elements of a list with nothing between them")
                break
            at += 1
        return at
