"""One session of the shell: a single command, lines from a pipe, or a person at a terminal.

Stands between asyncssh's channel and shell.answer: carries words there and text back, and does the effects that a
command asks for. Decides nothing by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import asyncssh
import structlog

from haystack.console import command, command_line, paged, shell, welcome
from haystack.console.command import Context, Leave, Live, LogLevel, Result
from haystack.console.lent import INTERRUPTS, RESIZED, Lent
from haystack.console.terminal import Terminal
from haystack.loop.turns import in_turns
from haystack.observe import logs
from haystack.observe.trace import Subscription, render
from haystack.views.state import State

log = structlog.get_logger(__name__)

INTERRUPTED = 130  # the exit status of what Ctrl-C has ended, as shells have it
# The longest line that comes without its end, from a client that is no terminal.
LONGEST = 65536
# So many lines wait for the one that is being done: then the client is asked to wait, until half are done.
MOST_LINES = 1000
COLUMNS, ROWS = 80, 24  # of a terminal that does not say
WIDEST, HIGHEST = 1000, 500
WRITTEN = 16384  # characters that are encrypted in one go


class Tracer:
    """Shows live lines while it is on. show: prints one line, and waits while the client is slow."""

    def __init__(self, state: State, show: Callable[[str], Awaitable[None]]) -> None:
        self._state, self._show = state, show
        self.task: asyncio.Task[None] | None = None

    async def switch(self, wanted: command.Trace) -> None:
        """On, off, or on for another service."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})
            self.task = None
        if wanted.on:
            listening = asyncio.Event()
            self.task = asyncio.create_task(self._follow(wanted.service, listening))
            await listening.wait()

    async def _follow(self, service: str | None, listening: asyncio.Event) -> None:
        try:
            async with self._state.traces.subscribe(service) as traces:
                listening.set()
                await self._tell(traces)
        except Exception:
            log.exception("shell.trace_failed")
        finally:
            listening.set()

    async def _tell(self, traces: Subscription) -> None:
        lost = 0
        async for trace in traces:
            if traces.dropped > lost:
                await self._show(f"({traces.dropped - lost} lines lost: too many at once)")
                lost = traces.dropped
            await self._show(render(trace))


