"""Log lines that strangers can cause: the first one at once, those that follow within a minute as one line that counts them."""

from __future__ import annotations

import asyncio

import structlog

EVERY = 60.0  # seconds
ADDRESSES = 1000  # that are told apart


class Tally:
    """One kind of line. On the loop's thread. event: its text."""

    def __init__(self, event: str, logger: str, every: float = EVERY) -> None:
        self._event = event
        self._log = structlog.get_logger(logger)
        self._every = every
        self._more = 0
        self._peers: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    def note(self, peer: str, **more: object) -> None:
        """It has happened again."""
        if self._timer is None:
            self._log.warning(self._event, peer=peer, **more)
            self._timer = asyncio.get_running_loop().call_later(self._every, self._tell)
            return
        self._more += 1
        if len(self._peers) < ADDRESSES:
            self._peers.add(peer)

    def _tell(self) -> None:
        self._timer = None
        if self._more:
            self._log.warning(self._event, more=self._more, addresses=len(self._peers), seconds=self._every, example=min(self._peers))
            self._timer = asyncio.get_running_loop().call_later(self._every, self._tell)
        self._more = 0
        self._peers.clear()

    def close(self) -> None:
        """Tell what is left to tell, and no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._tell()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
