"""The discovery process: runs the providers that the settings ask for, and sends what they list up its channel.

Reads no request, opens no port. It ends when its channel does: the control process has gone then, or wants it gone. Started by
startup/keeper.py alone, which has it give up privileges before anything here is imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

from haystack.discovery import DiscoverySettings, providers
from haystack.discovery.apart.messages import HEAD, SETUP, Line, Sources, packed
from haystack.discovery.apart.outbox import Outbox, forward
from haystack.discovery.docker import provider as _ahead  # noqa: F401 - while the control process reads its settings
from haystack.discovery.provider import Provider

END_SECONDS = 6.0  # for threads that wait for an engine's answer


def main(channel: int, setup: bytes) -> None:
    """Serve until the channel ends. setup: a packed Setup; empty: it comes by the channel, first of all."""
    end = socket.socket(fileno=channel)
    found = setup or _frame(end)
    if found:
        gc.freeze()
        asyncio.run(_serve(end, SETUP.decode(found)))


def _frame(end: socket.socket) -> bytes:
    """What comes by the channel first; empty where it has ended instead. Blocks."""
    with end.makefile("rb", buffering=0) as reader:
        size = int.from_bytes(_exactly(reader.read, HEAD), "big")
        return _exactly(reader.read, size)


def _exactly(read: Callable[[int], bytes | None], size: int) -> bytes:
    data = b""
    while len(data) < size and (more := read(size - len(data))):
        data += more
    return data if len(data) == size else b""


async def _serve(end: socket.socket, setup: object) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=end)
    outbox, loop = Outbox(writer), asyncio.get_running_loop()

    def write(line: Line) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(outbox.write, line)

    forward(write)
    sources = providers(cast("DiscoverySettings", SimpleNamespace(**setup.values)))  # type: ignore[attr-defined]
    writer.write(packed(Sources(tuple(each.source for each in sources), os.getpid())))
    await _until_end(reader, outbox, sources)


async def _until_end(reader: asyncio.StreamReader, outbox: Outbox, sources: list[Provider]) -> None:
    """Run all, once that is wanted, until the channel ends, or one of them does, which is a fault: another process is started then."""
    with contextlib.suppress(ConnectionError):  # whoever started it has gone, and left unread what it was sent
        if not await reader.read(HEAD):  # of a Begin, the only message that comes
            return
        await _run(reader, outbox, sources)


async def _run(reader: asyncio.StreamReader, outbox: Outbox, sources: list[Provider]) -> None:
    work = (reader.read(), outbox.run(), outbox.beat(), *(source.run(outbox) for source in sources))
    tasks = [asyncio.ensure_future(each) for each in work]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=END_SECONDS)
    for task in done:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            task.result()
