"""One session of the shell: a single command, lines from a pipe, or a person at a terminal.

Stands between asyncssh's channel and commands.run: carries words there and text back, and does the effects that a
command asks for. Decides nothing by itself.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncssh
import structlog

from haystack import __version__
from haystack.console import ahead, command_line, commands, lists
from haystack.console.commands import Context, Leave, LogLevel, Result
from haystack.console.history import History
from haystack.console.identity import NOBODY, Person
from haystack.console.idle import Idle
from haystack.console.record import Record
from haystack.console.terminal import Terminal
from haystack.console.tracer import Tracer
from haystack.loop.turns import in_turns
from haystack.observe import logs
from haystack.views.state import State

log = structlog.get_logger(__name__)

INTERRUPTS = frozenset("\x03\x04")
# The longest line that comes without its end, from a client that is no terminal.
LONGEST = 65536
# So many lines wait for the one that is being done: then the client is asked to wait, until half are done.
MOST_LINES = 1000
COLUMNS, ROWS = 80, 24  # of a terminal that does not say
WIDEST, HIGHEST = 1000, 500
WRITTEN = 16384  # characters that are encrypted in one go


class Session(asyncssh.SSHServerSession[str]):
    """asyncssh calls it back for one channel. local: Haystack's address as this client reached it; person: who it is; idle: seconds."""

    def __init__(self, state: State, local: str, person: Person = NOBODY, idle: float = 0.0) -> None:
        self._state, self._local = state, local
        self.going = True  # until its channel is closed
        self._record = Record(person)
        self._idle = Idle(idle, lambda: self.leave("it was idle"))
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
        self._idle.touch()
        if self._command is not None:
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
        self.going = False
        self.leave("the client is gone")

    def leave(self, why: str) -> None:
        """End this session, and say why, here and in the log. The first one counts: a second one would cancel what the first began."""
        if self._record.why:
            return
        self._record.why = why
        self._write_lines(f"\nthe session ends: {why}")
        self._stop()
        if self._task is None:  # nothing was asked for
            self._idle.close()
            self._channel.close()

    # The three kinds of session.

    async def _run(self) -> None:
        status = commands.OK
        try:
            if self._command is not None:
                with self._idle.busy():
                    status = await self._once(self._command)
            elif self._terminal is not None:
                await self._converse(self._terminal)
            else:
                status = await self._script()
        except Exception:
            log.exception("shell.session_failed")
            status = commands.NOT_FOUND
        finally:
            self._idle.close()
            self._record.ended()
            await self._tracer.switch(commands.Trace(on=False))
            if not self._channel.is_closing():
                self._channel.exit(status)

    async def _once(self, command: str) -> int:
        result = await self._execute(command)
        if result.status != commands.OK or isinstance(result.effect, commands.Trace):
            self._complain(result.text)
        else:
            await self._print(result.pieces)
        if self._tracer.task is not None:
            await asyncio.wait({self._tracer.task})
        await self._writable.wait()
        return result.status

    async def _script(self) -> int:
        status = commands.OK
        while (line := await self._lines.get()) is not None:
            if self._held and self._lines.qsize() < MOST_LINES // 2:
                self._held = False
                self._channel.resume_reading()
            result = await self._execute(line)
            if result.status != commands.OK:
                self._complain(result.text)
                status = result.status
            else:
                await self._print(result.pieces)
            if isinstance(result.effect, Leave):
                break
            await self._writable.wait()
        return status

    async def _converse(self, terminal: Terminal) -> None:
        terminal.print(f"Haystack {__version__}, origin {self._state.snapshot.origin}: help lists the commands, Ctrl-D ends the session.")

        async def execute(line: str) -> bool:
            result = await self._execute(line)
            await self._print(result.pieces)
            return not isinstance(result.effect, Leave)

        folder = Path(str(self._state.settings.state_dir))
        await terminal.converse(self._term, self._candidates, execute, History(folder, self._record.person.fingerprint or "nobody"))

    async def _execute(self, line: str) -> Result:
        self._record.command(line)
        with self._idle.busy():
            return await self._done(line)

    async def _done(self, line: str) -> Result:
        try:
            asked = command_line.split(line)
        except ValueError as error:
            return Result(f"{error}".lower(), commands.USAGE)
        try:
            context = await ahead.heard(self._state, asked, Context(self._size()[0] if self._terminal else None, self._local))
            result = await in_turns(commands.work(self._state, asked, context))
        except Exception:
            log.exception("shell.command_failed", command=line)
            return Result("the command failed; the log says why", commands.NOT_FOUND)
        await self._effect(result)
        return result

    async def _effect(self, result: Result) -> None:
        if isinstance(result.effect, commands.Trace):
            await self._tracer.switch(result.effect)
        elif isinstance(result.effect, LogLevel):
            logs.set_level(result.effect.level)

    def _candidates(self, before: list[str]) -> list[str]:
        if not before:
            return list(commands.COMMANDS)
        return commands.completions(before, lists.short_names(self._state))

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

    def _write_lines(self, text: str) -> None:
        if text:
            self._write((text + "\n").replace("\n", "\r\n" if self._terminal else "\n"))

    def _complain(self, text: str) -> None:
        if self._terminal is not None:
            self._write_lines(text)
        elif text and not self._channel.is_closing():
            self._channel.write_stderr(text + "\n")

    def _write(self, text: str) -> None:
        self._idle.touch()
        if not self._channel.is_closing():
            self._channel.write(text)

    def _size(self) -> tuple[int, int]:
        """Columns and rows. The client says what it likes, up to 32 bits: a screen of that is drawn cell by cell."""
        columns, rows, _, _ = self._channel.get_terminal_size()
        return min(columns, WIDEST) if columns > 0 else COLUMNS, min(rows, HIGHEST) if rows > 0 else ROWS

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
