"""Threads and processes in the network namespace of a container: what is asked there is asked as a neighbour of that container."""

from __future__ import annotations

import ctypes
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.fakes.client import Client, Response
from tests.fakes.load import Load

T = TypeVar("T")
NEWNET = 0x40000000  # CLONE_NEWNET, setns(2)
_libc = ctypes.CDLL(None, use_errno=True)


def enter(pid: int) -> None:
    """Have this thread, and no other, be in the network namespace of that process."""
    with Path(f"/proc/{pid}/ns/net").open("rb") as space:
        if _libc.setns(space.fileno(), NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def within(pid: int, ask: Callable[[], T]) -> T:
    """What `ask` answers there."""
    found: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            enter(pid)
            found.append(ask())
        except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def get(pid: int, host: str, path: str = "/", port: int = 80, timeout: float = 15.0) -> Response:
    """One request to that port there."""

    def ask() -> Response:
        client = Client(port, timeout=timeout)
        try:
            return client.get(host, path)
        finally:
            client.socket.close()

    return within(pid, ask)


def api(pid: int, path: str, port: int = 80) -> Any:
    """What Haystack's API says there."""
    return json.loads(get(pid, "127.0.0.1", path, port).body)


class LoadWithin(Load):
    """Clients there."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid = pid

    def _loop(self, number: int, kind: str, ask: Callable[[], str], close: Callable[[], None]) -> None:
        enter(self._pid)
        super()._loop(number, kind, ask, close)
