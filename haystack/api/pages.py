"""When a page's body is made: never for each request, and never older than the request.

All who ask while one is to be made get that one; the next begins PACE seconds after the last began at the earliest. Bodies share what has
not changed; where slow readers hold much that has, those of the oldest lose it.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Awaitable, Callable
from weakref import WeakSet

PACE = 0.1  # seconds
MOST_HELD = 64 * 1024 * 1024  # bytes of bodies that are sent to somebody still and are not the newest
_BOOT = secrets.token_hex(4)


class Body:
    """One making of a page: its pieces, and its entity tag. own: bytes that the body before it does not have.

    Without pieces it is given up: who was still reading it does not get the rest.
    """

    def __init__(self, number: int, pieces: list[bytes], own: int = 0) -> None:
        self.number = number
        self.pieces = pieces
        self.own = own
        self.size = sum(map(len, pieces))
        self.tag = f'"{_BOOT}-{number}"'


class Page:
    """make: writes the pieces of the body as it is now."""

    def __init__(self, make: Callable[[], Awaitable[list[bytes]]]) -> None:
        self._make = make
        self._numbers = itertools.count(1)
        self._newest: Body | None = None
        self._sent: WeakSet[Body] = WeakSet()
        self._coming: asyncio.Task[Body] | None = None
        self._running = asyncio.Lock()
        self._began = 0.0

    async def body(self) -> Body:
        """The body as it is at this moment or later."""
        if self._coming is None:
            self._coming = asyncio.create_task(self._made(), name="page")
        return await asyncio.shield(self._coming)

    async def _made(self) -> Body:
        loop = asyncio.get_running_loop()
        async with self._running:
            await asyncio.sleep(max(0.0, self._began + PACE - loop.time()))
            self._began, self._coming = loop.time(), None
            self._newest = self._next(await self._make())
            self._let_go()
            return self._newest

    def _next(self, pieces: list[bytes]) -> Body:
        """The newest body again where nothing is other."""
        old = self._newest
        if old is not None and old.pieces == pieces:
            return old
        shared = set(map(id, old.pieces)) if old is not None else set()
        body = Body(next(self._numbers), pieces, sum(len(piece) for piece in pieces if id(piece) not in shared))
        self._sent.add(body)
        return body

    def _let_go(self) -> None:
        """Give up the oldest of those that are sent to somebody still, where they hold too much."""
        held = 0
        for body in sorted(self._sent, key=lambda each: each.number, reverse=True)[1:]:
            held += body.own
            if held > MOST_HELD:
                body.pieces.clear()
