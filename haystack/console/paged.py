"""A long text a screen at a time, on a terminal: Enter or Space goes on, q or Ctrl-C ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from haystack.console.lent import Lent
from haystack.console.wrapping import columns

PROMPT = "-- {shown} of {all} lines: Space shows more, Enter one line, q ends --"
ERASE = "\r\x1b[K"
WAIT = 3600.0  # seconds for a key; then it is over


def fits(pieces: list[str], width: int, height: int) -> bool:
    """Whether all of it can be seen at once, with the prompt below it. Looks no further than to where the screen is full."""
    room = height - 1
    for text in _lines(pieces):
        room -= rows(text, width)
        if room < 0:
            return False
    return True


def rows(text: str, width: int) -> int:
    """How many rows of the screen a line takes; a wide character is not divided, so that a row may have a column less."""
    if len(text) <= width and text.isascii():
        return 1
    return max(1, -(-columns(text) // max(1, width - (not text.isascii()))))


async def show(lent: Lent, pieces: list[str], ended: asyncio.Event) -> None:
    """ended: set by Ctrl-C."""
    total, shown, room, begun = sum(piece.count("\n") for piece in pieces) + 1, 0, lent.size[1] - 1, False
    for text in _lines(pieces):
        tall = rows(text, lent.size[0])
        while begun and tall > room and not ended.is_set():
            await lent.draw(PROMPT.format(shown=shown, all=total)[: max(1, lent.size[0] - 1)])  # one line: only that is erased
            page = await _page(lent, ended)
            room, begun = tall if page == 1 else page, page == 0
            await lent.draw(ERASE)
        if ended.is_set():
            return
        await lent.line(text)
        shown, room, begun = shown + 1, room - tall, True


async def _page(lent: Lent, ended: asyncio.Event) -> int:
    """How many rows more a person wants to see; 1: one line, whatever it takes; none: an odd key."""
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
    return {"space": max(2, lent.size[1] - 1), "page down": max(2, lent.size[1] - 1), "enter": 1, "down": 1}.get(key or "", 0)


def _lines(pieces: list[str]) -> Iterator[str]:
    """All lines, with those put together that two pieces share."""
    rest = ""
    for piece in pieces:
        *whole, rest = (rest + piece).split("\n")
        yield from whole
    yield rest
