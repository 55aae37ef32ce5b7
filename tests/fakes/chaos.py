"""A TCP proxy that breaks connectivity on command: cut, stall, or slow down, between any two parties of a test.

The idea is asyncpg's: the parties under test stay untouched, only the wire between them misbehaves.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self

from tests.fakes.origin import Loop

STEP = 0.01


class Chaos:
    """Listens on a free port and forwards to `target`. limit: bytes a second one way (None: no limit)."""

    def __init__(self, loop: Loop, target: tuple[str, int]) -> None:
        self.loop = loop
        self.target = target
        self.port = 0
        self.limit: int | None = None
        self.connections = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    def start(self) -> Self:
        self.loop.run(self._listen())
        return self

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Refuse new connections and cut the open ones."""
        self.loop.run(self._stop())

    async def _stop(self) -> None:
        if self._server:
            self._server.close()
        await self._cut()

    def cut(self) -> None:
        """Cut every open connection; new ones are welcome."""
        self.loop.run(self._cut())

    async def _cut(self) -> None:
        for writer in tuple(self._writers):
            writer.transport.abort()

    def stall(self) -> None:
        """Deliver nothing until resume()."""
        self.loop.loop.call_soon_threadsafe(self._flowing.clear)

    def resume(self) -> None:
        self.loop.loop.call_soon_threadsafe(self._flowing.set)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            up_reader, up_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, up_writer}
        try:
            await asyncio.gather(self._pump(reader, up_writer), self._pump(up_reader, writer))
        finally:
            self._writers -= {writer, up_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await self._read(reader):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        if self.limit is None:
            return await reader.read(65536)
        await asyncio.sleep(STEP)
        return await reader.read(max(1, int(self.limit * STEP)))