class Session(asyncssh.SSHServerSession[str]):
    """asyncssh calls it back for one channel. local: Haystack's address as this client reached it."""

    def __init__(self, state: State, local: str) -> None:
        self._state, self._local = state, local
        self._channel: asyncssh.SSHServerChannel[str]
        self._command: str | None = None
        self._terminal: Terminal | None = None
        self._term = "dumb"
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._partial = ""
        self._held = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._tracer = Tracer(state, self._line)
        self._task: asyncio.Task[None] | None = None
        self._lent: Lent | None = None  # while a command goes on, or a long text is shown

    # What asyncssh tells.

    def connection_made(self, chan: asyncssh.SSHServerChannel[str]) -> None:
        """The channel is there."""
        self._channel = chan

    def pty_requested(self, term_type: str | None, term_size: object, term_modes: object) -> bool:  # noqa: ARG002 - theirs
        """A person sits at the other end."""
        self._term = term_type or "dumb"
        self._terminal = Terminal(self._write, self._size, self._channel.pause_reading, self._channel.resume_reading)
        return True

    def exec_requested(self, command: str) -> bool:
        """One command."""
        self._command = command
        return True

    def shell_requested(self) -> bool:
        """A conversation."""
        return True

    def session_started(self) -> None:
        """Everything is agreed on: go."""
        self._task = asyncio.create_task(self._run(), name="shell session")

    def data_received(self, data: str, datatype: object) -> None:  # noqa: ARG002 - theirs
        """Typed or piped in."""
        if self._lent is not None and self._terminal is not None:
            self._lent.feed(data)
        elif self._command is not None:
            if self._terminal is not None and INTERRUPTS & set(data):
                self._stop()
        elif self._terminal is not None:
            self._terminal.feed(data)
        else:
            *whole, self._partial = (self._partial + data).split("\n")
            self._partial = self._partial[:LONGEST]
            for line in whole:
                self._lines.put_nowait(line)
            if self._lines.qsize() > MOST_LINES:
                self._held = True
                self._channel.pause_reading()

    def eof_received(self) -> bool:
        """No more input; what was asked for is still answered."""
        if self._terminal is None and self._command is None:
            self._lines.put_nowait(self._partial)
            self._lines.put_nowait(None)
        elif self._terminal is not None and self._command is None:
            self._terminal.feed("\x04")
        return True

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:  # noqa: ARG002 - theirs
        """Another window size."""
        if self._terminal is not None:
            self._terminal.resized()
        if self._lent is not None:
            self._lent.put(RESIZED)

    def signal_received(self, signal: str) -> None:
        """The client passes a signal on."""
        if signal in {"INT", "TERM", "HUP"}:
            self._stop()

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - theirs
        """The client is gone."""
        self._stop()

    # The three kinds of session.

    async def _run(self) -> None:
        status = command.OK
        try:
            if self._command is not None:
                status = await self._once(self._command)
            elif self._terminal is not None:
                await self._converse(self._terminal)
            else:
                status = await self._script()
        except Exception:
            log.exception("shell.session_failed")
            status = command.NOT_FOUND
        finally:
            await self._tracer.switch(command.Trace(on=False))
            if not self._channel.is_closing():
                self._channel.exit(status)

    async def _once(self, line: str) -> int:
        result = await self._execute(line)
        if isinstance(result.effect, Live):
            return await self._go_on(result.effect)
        if result.status != command.OK or isinstance(result.effect, command.Trace):
            self._complain(result.text)
        else:
            await self._print(result.pieces)
        if self._tracer.task is not None:
            await asyncio.wait({self._tracer.task})
        await self._writable.wait()
        return result.status

    async def _script(self) -> int:
        status = command.OK
        while (line := await self._lines.get()) is not None:
            if self._held and self._lines.qsize() < MOST_LINES // 2:
                self._held = False
                self._channel.resume_reading()
            result = await self._execute(line)
            if isinstance(result.effect, Live):
                status = await self._go_on(result.effect) or status
            elif result.status != command.OK:
                self._complain(result.text)
                status = result.status
            else:
                await self._print(result.pieces)
            if isinstance(result.effect, Leave):
                break
            await self._writable.wait()
        return status

    async def _converse(self, terminal: Terminal) -> None:
        terminal.print("\n".join(await in_turns(welcome.lines(self._state))))

        async def execute(line: str) -> bool:
            result = await self._execute(line)
            if isinstance(result.effect, Live):
                await self._go_on(result.effect)
            else:
                await self._page(result.pieces)
            return not isinstance(result.effect, Leave)

        await terminal.converse(self._term, lambda before: shell.completions(self._state, before), execute)

    async def _execute(self, line: str) -> Result:
        try:
            asked = command_line.split(line)
        except ValueError as error:
            return Result(f"{error}".lower(), command.USAGE)
        try:
            result = await shell.answer(self._state, asked, self._context())
        except Exception:
            log.exception("shell.command_failed", command=line)
            return Result("the command failed; the log says why", command.NOT_FOUND)
        await self._effect(result)
        return result

    def _context(self) -> Context:
        return Context(self._size()[0] if self._terminal else None, self._local, colour=self._terminal is not None and self._term != "dumb")

    async def _go_on(self, live: Live) -> int:
        """Do what goes on for a while, until it ends by itself or by Ctrl-C; its exit status."""
        task: asyncio.Task[int] | None = None
        self._lent = self._lend(lambda: task.cancel() if task is not None else None)
        task = asyncio.ensure_future(live.run(self._lent))
        try:
            await asyncio.wait({task})
        finally:
            self._lent = None
            task.cancel()
        if task.cancelled():
            return INTERRUPTED
        if task.exception() is not None:
            log.error("shell.command_failed", exc_info=task.exception())
            self._complain("the command failed; the log says why")
            return command.NOT_FOUND
        return task.result()

    def _lend(self, interrupt: Callable[[], object]) -> Lent:
        async def write(text: str) -> None:
            await self._writable.wait()
            self._write(text)

        async def complain(text: str) -> None:
            await self._writable.wait()
            self._complain(text)

        return Lent(write, complain, self._size, interrupt, terminal=self._terminal is not None)

    async def _effect(self, result: Result) -> None:
        if isinstance(result.effect, command.Trace):
            await self._tracer.switch(result.effect)
        elif isinstance(result.effect, LogLevel):
            logs.set_level(result.effect.level)

    # The way out.

    async def _line(self, text: str) -> None:
        await self._writable.wait()
        if self._terminal is not None and self._command is None:
            await self._terminal.show(text)
        else:
            self._write_lines(text)

    async def _print(self, pieces: list[str]) -> None:
        """Write what may be long: a little at a time, no faster than it is read."""
        for text in pieces:
            for at in range(0, len(text), WRITTEN):
                await self._writable.wait()
                self._write(text[at : at + WRITTEN].replace("\n", "\r\n" if self._terminal else "\n"))
                await asyncio.sleep(0)
        if any(pieces):
            self._write("\r\n" if self._terminal else "\n")

    async def _page(self, pieces: list[str]) -> None:
        """The same a screen at a time, where it is longer than that."""
        rows = self._size()[1]
        if sum(piece.count("\n") for piece in pieces) < rows:
            await self._print(pieces)
            return
        ended = asyncio.Event()
        self._lent = lent = self._lend(ended.set)
        try:
            await paged.show(lent, pieces, ended)
        finally:
            self._lent = None

    def _write_lines(self, text: str) -> None:
        if text:
            self._write((text + "\n").replace("\n", "\r\n" if self._terminal else "\n"))

    def _complain(self, text: str) -> None:
        if self._terminal is not None:
            self._write_lines(text)
        elif text and not self._channel.is_closing():
            self._channel.write_stderr(text + "\n")

    def _write(self, text: str) -> None:
        if not self._channel.is_closing():
            self._channel.write(text)

    def _size(self) -> tuple[int, int]:
        """Columns and rows. The client says what it likes, up to 32 bits: a screen of that is drawn cell by cell."""
        columns, rows, _, _ = self._channel.get_terminal_size()
        return min(columns, WIDEST) if columns > 0 else COLUMNS, min(rows, HIGHEST) if rows > 0 else ROWS

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
