"""The shell's door: SSH with public keys only, and nothing but sessions behind it.

No password, no forwarding, no agent, no file transfer: those stay refused, whatever a client asks for. Any user name
will do, for there is one thing to log in to.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import asyncssh
import structlog

from haystack.console import hostkey, keys
from haystack.console.session import Session
from haystack.listening import Sockets
from haystack.state import State

log = structlog.get_logger(__name__)

BACKLOG = 64
NAME = "ssh"
LOGIN_SECONDS = 30
# More clients at once than people there can be: the rest are turned away before they cost a key exchange.
CONNECTIONS = 100
# A client that does not read its farewell is cut off.
FAREWELL_SECONDS = 2
# A client that vanished without a word is noticed after three of these.
KEEPALIVE_SECONDS = 30


class Door(asyncssh.SSHServer):
    """One connection. connections: the open ones, so that closing the server ends them."""

    def __init__(self, state: State, connections: set[asyncssh.SSHServerConnection]) -> None:
        self._state, self._connections = state, connections
        self._connection: asyncssh.SSHServerConnection

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """A client came."""
        self._connection = conn
        if len(self._connections) >= CONNECTIONS:
            log.warning("too many connections to the shell; one is turned away", peer=self._peer())
            conn.abort()
            return
        self._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - theirs
        """It left."""
        self._connections.discard(self._connection)

    async def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - any name will do
        """Always asks for a key; the list is read anew, off the loop."""
        known = await asyncio.to_thread(keys.authorized, self._state.settings)
        if known is None:
            log.warning("a login to the shell is refused, for there is no public key", peer=self._peer(), how=keys.HOW)
        self._connection.set_authorized_keys(known)
        return True

    def auth_completed(self) -> None:
        """The key was good."""
        log.info("shell login", peer=self._peer(), user=self._connection.get_extra_info("username"))

    def session_requested(self) -> Session:
        """A session of its own for each channel."""
        return Session(self._state, plain(self._connection.get_extra_info("sockname")))

    def _peer(self) -> str:
        return plain(self._connection.get_extra_info("peername"))


def plain(name: object) -> str:
    """The address of a socket's name; an IPv4 one that came by an IPv6 socket as itself."""
    return str(name[0]).removeprefix("::ffff:") if isinstance(name, tuple) and name else "127.0.0.1"


class ConsoleServer:
    """The shell of `state` on settings.ssh_port of each address of settings.bind."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._sockets: list[socket.socket] = []
        self._acceptors: list[asyncssh.SSHAcceptor] = []
        self._connections: set[asyncssh.SSHServerConnection] = set()

    def bind(self, opened: Sockets | None = None) -> None:
        """Take the port, or the sockets that are handed over. Raises OSError where that cannot be."""
        opened = opened or Sockets()
        port = self._state.settings.ssh_port

        def one(address: str) -> socket.socket:
            nonlocal port
            made = opened.tcp(NAME, address, port, BACKLOG)
            # Port 0: the kernel chose; the other addresses get the same one.
            port = made.getsockname()[1]
            return made

        try:
            self._sockets = opened.on_each(self._state.settings.bind, one)
        except OSError:
            opened.close(NAME)
            raise

    @property
    def port(self) -> int:
        """The port bound to."""
        return int(self._sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Let clients in."""
        settings = self._state.settings
        key = await asyncio.to_thread(hostkey.load, Path(str(settings.state_dir)))
        if await asyncio.to_thread(keys.authorized, settings) is None:
            log.warning("nobody can log in to the shell, for there is no public key", how=keys.HOW)
        self._acceptors = [await self._accept(sock, key) for sock in self._sockets]

    async def _accept(self, sock: socket.socket, key: asyncssh.SSHKey) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            sock=sock,
            server_factory=lambda: Door(self._state, self._connections),
            server_host_keys=[key],
            server_version="Haystack",
            config=None,
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

    def leave(self) -> None:
        """Let nobody else in."""
        for acceptor in self._acceptors:
            acceptor.close()

    async def close(self) -> None:
        """Let nobody in and send everybody home."""
        self.leave()
        leaving = list(self._connections)
        for connection in leaving:
            connection.close()
        if leaving:
            await asyncio.wait({asyncio.ensure_future(connection.wait_closed()) for connection in leaving}, timeout=FAREWELL_SECONDS)
        for connection in leaving:
            connection.abort()
        for acceptor in self._acceptors:
            await acceptor.wait_closed()
        self._acceptors = []
        self._release()

    def _release(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets = []
