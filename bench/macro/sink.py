"""The origin of uploads: takes each body whole, then answers 200. `python -m bench.macro.sink PORT`.

nginx would answer before it has read the body, or write it to a file: either is another benchmark. Bodies by Content-Length alone.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import cast

import uvloop

ROOM = 256 * 1024
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 66\r\n\r\n%b"


class Sink(asyncio.BufferedProtocol):
    """One connection. No pipelining: a proxy that pools does not."""

    def __init__(self, answer: bytes) -> None:
        self._room = bytearray(ROOM)
        self._view = memoryview(self._room)
        self._answer = answer
        self._head = b""
        self._left = 0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """The one buffer: what was in it has been counted."""
        del sizehint
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Count what came, and answer at the body's end."""
        if self._left:
            self._take(nbytes)
            return
        self._head += self._view[:nbytes]
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if end:
            self._head = b""
            self._begin(head + b"\r\n", len(rest))

    def _begin(self, head: bytes, came: int) -> None:
        length = LENGTH.search(head)
        if CHUNKED.search(head):
            self._transport.abort()
        self._left = int(length[1]) if length else 0
        self._take(came)

    def _take(self, count: int) -> None:
        self._left -= count
        if self._left <= 0:
            self._left = 0
            self._transport.write(self._answer)


async def main(port: int, body: bytes) -> None:
    """Listen on 127.0.0.1 until ended."""
    server = await asyncio.get_running_loop().create_server(lambda: Sink(ANSWER % body), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2].encode()))
