"""When somebody has gone away: neither typed nor been shown anything for a while, and no command goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Idle:
    """Calls `over` after so many seconds without a touch; 0: never. On the loop's thread. Close it at the end.

    occupied: whether something else goes on that counts.
    """

    def __init__(self, seconds: float, over: Callable[[], None], occupied: Callable[[], bool] = lambda: False) -> None:
        self._seconds, self._over, self._occupied = seconds, over, occupied
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._busy = 0
        self._timer = self._loop.call_later(seconds, self._look) if seconds else None

    def touch(self) -> None:
        """Something has happened."""
        self._last = self._loop.time()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """While this lasts nobody is idle: a command goes on, however long it says nothing."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            self.touch()

    def close(self) -> None:
        """No more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        left = self._seconds if self._busy or self._occupied() else self._last + self._seconds - self._loop.time()
        self._timer = self._loop.call_later(left, self._look) if left > 0 else None
        if self._timer is None:
            self._over()
