"""A bounded queue for one who follows what happens: a slow one loses the oldest, is told how much that was, and holds up nobody."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")
TOGETHER = 10  # that are taken in one go, however many wait


class Newest(Generic[T]):
    """What was not read yet, at most `limit`. `lost` counts what was lost for good. On the event loop's thread."""

    def __init__(self, limit: int) -> None:
        self.lost = 0
        self._taken = 0
        self._waiting: deque[T] = deque(maxlen=limit)
        self._arrived = asyncio.Event()

    def put(self, one: T) -> None:
        """Add the newest; a full queue loses its oldest: what happens now matters more."""
        self.lost += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(one)
        self._arrived.set()

    def __aiter__(self) -> Newest[T]:
        return self

    async def __anext__(self) -> T:
        self._taken += 1
        if self._taken % TOGETHER == 0:
            await asyncio.sleep(0)
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()
