"""One session's terminal at the other end of an SSH channel: what is typed there, and what is printed there.

Loads prompt.py, which has lines edited, once somebody converses.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from io import TextIOBase
from typing import Any

from haystack.console.history import History

PROMPT = "haystack.console.prompt"
# More than this unread of what the client sent: it is asked to wait.
HIGH_WATER = 65536


class ChannelFile(TextIOBase):
    """What prompt_toolkit writes to: the channel, as a terminal in raw mode wants it."""

    encoding = "utf-8"

    def __init__(self, write: Callable[[str], None]) -> None:
        self._send = write

    def write(self, text: str) -> int:
        """Send."""
        self._send(text.replace("\n", "\r\n"))
        return len(text)

    def isatty(self) -> bool:
        """A terminal is at the other end."""
        return True


class Feed:
    """Text for the prompt's pipe, written as it empties. This loop reads that pipe too: a write that blocks would never end."""

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause, self._resume = pause, resume
        self._waiting = bytearray()
        self._descriptor: int | None = None

    def write(self, text: str) -> None:
        """Hand over now, or as soon as there is room and a prompt."""
        self._waiting += text.encode("utf-8", "replace")
        if len(self._waiting) > HIGH_WATER:
            self._pause()
        self._flush()

    @contextmanager
    def into(self, descriptor: int) -> Iterator[None]:
        """Write to this pipe while the context lasts."""
        self._descriptor = descriptor
        self._flush()
        try:
            yield
        finally:
            asyncio.get_running_loop().remove_writer(descriptor)
            self._descriptor = None

    def _flush(self) -> None:
        if self._descriptor is None:
            return
        # POSIX: a pipe that polls as writable takes PIPE_BUF bytes without blocking.
        while self._waiting and select.select([], [self._descriptor], [], 0)[1]:
            del self._waiting[: os.write(self._descriptor, self._waiting[: select.PIPE_BUF])]
        loop = asyncio.get_running_loop()
        if self._waiting:
            loop.add_writer(self._descriptor, self._flush)
        else:
            loop.remove_writer(self._descriptor)
            self._resume()


class Terminal:
    """One conversation. write: sends text; size: (columns, rows) now; pause, resume: stop and go for what the client sends."""

    def __init__(
        self,
        write: Callable[[str], None],
        size: Callable[[], tuple[int, int]],
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        self.file = ChannelFile(write)
        self.size = size
        self.keys = Feed(pause, resume)
        self.application: Any = None  # of prompt_toolkit, while it asks
        self._prompt: Any = None

    def feed(self, text: str) -> None:
        """What the client typed."""
        self.keys.write(text)

    def resized(self) -> None:
        """The client's window has another size."""
        if self.application is not None and self.application.app is not None:
            self.application.app._on_resize()  # noqa: SLF001 - the only way in, their own SSH server does so

    async def show(self, text: str) -> None:
        """Print above the prompt, which stays as it is."""
        await self._prompt.above(lambda: self.print(text))

    def print(self, text: str) -> None:
        """Print; for use between two prompts."""
        if text:
            self.file.write(text + "\n")

    async def converse(
        self, term: str, candidates: Callable[[list[str]], Iterable[str]], execute: Callable[[str], Awaitable[bool]], history: History
    ) -> None:
        """Ask for lines and execute each until one says to end (False), or Ctrl-D."""
        # Only now, for it takes 6 MiB and 0.1 s, and by a thread, for the loop has other things to do; what is typed meanwhile waits.
        self._prompt = await asyncio.to_thread(import_module, PROMPT)
        await self._prompt.converse(self, term, candidates, execute, history)
