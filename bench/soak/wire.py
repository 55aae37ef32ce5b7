"""HTTP/1.1 over asyncio's streams, as little as both ends of the soak need. Strict: what is odd raises."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from bench.soak.bodies import PIECE, Check

ROOM = 256 * 1024

Fields = dict[bytes, bytes]


async def head(reader: asyncio.StreamReader) -> tuple[bytes, Fields]:
    """The first line and the fields, names in lower case. Raises IncompleteReadError when the other end is gone."""
    lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
    pairs = (line.partition(b":") for line in lines[1:])
    return lines[0], {name.lower(): value.strip() for name, _, value in pairs}


async def body(reader: asyncio.StreamReader, fields: Fields, check: Check) -> None:
    """Read a body by its framing (RFC 9112, section 6.3) and compare it. Raises WrongBodyError, or ValueError for broken chunks."""
    if fields.get(b"transfer-encoding") == b"chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await counted(reader, size, check)
            if await reader.readexactly(2) != b"\r\n":
                raise ValueError("a chunk that does not end")
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
    else:
        await counted(reader, int(fields.get(b"content-length", b"0")), check)


async def counted(reader: asyncio.StreamReader, size: int, check: Check) -> None:
    """Read so many bytes and compare them. Raises IncompleteReadError, WrongBodyError."""
    while size:
        data = await reader.read(min(size, PIECE))
        if not data:
            raise asyncio.IncompleteReadError(b"", size)
        check.feed(data)
        size -= len(data)


def chunks(parts: Iterable[bytes], trailer: bytes = b"") -> Iterable[bytes]:
    """The parts as chunks, with the last one and the trailer (RFC 9112, section 7.1)."""
    for part in parts:
        yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n%b\r\n" % trailer
