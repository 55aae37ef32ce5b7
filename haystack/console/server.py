"""The shell: SSH with public keys only, on the sockets of ssh_listener.py.

login_limits.py decides who may begin a login, and ssh_connection.py serves who has.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import asyncssh
import structlog

from haystack.console import before_login, hostkey
from haystack.console.login_limits import Login
from haystack.console.ssh_connection import Door, Logins, plain
from haystack.console.ssh_listener import CONNECTIONS
from haystack.observe.counted_lines import Tally
from haystack.views.state import State

log = structlog.get_logger(__name__)

LOGIN_SECONDS = 10
# A client that does not read its farewell is cut off.
FAREWELL_SECONDS = 2
# A client that vanished without a word is noticed after three of these.
KEEPALIVE_SECONDS = 30
PAUSE = 1.0  # seconds before the next try, where a connection can't be accepted


class ConsoleServer:
    """The shell of `state` on these sockets. most: connections at once."""

    def __init__(self, state: State, sockets: Sequence[socket.socket], most: int = CONNECTIONS) -> None:
        self.state = state
        self.logins = Logins(state)
        self._turned_away = Tally("login.refused", __name__)
        self._most = most
        self._sockets = list(sockets)
        self._acceptors: list[asyncio.Task[None]] = []
        self._talks: set[asyncio.Task[None]] = set()
        self._options: asyncssh.SSHServerConnectionOptions

    async def start(self) -> None:
        """Let clients in."""
        settings = self.state.settings
        key = await asyncio.to_thread(hostkey.load, Path(str(settings.state_dir)))
        await self.logins.keyring.now()
        self._options = asyncssh.SSHServerConnectionOptions(
            server_host_keys=[key],
            kex_algs=before_login.KEY_EXCHANGES,
            server_version="Haystack",
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            gss_host=None,
            agent_forwarding=False,
            x11_forwarding=False,
            allow_scp=False,
            line_editor=False,
            encoding="utf-8",
            errors="replace",
            login_timeout=LOGIN_SECONDS,
            keepalive_interval=KEEPALIVE_SECONDS,
        )
        self._acceptors = [asyncio.create_task(self._accept(sock), name="shell") for sock in self._sockets]
        self._talks.add(asyncio.create_task(self.logins.keyring.follow(), name="keys"))

    async def _accept(self, listener: socket.socket) -> None:
        """Whoever connects. Who is turned away costs nothing but that: no key is exchanged."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, peer = await loop.sock_accept(listener)
            except OSError as error:
                log.warning("shell.unreachable", error=error.strerror or str(error))
                await asyncio.sleep(PAUSE)
                continue
            if (login := self._admitted(plain(peer), sock)) is None:
                self._turned_away.note(plain(peer))
                sock.close()
                continue
            task = asyncio.create_task(self._talk(sock, login))
            self._talks.add(task)
            task.add_done_callback(self._talks.discard)

    def _admitted(self, peer: str, sock: socket.socket) -> Login | None:
        if len(self.logins.doors) >= self._most:
            return None
        return self.logins.admission.begin(peer, time.monotonic(), functools.partial(_end, sock))

    async def _talk(self, sock: socket.socket, login: Login) -> None:
        """A connection until somebody is logged in, or has failed to; then it lives by itself."""
        doors = []

        def door() -> Door:
            doors.append(Door(self.logins, login))
            return doors[0]

        try:
            with contextlib.suppress(asyncssh.Error, OSError):
                await asyncssh.run_server(
                    sock, config=None, options=asyncssh.SSHServerConnectionOptions(self._options, server_factory=door)
                )
        finally:
            self.logins.admission.end(login, good=False)
            if not doors:  # else the connection has it
                sock.close()

    def leave(self) -> None:
        """Let nobody else in."""
        for acceptor in self._acceptors:
            acceptor.cancel()
        self._release()

    async def close(self) -> None:
        """Let nobody in and send everybody home."""
        self.leave()
        leaving = list(self.logins.doors)
        for door in leaving:
            door.leave("Haystack stops")
        if leaving:
            await asyncio.wait({asyncio.ensure_future(door.wait_closed()) for door in leaving}, timeout=FAREWELL_SECONDS)
        for door in leaving:
            door.abort()
        tasks = [*self._acceptors, *self._talks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._acceptors = []
        self.logins.close()
        self._turned_away.close()

    def _release(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets = []


def _end(sock: socket.socket) -> None:
    """End a connection whose socket a transport has: that closes it. To close it here would give its descriptor to others too soon."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
