"""A long text a screen at a time, on a terminal: Enter or Space goes on, q or Ctrl-C ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from haystack.console.lent import Lent

PROMPT = "-- {shown} of {all} lines: Space shows more, Enter one line, q ends --"
ERASE = "\r\x1b[K"
WAIT = 3600.0  # seconds for a key; then it is over


async def show(lent: Lent, pieces: list[str], ended: asyncio.Event) -> None:
    """ended: set by Ctrl-C."""
    total, shown, room = sum(piece.count("\n") for piece in pieces) + 1, 0, lent.size[1] - 1
    for text in _lines(pieces):
        while room == 0 and not ended.is_set():
            await lent.draw(PROMPT.format(shown=shown, all=total)[: max(1, lent.size[0] - 1)])  # one line: only that is erased
            room = await _room(lent, ended)
            await lent.draw(ERASE)
        if ended.is_set():
            return
        await lent.line(text)
        shown, room = shown + 1, room - 1


async def _room(lent: Lent, ended: asyncio.Event) -> int:
    """How many lines more a person wants to see; none: an odd key."""
    pressed = asyncio.ensure_future(lent.key(WAIT))
    stopped = asyncio.ensure_future(ended.wait())
    try:
        await asyncio.wait({pressed, stopped}, return_when=asyncio.FIRST_COMPLETED)
        key = pressed.result() if pressed.done() else None
    finally:
        pressed.cancel()
        stopped.cancel()
    if key in (None, "q", "Q", "escape"):
        ended.set()
    return {"space": max(1, lent.size[1] - 1), "page down": max(1, lent.size[1] - 1), "enter": 1, "down": 1}.get(key or "", 0)


def _lines(pieces: list[str]) -> Iterator[str]:
    """All lines, with those put together that two pieces share."""
    rest = ""
    for piece in pieces:
        *whole, rest = (rest + piece).split("\n")
        yield from whole
    yield rest
