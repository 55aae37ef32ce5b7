"""One life of a worker, without a process: what becomes of a connection whose other end says what no worker says."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from haystack.proxy import ipc
from haystack.proxy.worker_life import Lives
from haystack.proxy.worker_slot import Slot


class FakeProcess:
    """A process in name only, which ends when its connection does. sock: the end of the control process."""

    def __init__(self) -> None:
        self.sock, self.theirs = socket.socketpair()
        self.theirs.setblocking(False)
        self.process = SimpleNamespace(pid=1, poll=lambda: 0)

    def lend(self, sockets: object) -> None:
        """It has none."""

    async def ended(self) -> None:
        while await asyncio.get_running_loop().sock_recv(self.theirs, 1):
            pass

    async def end(self) -> None:
        self.theirs.close()


@pytest.mark.parametrize(("size", "heard"), [(ipc.MAX_UP, 1), (ipc.MAX_UP + 1, 0)])
async def test_no_worker_says_more_at_once_than_any_has_to_say(size: int, heard: int) -> None:
    """Such a one may be somebody else by now: it has no more of this process's memory for that."""
    process, told, stopping = FakeProcess(), list[Any](), asyncio.Event()

    async def take() -> FakeProcess:
        return process

    def hear(_slot: Slot, channel: ipc.Channel, message: ipc.Any) -> None:
        told.append(message)
        channel.close()

    lives = Lives(
        SimpleNamespace(take=take),  # type: ignore[arg-type]
        stopping,
        greet=lambda _slot, _channel: stopping.set(),
        take=hear,
        gone=lambda _slot: None,
        died=lambda _slot: None,
    )
    body = _lines(size)
    async with asyncio.timeout(20):
        life = asyncio.create_task(lives.keep(Slot(0, [])))
        try:
            await asyncio.get_running_loop().sock_sendall(process.theirs, len(body).to_bytes(4, "big") + body)
        except ConnectionError:
            assert not heard
        await life
    assert len(told) == heard


def _lines(size: int) -> bytes:
    """A message of so many bytes."""
    encoded = msgspec.msgpack.encode
    around = len(encoded(ipc.Lines(memoryview(bytes(size - 1000)), 1, 0))) - (size - 1000)
    return encoded(ipc.Lines(memoryview(bytes(size - around)), 1, 0))
