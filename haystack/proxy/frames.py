"""Frames as they come over a socket, each put together where it stays: a tick of the access log is hundreds of kilobytes, and a copy less.

A frame is four bytes of length, big endian, and so many bytes. Small ones come many at a time; the rest of one that is not whole yet is
read into memory of its own. A large one has that piece by piece: whoever only says that much will come costs one piece. Never looks into a
frame, never writes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

HEADER = 4
ROOM = 64 * 1024  # bytes that are read at a time, where the beginning of a frame is expected
PIECE = 1024 * 1024  # bytes of memory that a frame has at a time; the pieces of a larger one are put together at its end
KEPT = 256 * 1024  # bytes of whole frames beyond which no more is read until they are taken


class Frames(asyncio.BufferedProtocol):
    """One end of a connection. most: bytes of a frame; a larger one ends the connection, as if the peer were gone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._room = bytearray(ROOM)
        self._begun = 0  # bytes in there that belong to no frame yet
        self._piece: bytearray | None = None  # of a frame that has a place of its own, and so many bytes of it:
        self._filled = 0
        self._before: list[bytearray] = []  # pieces of the same frame, whole ones
        self._left = 0  # bytes of it that come behind this piece
        self._whole: deque[bytes | bytearray] = deque()
        self._bytes = 0
        self._paused = self._over = False
        self._news = asyncio.Event()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self.transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        del sizehint
        return memoryview(self._room)[self._begun :] if self._piece is None else memoryview(self._piece)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """So many have come."""
        if self._piece is None:
            self._begun += nbytes
            self._split()
        else:
            self._filled += nbytes
            if self._filled == len(self._piece):
                self._go_on(self._piece)
        if self._bytes > KEPT and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def _split(self) -> None:
        """Take apart what has come; the beginning of another frame stays, or goes to a place of its own."""
        at, end, room = 0, self._begun, memoryview(self._room)
        while end - at >= HEADER:
            size = int.from_bytes(room[at : at + HEADER], "big")
            if size > self._most:
                self._end()
                return
            if end - at - HEADER < size:
                break
            self._add(bytes(room[at + HEADER : at + HEADER + size]))
            at += HEADER + size
        if end - at < HEADER:
            self._room[: end - at] = room[at:end]
            self._begun = end - at
            return
        self._left = size
        self._piece, self._filled, self._begun = self._place(), end - at - HEADER, 0
        self._piece[: self._filled] = room[at + HEADER : end]

    def _place(self) -> bytearray:
        """For the next bytes of the frame that is not whole yet."""
        place = bytearray(min(self._left, PIECE))
        self._left -= len(place)
        return place

    def _go_on(self, piece: bytearray) -> None:
        """This piece of a frame is full: another one, or it was the last one."""
        if self._left:
            self._before.append(piece)
            self._piece, self._filled = self._place(), 0
            return
        self._add(b"".join((*self._before, piece)) if self._before else piece)
        self._piece, self._before = None, []

    def _add(self, frame: bytes | bytearray) -> None:
        self._whole.append(frame)
        self._bytes += len(frame)
        self._news.set()

    def _end(self) -> None:
        self._over = True
        self._news.set()
        self.transport.abort()

    def eof_received(self) -> None:
        """Nothing more comes: the transport closes itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer is gone, or this end was closed."""
        del exc
        self._over = True
        self._news.set()

    async def next(self) -> bytes | bytearray | None:
        """The oldest frame; None: the peer is gone, and all that it sent whole was taken."""
        while not self._whole:
            if self._over:
                return None
            self._news.clear()
            await self._news.wait()
        frame = self._whole.popleft()
        self._bytes -= len(frame)
        if self._paused and self._bytes <= KEPT and not self._over:
            self._paused = False
            self.transport.resume_reading()
        return frame
