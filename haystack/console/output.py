"""The way out of one session: what is printed goes to its channel, no faster than the client reads, in lines as its end wants them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncssh

COLUMNS, ROWS = 80, 24  # of a terminal that does not say
WIDEST, HIGHEST = 1000, 500
WRITTEN = 16384  # characters that are encrypted in one go


class Output:
    """terminal: whether a person looks at a screen; written: called with each write; ready: cleared while the client reads slowly."""

    def __init__(self, written: Callable[[], None]) -> None:
        self.channel: asyncssh.SSHServerChannel[str]
        self.terminal = False
        self.ready = asyncio.Event()
        self.ready.set()
        self._written = written

    def write(self, text: str) -> None:
        """Send as it is."""
        self._written()
        if not self.channel.is_closing():
            self.channel.write(text)

    def lines(self, text: str) -> None:
        """Print one line, or several."""
        if text:
            self.write(self._ended(text + "\n"))

    def complain(self, text: str) -> None:
        """The same to standard error, where there is one apart."""
        if self.terminal:
            self.lines(text)
        elif text and not self.channel.is_closing():
            self._written()
            self.channel.write_stderr(text + "\n")

    async def pieces(self, pieces: list[str]) -> None:
        """Print what may be long: a little at a time."""
        for text in pieces:
            for at in range(0, len(text), WRITTEN):
                await self.ready.wait()
                self.write(self._ended(text[at : at + WRITTEN]))
                await asyncio.sleep(0)
        if any(pieces):
            self.write(self._ended("\n"))

    def size(self) -> tuple[int, int]:
        """Columns and rows. The client says what it likes, up to 32 bits: a screen of that is drawn cell by cell."""
        columns, rows, _, _ = self.channel.get_terminal_size()
        return min(columns, WIDEST) if columns > 0 else COLUMNS, min(rows, HIGHEST) if rows > 0 else ROWS

    def _ended(self, text: str) -> str:
        return text.replace("\n", "\r\n") if self.terminal else text
