"""One session of the shell: a single command, lines from a pipe, or a person at a terminal.

Stands between asyncssh's channel and shell.answer: carries words there and text back, and does the effects that a
command asks for. Decides nothing by itself.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncssh
import structlog
from asyncssh.packet import SSHPacket

from haystack.console import command, command_line, paged, shell, welcome
from haystack.console.command import NOBODY, Context, Leave, Live, LogLevel, Person, Result
from haystack.console.history import History
from haystack.console.idle import Idle
from haystack.console.lent import INTERRUPTS, RESIZED, Lent
from haystack.console.output import Output
from haystack.console.record import Record
from haystack.console.terminal import Terminal
from haystack.console.tracer import Tracer
from haystack.console.wrapping import prose
from haystack.loop.turns import in_turns
from haystack.observe import logs
from haystack.observe.trace import READABLE
from haystack.views.state import State

log = structlog.get_logger(__name__)

INTERRUPTED, ENDED = 130, 255  # exit statuses: of what Ctrl-C has ended, as shells have it; of a session that was, as ssh has it
PARTING = 1.0  # seconds that a command has to end when its session does
LONGEST = 65536  # characters of a line that comes without its end, from a client that is no terminal
# So many lines wait for the one that is being done: then the client is asked to wait, until half are done.
MOST_LINES = 1000


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
        self._term, self._colour = "dumb", True
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._partial = ""
        self._held = False
        self._out = Output(self._idle.touch)
        self._tracer = Tracer(state, self._line)
        self._task: asyncio.Task[None] | None = None
        self._lent: Lent | None = None  # while a command goes on, or a long text is shown

    # What asyncssh tells.

    def connection_made(self, chan: asyncssh.SSHServerChannel[str]) -> None:
        """The channel is there."""
        self._channel = self._out.channel = chan

    def pty_requested(self, term_type: str | None, term_size: object, term_modes: object) -> bool:  # noqa: ARG002 - theirs
        """A person sits at the other end."""
        self._term = term_type or "dumb"
        self._out.terminal, self._out.dumb = True, self._term == "dumb"
        self._terminal = Terminal(self._out.write, self._out.size, self._channel.pause_reading, self._channel.resume_reading)
        return True

    def environment(self, packet: SSHPacket) -> bool:
        """A variable of the client's: asyncssh would keep each of them, and one alone means something here (no-color.org)."""
        if (packet.get_string(), bool(packet.get_string())) == (b"NO_COLOR", True):
            self._colour = False
        return not self._colour

    def exec_requested(self, command: str) -> bool:
        """One command."""
        self._command = command
        return True

    def shell_requested(self) -> bool:
        """A conversation."""
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        """Neither sftp nor any other."""
        self._record.refused(subsystem)
        return False

    def session_started(self) -> None:
        """Everything is agreed on: go."""
        self._task = asyncio.create_task(self._run(), name="shell session")

    def data_received(self, data: str, datatype: object) -> None:  # noqa: ARG002 - theirs
        """Typed or piped in."""
        self._idle.touch()
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
        self._out.ready.clear()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._out.ready.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - theirs
        """The client is gone."""
        self.going = False
        self.leave("the client is gone")

    def leave(self, why: str) -> None:
        """End this session, and say why, here and in the log. The first one counts: a second one would cancel what the first began."""
        if self._record.why:
            return
        self._record.why = why
        self._stop()
        if self._task is None:  # nothing was asked for
            self._idle.close()
            if self._out.channel is not None:
                self._out.channel.close()

    # The three kinds of session.

    async def _run(self) -> None:
        status = command.OK
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
            status = command.NOT_FOUND
        finally:
            self._idle.close()
            self._record.ended()
            await self._tracer.switch(command.Trace(on=False))
            if self._record.why:
                status = ENDED
                self._out.lines(f"\nthe session ends: {self._record.why}")
            if not self._channel.is_closing():
                self._channel.exit(status)

    async def _once(self, line: str) -> int:
        result = await self._execute(line)
        if isinstance(result.effect, Live):
            return await self._go_on(result.effect)
        if result.status != command.OK or isinstance(result.effect, command.Trace):
            self._out.complain(result.text)
        else:
            await self._out.pieces(result.pieces)
        if self._tracer.task is not None:
            await asyncio.wait({self._tracer.task})
        await self._out.ready.wait()
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
                self._out.complain(result.text)
                status = result.status
            else:
                await self._out.pieces(result.pieces)
            if isinstance(result.effect, Leave):
                break
            await self._out.ready.wait()
        return status

    async def _converse(self, terminal: Terminal) -> None:
        greeting = await in_turns(welcome.lines(self._state))
        terminal.print("\n".join(prose(greeting, self._out.size()[0])))

        async def execute(line: str) -> bool:
            result = await self._execute(line)
            if isinstance(result.effect, Live):
                await self._go_on(result.effect)
            else:
                await self._page(result.pieces)
            return not isinstance(result.effect, Leave)

        history = History(Path(str(self._state.settings.state_dir)), self._record.person.fingerprint or "nobody")
        await terminal.converse(self._term, lambda before: shell.completions(self._state, before), execute, history)

    async def _execute(self, line: str) -> Result:
        self._record.command(line)
        try:
            asked = command_line.split(line)
        except ValueError as error:
            return Result(f"{error}".lower(), command.USAGE)
        try:
            with self._idle.busy():
                result = await shell.answer(self._state, asked, self._context())
        except Exception:
            log.exception("shell.command_failed", command=line)
            return Result("the command failed; the log says why", command.NOT_FOUND)
        await self._effect(result)
        return result

    def _context(self) -> Context:
        width, colour = (self._out.size()[0], self._colour and self._term != "dumb") if self._terminal else (None, False)
        return Context(width, self._local, by=self._record.person, colour=colour)

    async def _go_on(self, live: Live) -> int:
        """Do what goes on for a while, until it ends by itself or by Ctrl-C; its exit status."""
        task: asyncio.Task[int] | None = None
        self._lent = Lent(self._out, lambda: task.cancel() if task is not None else None)
        task = asyncio.ensure_future(live.run(self._lent))
        try:
            with self._idle.busy():
                await asyncio.wait({task})
        finally:
            self._lent = None
            if task.cancel():
                await asyncio.wait({task}, timeout=PARTING)  # it leaves the screen as it was
        if task.cancelled():
            return INTERRUPTED
        if task.exception() is not None:
            log.error("shell.command_failed", exc_info=task.exception())
            self._out.complain("the command failed; the log says why")
            return command.NOT_FOUND
        return task.result()

    async def _effect(self, result: Result) -> None:
        if isinstance(result.effect, command.Trace):
            await self._tracer.switch(result.effect, READABLE if self._terminal else 0)
        elif isinstance(result.effect, LogLevel):
            logs.set_level(result.effect.level)

    async def _line(self, text: str) -> None:
        await self._out.ready.wait()
        if self._terminal is not None and self._command is None:
            await self._terminal.show(text)
        else:
            self._out.lines(text)

    async def _page(self, pieces: list[str]) -> None:
        """The same a screen at a time, where it is longer than that."""
        if paged.fits(pieces, *self._out.size()):
            await self._out.pieces(pieces)
            return
        ended = asyncio.Event()
        self._lent = lent = Lent(self._out, ended.set)
        try:
            await paged.show(lent, pieces, ended)
        finally:
            self._lent = None

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
