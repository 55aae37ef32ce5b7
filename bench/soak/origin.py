"""The origins of the soak: `python -m bench.soak.origin PORT …` does what each request's target orders, and checks what it is sent.

A request body that is not what its seed says is answered with 422 and the reason: the client counts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterable

import uvloop

from bench.soak import wire
from bench.soak.bodies import Check, Order, WrongBodyError, pieces


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, until its end or an order to close it."""
    # a client that aborts is half of the work here
    with contextlib.suppress(asyncio.IncompleteReadError, OSError):
        while await exchange(reader, writer):
            pass
    writer.close()


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """One request and its answer; whether the connection stays."""
    line, fields = await wire.head(reader)
    method, target, _ = line.split(b" ")
    order = Order.read(target.decode())
    if fields.get(b"expect", b"").lower() == b"100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        check = Check(order.seed)
        await wire.body(reader, fields, check)
        check.end(order.up)
    except (WrongBodyError, ValueError) as error:
        text = str(error).encode()
        writer.write(b"HTTP/1.1 422 Wrong Body\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))
        return False
    for part in answer(order, method):
        writer.write(part)
        await writer.drain()
    return not set("xq") & set(order.manner)


def answer(order: Order, method: bytes) -> Iterable[bytes]:
    """The pieces of the response."""
    chunked = "c" in order.manner
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % order.down
    closing = b"\r\nConnection: close" if "x" in order.manner else b""
    if "i" in order.manner:
        yield b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n%b%b\r\n\r\n" % (framing, closing)
    if method != b"HEAD":
        parts = pieces(order.answer_seed, order.down, 16_000)
        yield from wire.chunks(parts, b"X-Sum: of-no-use\r\n" if "t" in order.manner else b"") if chunked else parts


async def main(ports: list[int]) -> None:
    """Listen on every port of 127.0.0.1 until ended."""
    servers = [await asyncio.start_server(serve, "127.0.0.1", port, limit=wire.ROOM, backlog=1024) for port in ports]
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    uvloop.run(main([int(word) for word in sys.argv[1:]]))
