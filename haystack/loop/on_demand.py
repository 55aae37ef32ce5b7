"""Loads modules when they are needed first, in a thread: importing a large library blocks the loop for a tenth of a second and more."""

from __future__ import annotations

import asyncio
import importlib
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

PAUSE = 1.0  # seconds until the next try, where one has failed
_loaded: dict[str, Any] = {}
log = structlog.get_logger(__name__)


async def module(name: str) -> Any:
    """The module of this name, which another thread imports where it is not loaded yet. Raises what the import raises."""
    if name not in _loaded:
        _loaded[name] = await asyncio.to_thread(importlib.import_module, name)
    return _loaded[name]


async def served(sockets: Sequence[socket.socket], begin: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
    """Begin once somebody connects to one of these sockets; where that fails, for want of descriptors perhaps, try again for the next."""
    while True:
        await client(sockets)
        try:
            await begin()
        except Exception as error:
            log.exception("task.failed", task=name, error=repr(error))
            await asyncio.sleep(PAUSE)
        else:
            return


async def client(sockets: Sequence[socket.socket]) -> None:
    """Wait until somebody connects to one of these sockets, which listen. Accepts nobody: the kernel keeps them meanwhile."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not came.done():
            came.set_result(None)

    for each in sockets:
        loop.add_reader(each, tell)
    try:
        await came
    finally:
        for each in sockets:
            loop.remove_reader(each)
