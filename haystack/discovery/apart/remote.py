"""In the control process: the sources that the discovery process watches, and that process's life.

A discovery process that ends, or falls silent, is replaced, with growing pauses; what was listed stays meanwhile, and new lists are
compared with it. If none can be started any more, Haystack ends: a list that never changes again serves nobody. Never touches an engine.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from time import perf_counter
from typing import Protocol

import msgspec
import structlog
from msgspec.structs import replace

from haystack.discovery.apart.messages import HEAD, LONGEST, UP, Begin, Failed, Line, Part, Sources, Up, Withdrawn, packed
from haystack.discovery.provider import Sink
from haystack.loop.turns import TURN
from haystack.model.listed import Listed
from haystack.model.records import Container, Listing

START_SECONDS = 15.0  # for the process to say what it watches
LEAST_SECONDS = 0.001  # of 0, a socket would not wait at all
SHORTEST, LONGEST_PAUSE = 0.1, 10.0  # seconds before another one is started
LOOK = 1.0  # seconds between two looks at a process; they are counted, not seconds, as in proxy/heartbeat.py
SILENT = 30  # looks
MUTE = 3  # processes in a row that have said nothing at all
STEADY_SECONDS = 5.0  # one that lived for so long is no one that can't start
ENDED = "the discovery process has ended, and is started again"
ARGUMENTS = ("self", "level", "event", "method_name")  # of structlog's own
_log = structlog.get_logger()


class Launcher(Protocol):
    """Who starts discovery processes: startup/keeper.py."""

    def launch(self) -> socket.socket:
        """Start one: our end of its channel. Raises OSError."""


class NoDiscoveryError(Exception):
    """The discovery process does not start. str() is one line."""


class Remote:
    """A Provider: one source that is watched elsewhere."""

    def __init__(self, source: str, apart: Apart) -> None:
        self.source = source
        self._apart = apart

    @property
    def pid(self) -> int:
        """Of the process that watches; 0: there is none now."""
        return self._apart.pid

    async def run(self, sink: Sink) -> None:
        """Publish into sink until cancelled. Raises NoDiscoveryError."""
        await self._apart.listen(self.source, sink)


class Apart:
    """The discovery process, as the control process has it. channel: of the one that was started first; pid: of the newest."""

    def __init__(self, channel: socket.socket | None, launcher: Launcher) -> None:
        self.pid = 0
        self._channel = channel
        self._launcher = launcher
        self._sinks: dict[str, Sink] = {}
        self._known: dict[str, Listed] = {}
        self._newest: dict[str, Listing] = {}
        self._fresh: dict[str, set[str]] = {}  # of a process that is new: who is in its list, as far as it has come
        self._withdrawn: set[str] = set()
        self._reading: asyncio.Task[None] | None = None
        self._silent = 0  # looks since the process last said something
        self._heard = False  # it has said something
        self._mute = 0  # processes in a row that were waited for, and said nothing

    def sources(self) -> list[Remote]:
        """What the first process watches. Blocks until it has said so; raises NoDiscoveryError."""
        channel = self._channel = self._channel or self._launcher.launch()
        over = perf_counter() + START_SECONDS
        try:
            first = UP.decode(_received(channel, _size(_received(channel, HEAD, over)), over))
        except (OSError, ValueError) as error:  # the latter is msgspec's too, and of text that is none
            raise NoDiscoveryError(f"the discovery process does not start: {error}") from error
        finally:
            channel.settimeout(None)
        if not isinstance(first, Sources):
            raise NoDiscoveryError("the discovery process does not say what it watches")
        self.pid = first.pid
        return [Remote(name, self) for name in first.names]

    async def listen(self, source: str, sink: Sink) -> None:
        """Have this source's lists come to the sink until cancelled. Raises NoDiscoveryError: there is no process any more."""
        self._sinks[source] = sink
        if source in self._newest:  # it came while others were heard already
            sink.replace(source, self._newest[source])
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="discovery")
        try:
            await asyncio.shield(self._reading)
        finally:
            del self._sinks[source]
            if not self._sinks:
                self._reading.cancel()

    async def _read(self) -> None:
        """One process after the other. Raises NoDiscoveryError."""
        pause, loop = SHORTEST, asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                error = await self._session()
            except ConnectionError as gone:  # of the launcher
                raise NoDiscoveryError(f"engines can't be watched any more: the keeper has ended ({gone.strerror})") from gone
            pause = SHORTEST if loop.time() - began > STEADY_SECONDS else min(pause * 2, LONGEST_PAUSE)
            _log.error("discovery.ended", pid=self.pid or None, error=error, after=pause)
            self.pid = 0
            self._failed()
            if self._mute == MUTE:
                raise NoDiscoveryError(f"engines can't be watched any more: {MUTE} discovery processes in a row said nothing")
            await asyncio.sleep(pause)

    def _failed(self) -> None:
        for source, sink in tuple(self._sinks.items()):
            if source not in self._withdrawn:
                try:
                    sink.failed(source, ENDED)
                except Exception as error:  # noqa: BLE001 - as in _session
                    _log.error("task.failed", task="discovery", error=repr(error), exc_info=error)

    async def _session(self) -> str:
        """One process to its end; why it could not begin, or be heard any further, if so. Whatever that is, another one is started.

        Raises ConnectionError where the launcher has gone.
        """
        channel, self._channel = self._channel, None
        try:
            reader, writer = await asyncio.open_unix_connection(sock=channel or self._launcher.launch())
        except ConnectionError:
            raise
        except OSError as error:
            return error.strerror or str(error)
        self._silent, self._heard = 0, False
        watch = asyncio.create_task(self._watch(writer), name="discovery's silence")
        try:
            writer.write(packed(Begin()))
            why = await self._hear(reader)
        finally:
            watch.cancel()
            writer.close()
        self._mute = self._mute + 1 if watch.done() and not self._heard else 0
        return why or (f"it has said nothing for {SILENT * LOOK:.0f} s" if watch.done() else "")

    async def _hear(self, reader: asyncio.StreamReader) -> str:
        """All that it says; why it could not be heard any further, if so."""
        try:
            async for message in _messages(reader):
                self._silent, self._heard = 0, True
                self._take(message)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return f"it can't be understood: {error}"
        except Exception as error:  # noqa: BLE001 - nothing that is told may end discovery for good
            _log.error("task.failed", task="discovery", error=repr(error), exc_info=error)
            return f"what it said can't be taken in: {error!r}"
        return ""

    async def _watch(self, writer: asyncio.StreamWriter) -> None:
        """End the session of a process that is stopped, or hangs: the keeper ends it as the next one is started."""
        while self._silent < SILENT:
            await asyncio.sleep(LOOK)
            self._silent += 1
        writer.transport.abort()

    def _take(self, message: Up) -> None:
        match message:
            case Part():
                self._listed(message)
            case Failed():
                if message.source in self._sinks:
                    self._sinks[message.source].failed(message.source, message.error)
            case Withdrawn():
                self._forget(message.source)
            case Line():
                _write(message)
            case Sources():
                self.pid = message.pid
                self._fresh.clear()

    def _forget(self, source: str) -> None:
        """There is no such source, or none any more."""
        self._withdrawn.add(source)
        for known in (self._known, self._newest, self._fresh):
            known.pop(source, None)
        if source in self._sinks:
            self._sinks[source].withdraw(source)

    def _listed(self, part: Part) -> None:
        """Take in a portion; with the last one, tell the sink. Who has not changed stays the same object."""
        known = self._known.get(part.source, Listed())
        changes: dict[str, Container | None] = {c.id: c for c in part.changed if known.by_id.get(c.id) != c}
        changes |= {identity: None for identity in part.gone if identity in known.by_id}
        if part.whole:
            fresh = self._fresh.setdefault(part.source, set())
            fresh.update(c.id for c in part.changed)
            if part.listing is not None:
                changes |= {identity: None for identity in known.by_id if identity not in fresh}
                del self._fresh[part.source]
        known = self._known[part.source] = known.changed(changes)
        if part.listing is not None:
            self._withdrawn.discard(part.source)
            listing = self._newest[part.source] = replace(part.listing, containers=known)
            if sink := self._sinks.get(part.source):
                (sink.outdated if part.outdated else sink.replace)(part.source, listing)


