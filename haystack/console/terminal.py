"""Line editing for one session: prompt_toolkit fed from an SSH channel instead of a terminal of this process.

Never touches this process's own terminal, signals or standard output: several sessions run side by side in one loop.
Trace lines appear above the prompt while one types on.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from io import TextIOBase
from typing import TextIO, cast

from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session, run_in_terminal
from prompt_toolkit.application.current import AppSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.input.posix_pipe import PosixPipeInput
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import CompleteStyle

PROMPT = "haystack> "
# More than this unread of what the client sent: it is asked to wait.
HIGH_WATER = 65536


class Cleared(Exception):  # noqa: N818 - not an error: the user pressed Ctrl-C
    """The line is given up."""


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


class Words(Completer):
    """Completes a command's name, and behind some commands what they take."""

    def __init__(self, candidates: Callable[[list[str]], Iterable[str]]) -> None:
        self._candidates = candidates

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:  # noqa: ARG002 - theirs
        """What may stand where the cursor is."""
        words = document.text_before_cursor.split(" ")
        for candidate in self._candidates([word for word in words[:-1] if word]):
            if candidate.startswith(words[-1].lower()):
                yield Completion(candidate, start_position=-len(words[-1]))


class Terminal:
    """One conversation. write: sends text; size: (columns, rows) now; pause, resume: stop and go for what the client sends."""

    def __init__(
        self,
        write: Callable[[str], None],
        size: Callable[[], tuple[int, int]],
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        self._file = ChannelFile(write)
        self._size = size
        self._feed = Feed(pause, resume)
        self._session: AppSession | None = None

    def feed(self, text: str) -> None:
        """What the client typed."""
        self._feed.write(text)

    def resized(self) -> None:
        """The client's window has another size."""
        if self._session is not None and self._session.app is not None:
            self._session.app._on_resize()  # noqa: SLF001 - the only way in, their own SSH server does so

    async def show(self, text: str) -> None:
        """Print above the prompt, which stays as it is."""
        await run_in_terminal(lambda: self.print(text))

    def print(self, text: str) -> None:
        """Print; for use between two prompts."""
        if text:
            self._file.write(text + "\n")

    async def converse(
        self, term: str, candidates: Callable[[list[str]], Iterable[str]], execute: Callable[[str], Awaitable[bool]]
    ) -> None:
        """Ask for lines and execute each until one says to end (False), or Ctrl-D."""
        # enable_cpr off: a client without a real terminal never answers where its cursor is.
        output = Vt100_Output(cast("TextIO", self._file), self._measure, term=term, enable_cpr=False)
        with PosixPipeInput.create() as pipe, self._feed.into(pipe.pipe.write_fd), create_app_session(pipe, output) as session:
            self._session = session
            prompt: PromptSession[str] = PromptSession(
                PROMPT, completer=Words(candidates), complete_style=CompleteStyle.READLINE_LIKE, interrupt_exception=Cleared
            )
            while True:
                try:
                    # Neither this process's signals nor its loop's exception handler are a session's to take.
                    line = await prompt.prompt_async(handle_sigint=False, set_exception_handler=False)
                except Cleared:
                    continue
                except EOFError:
                    return
                if not await execute(line):
                    return

    def _measure(self) -> Size:
        columns, rows = self._size()
        return Size(rows=rows, columns=columns)
