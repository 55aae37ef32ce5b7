"""Line editing for one session: prompt_toolkit fed from an SSH channel instead of a terminal of this process.

Never touches this process's own terminal, signals or standard output: several sessions run side by side in one loop.
Trace lines appear above the prompt while one types on. Imported by terminal.py alone, in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TextIO, cast

from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session, run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.history import History as Shown
from prompt_toolkit.input.posix_pipe import PosixPipeInput
from prompt_toolkit.key_binding.bindings import search  # noqa: F401 - what a first session would import on the event loop
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import CompleteStyle

from haystack.console.history import History
from haystack.console.terminal import Terminal

PROMPT = "haystack> "
LONGEST = 4096  # characters of a line that is edited: what is pasted beyond would hold up the loop while it is laid out


class Cleared(Exception):  # noqa: N818 - not an error: the user pressed Ctrl-C
    """The line is given up."""


class Words(Completer):
    """Completes a command's name, and behind some commands what they take."""

    def __init__(self, candidates: Callable[[list[str]], Iterable[str]]) -> None:
        self._candidates = candidates

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:  # noqa: ARG002 - theirs
        """What may stand where the cursor is, in whatever case it was begun."""
        words = document.text_before_cursor.split(" ")
        begun = words[-1].rpartition("://")[2].lower()  # a scheme stays as it was typed
        for candidate in self._candidates([word for word in words[:-1] if word]):
            if candidate.lower().startswith(begun):
                yield Completion(candidate, start_position=-len(begun))


class Kept(Shown):
    """Lines of earlier sessions and of this one. Nothing is read or written on the event loop."""

    def __init__(self, lines: list[str], file: History) -> None:
        super().__init__()
        self._lines, self._file = lines, file

    def load_history_strings(self) -> Iterable[str]:
        """What there was before, the latest first."""
        return reversed(self._lines)

    def store_string(self, string: str) -> None:
        """Keep a new one."""
        self._file.keep(string)


async def converse(
    terminal: Terminal,
    term: str,
    candidates: Callable[[list[str]], Iterable[str]],
    execute: Callable[[str], Awaitable[bool]],
    history: History,
) -> None:
    """Ask for lines and execute each until one says to end (False), or Ctrl-D."""

    def measure() -> Size:
        columns, rows = terminal.size()
        return Size(rows=rows, columns=columns)

    # enable_cpr off: a client without a real terminal never answers where its cursor is.
    kept = Kept(await asyncio.to_thread(history.load), history)
    output = Vt100_Output(cast("TextIO", terminal.file), measure, term=term, enable_cpr=False)
    with PosixPipeInput.create() as pipe, terminal.keys.into(pipe.pipe.write_fd), create_app_session(pipe, output) as terminal.application:
        prompt: PromptSession[str] = PromptSession(
            PROMPT,
            completer=Words(candidates),
            complete_style=CompleteStyle.READLINE_LIKE,
            interrupt_exception=Cleared,
            history=kept,
        )
        bound(prompt.default_buffer)
        bound(prompt.search_buffer)
        try:
            while (line := await _line(prompt)) is not None and await execute(line):
                pass
        finally:
            await history.written()


def bound(line: Buffer) -> None:
    """Have it take LONGEST characters at most, whether they are typed or pasted; the rest is dropped."""
    insert = line.insert_text

    def bounded(data: str, overwrite: bool = False, move_cursor: bool = True, fire_event: bool = True) -> None:
        if data := data[: max(0, LONGEST - len(line.text))]:
            insert(data, overwrite, move_cursor, fire_event)

    line.insert_text = bounded  # type: ignore[method-assign]


async def _line(prompt: PromptSession[str]) -> str | None:
    """The next line; None: there is none any more."""
    while True:
        try:
            # Neither this process's signals nor its loop's exception handler are a session's to take.
            return await prompt.prompt_async(handle_sigint=False, set_exception_handler=False)
        except Cleared:
            continue
        except EOFError:
            return None


async def above(show: Callable[[], None]) -> None:
    """Call this while the prompt is out of the way; the prompt stays as it is."""
    await run_in_terminal(show)
