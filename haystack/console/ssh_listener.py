"""The shell's port: taken at the start, while the shell itself is loaded when it is needed.

Where no key is configured, nobody can log in, and what speaks SSH, which is large and takes a while to import, waits for the first client.
server.py lets clients in.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import structlog

from haystack.loop import on_demand
from haystack.net.sockets import Sockets
from haystack.views.state import State

if TYPE_CHECKING:
    from haystack.console.server import ConsoleServer

log = structlog.get_logger(__name__)
BACKLOG = 64
NAME = "ssh"
CONNECTIONS = 100  # more clients at once than people there can be
HOW = "set HAYSTACK_SSH_AUTHORIZED_KEYS to the text of a public key, or HAYSTACK_SSH_AUTHORIZED_KEYS_FILE to a file of them"


class SshListener:
    """The shell of `state` on settings.ssh_port of each address of settings.bind. most: connections at once."""

    def __init__(self, state: State, most: int = CONNECTIONS) -> None:
        self._state, self._most = state, most
        self._sockets: list[socket.socket] = []
        self._server: ConsoleServer | None = None
        self._opening: asyncio.Task[None] | None = None

    def bind(self, opened: Sockets | None = None) -> None:
        """Take the port, or the sockets that are handed over. Raises OSError where that cannot be."""
        self._sockets = bound(self._state, opened or Sockets())

    @property
    def port(self) -> int:
        """The port bound to."""
        return int(self._sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Let clients in: with keys now, without any from the first client on."""
        settings = self._state.settings
        if settings.ssh_authorized_keys or settings.ssh_authorized_keys_file:
            await self._open()
        if self._server is None or not self._server.logins.keyring.ring.rules:
            log.warning("shell.locked", reason="nobody can log in, because there is no public key", hint=HOW)
        if self._server is None:
            self._opening = asyncio.create_task(on_demand.served(self._sockets, self._open, "shell"), name="shell")

    async def _open(self) -> None:
        shell: Any = await on_demand.module("haystack.console.server")
        self._server = shell.ConsoleServer(self._state, self._sockets, self._most)
        await self._server.start()

    def leave(self) -> None:
        """Let nobody else in."""
        if self._opening is not None:
            self._opening.cancel()
        if self._server is not None:
            self._server.leave()
        for sock in self._sockets:
            sock.close()
        self._sockets = []

    async def close(self) -> None:
        """Let nobody in and send everybody home."""
        self.leave()
        if self._opening is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._opening
        if self._server is not None:
            await self._server.close()


def bound(state: State, opened: Sockets) -> list[socket.socket]:
    """The port's sockets, one an address. Raises OSError, with nothing left open."""
    port = state.settings.ssh_port

    def one(address: str) -> socket.socket:
        nonlocal port
        made = opened.tcp(NAME, address, port, BACKLOG)
        port = made.getsockname()[1]  # port 0: the kernel chose; the other addresses get the same one
        return made

    try:
        return opened.on_each(state.settings.bind, one)
    except OSError:
        opened.close(NAME)
        raise
