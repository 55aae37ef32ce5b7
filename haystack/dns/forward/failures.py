"""Questions that have failed a moment ago: not asked again for a second (RFC 9520), however many ask. Bounded; pure: times come in."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

MOST = 4096
Key = TypeVar("Key")
Result = TypeVar("Result")


class Failures(Generic[Key, Result]):
    """What each question failed with, and when."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._failed: OrderedDict[Key, tuple[float, Result]] = OrderedDict()

    def note(self, key: Key, result: Result, now: float) -> None:
        """It has failed now."""
        self._failed.pop(key, None)
        self._failed[key] = now, result
        if len(self._failed) > self._most:
            self._failed.popitem(last=False)

    def within(self, key: Key, seconds: float, now: float) -> Result | None:
        """What it failed with within so many seconds; None: it has not."""
        failed = self._failed.get(key)
        return failed[1] if failed is not None and now - failed[0] < seconds else None

    def clear(self, key: Key) -> None:
        """It has not failed after all."""
        self._failed.pop(key, None)
