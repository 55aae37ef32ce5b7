"""The engine's event stream as JSON values: one a line, and a line that is none costs itself alone.

Never does: reading a socket, knowing what an event means. The watch feeds it what comes; a whole answer of an engine goes through it too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import structlog

LONGEST = 4 << 20  # bytes of a line: all labels of a container are in it
SHOWN = 80  # characters of a bad line that the log repeats
_SEPARATORS = " \t\r\n\x1e"  # beside white space the one of RFC 7464, which newer engines may put before each

_log = structlog.get_logger()
_decoder = json.JSONDecoder()


class Lines:
    """One stream. `bad` counts what was passed over; the log tells the first of it."""

    def __init__(self) -> None:
        self.bad = 0
        self._begun = bytearray()
        self._too_long = False

    def feed(self, data: bytes | str) -> Iterator[object]:
        """The values of all lines that end in `data`; it is text where an engine answered without chunks."""
        if isinstance(data, str):
            data = data.encode("utf-8", "replace")
        # Not splitlines(): that takes a U+0085 in a label, which JSON does not escape, for an end of line.
        *ended, begun = data.split(b"\n")
        for line in ended:
            self._take(line)
            yield from self._values()
        self._take(begun)

    def end(self) -> Iterator[object]:
        """The values of a last line that has no end."""
        yield from self._values()

    def _take(self, piece: bytes) -> None:
        if self._too_long or len(self._begun) + len(piece) > LONGEST:
            self._too_long = True
        else:
            self._begun += piece

    def _values(self) -> Iterator[object]:
        """What the line holds that is now whole: one value, or several without anything between them."""
        text = self._begun.decode("utf-8", "replace").strip(_SEPARATORS)
        too_long, self._too_long = self._too_long, False
        self._begun.clear()
        if too_long:
            self._pass_over(text, f"longer than {LONGEST} bytes")
            return
        at = 0
        while at < len(text):
            try:
                value, at = _decoder.raw_decode(text, at)
            except (ValueError, RecursionError) as error:
                self._pass_over(text[at:], str(error))
                return
            yield value
            while at < len(text) and text[at] in _SEPARATORS:
                at += 1

    def _pass_over(self, text: str, error: str) -> None:
        self.bad += 1
        tell = _log.warning if self.bad == 1 else _log.debug
        tell("engine.event_unreadable", line=text[:SHOWN], error=error)


def whole(answer: bytes) -> list[object]:
    """The values of an answer that is there to its end."""
    lines = Lines()
    return [*lines.feed(answer), *lines.end()]
