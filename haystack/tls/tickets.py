"""Keys of session tickets (RFC 5077, RFC 8446 section 4.6.1): made here, shared by all workers and by the Haystack that replaces this one.

Whoever has a key can read TLS 1.2 connections that were resumed with it: so keys live for a day, and are on no disk.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable

from haystack.tls.messages import TicketKeys

SIZE = 80  # bytes: name, MAC key and cipher key
KEPT = 3
ROTATION = 43200.0  # seconds: as long as a ticket lives, so that the one before it is still read


class Tickets:
    """handed: the keys of the Haystack that is replaced, newest first; age: seconds since that was made; clock: seconds."""

    def __init__(
        self,
        tell: Callable[[TicketKeys], None],
        handed: tuple[bytes, ...] = (),
        age: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._made = clock() - min(max(age, 0.0), ROTATION)
        self.keys = tuple(key for key in handed if len(key) == SIZE)[:KEPT] or (secrets.token_bytes(SIZE),)

    def handed_on(self) -> tuple[tuple[bytes, ...], float]:
        """The keys and the age of the newest, for the Haystack that replaces this one: it goes on with the same rotation."""
        return self.keys, self._clock() - self._made

    def welcome(self) -> TicketKeys:
        """For a worker that begins."""
        return TicketKeys(self.keys)

    def rotate(self) -> None:
        """From now on new tickets have another key."""
        self.keys = (secrets.token_bytes(SIZE), *self.keys)[:KEPT]
        self._made = self._clock()
        self._tell(self.welcome())

    async def run(self) -> None:
        """Rotate again and again, until cancelled."""
        while True:
            await asyncio.sleep(max(0.0, self._made + ROTATION - self._clock()))
            self.rotate()