async def _messages(reader: asyncio.StreamReader) -> AsyncIterator[Up]:
    """Each that comes, until the process has gone. Of many, others have their turn between them. Raises MsgspecError."""
    over = perf_counter() + TURN
    while True:
        if perf_counter() > over:
            await asyncio.sleep(0)
            over = perf_counter() + TURN
        try:
            body = await reader.readexactly(_size(await reader.readexactly(HEAD)))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        yield UP.decode(body)


def _write(line: Line) -> None:
    level = logging.getLevelNamesMapping().get(line.level.upper(), logging.INFO)
    fields = {f"{name}_" if name in ARGUMENTS else name: value for name, value in line.fields.items()}
    structlog.get_logger(line.logger).log(level, line.event, **fields)


def _size(head: bytes) -> int:
    """Of the message behind this. Raises MsgspecError."""
    size = int.from_bytes(head, "big")
    if size > LONGEST:
        raise msgspec.DecodeError("a message is too long")
    return size


def _received(sock: socket.socket, size: int, over: float) -> bytes:
    """So many bytes. over: when nobody waits any more, by perf_counter. Raises OSError."""
    data = b""
    while len(data) < size:
        sock.settimeout(max(over - perf_counter(), LEAST_SECONDS))
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionError("it has ended")
        if perf_counter() > over:
            raise TimeoutError("timed out")
        data += more
    return data
