"""What a session lends to a command that goes on for a while: its screen and its keys (command.Talk)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from haystack.console.output import Output
from haystack.console.wrapping import prose

INTERRUPTS = frozenset({"\x03", "\x04"})  # Ctrl-C and Ctrl-D
MOST_KEYS = 1000  # that wait; further ones are dropped
_KEY = re.compile(r"\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Za-z]|.", re.DOTALL)
_NAMES = {
    "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down", "\x1b[C": "right", "\x1bOC": "right", "\x1b[D": "left",
    "\x1bOD": "left",
    "\x1b[5~": "page up", "\x1b[6~": "page down", "\x1b[H": "home", "\x1b[F": "end", "\x1b": "escape", "\r": "enter", "\n": "enter",
    "\x7f": "backspace", "\x08": "backspace", "\t": "tab", " ": "space",
}  # fmt: skip
RESIZED = "resize"


class Lent:
    """out: of the session, and each call waits while the client reads slowly; interrupt: what Ctrl-C does."""

    def __init__(self, out: Output, interrupt: Callable[[], object]) -> None:
        self.terminal, self.screen = out.terminal, out.terminal and not out.dumb
        self._out, self._interrupt = out, interrupt
        self._keys: asyncio.Queue[str] = asyncio.Queue(MOST_KEYS)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the screen now."""
        return self._out.size()

    async def line(self, text: str) -> None:
        """Print one line, or several."""
        await self._out.ready.wait()
        self._out.lines(text)

    async def complain(self, text: str) -> None:
        """The same to standard error, where there is one apart; on a terminal in lines that end between words."""
        await self._out.ready.wait()
        self._out.complain("\n".join(prose(text.split("\n"), self.size[0] if self.terminal else None)))

    async def draw(self, text: str) -> None:
        """Send this as it is."""
        await self._out.ready.wait()
        self._out.write(text)

    async def key(self, seconds: float) -> str | None:
        """The next key, as _NAMES calls it or itself; ``resize``: the screen has another size. None: none in so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                return await self._keys.get()
        except TimeoutError:
            return None

    def feed(self, text: str) -> None:
        """What the client typed."""
        for found in _KEY.findall(text):
            if found in INTERRUPTS:
                self._interrupt()
            else:
                self.put(_NAMES.get(found, found))

    def put(self, key: str) -> None:
        """A key was pressed, or the screen has another size."""
        if not self._keys.full():
            self._keys.put_nowait(key)
