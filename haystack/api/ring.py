"""The newest messages of a stream, numbered: whoever has read one of them goes on behind it, and whoever is too far back begins anew.

There is one for all readers, so a slow one costs no memory of its own.
"""

from __future__ import annotations

from collections import deque

MOST = 512  # messages
MOST_BYTES = 8 * 1024 * 1024


class Ring:
    """number: of the newest message; 0: there has been none."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._held: deque[bytes] = deque()
        self._size = 0
        self.number = 0

    def put(self, message: bytes) -> None:
        """Make this the newest. What is too much of the oldest goes."""
        self.number += 1
        self._held.append(message)
        self._size += len(message)
        while len(self._held) > self._most or self._size > self._most_bytes:
            self._size -= len(self._held.popleft())

    def behind(self, number: int) -> list[bytes] | None:
        """The messages that came after the one of this number; None: some of them are lost, or there has been no such number."""
        lacking = self.number - number
        if not 0 <= lacking <= len(self._held):
            return None
        return [self._held[at] for at in range(len(self._held) - lacking, len(self._held))]
