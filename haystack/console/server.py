"""The shell's door: SSH with public keys only, and nothing but sessions behind it.

No password, no forwarding, no agent, no file transfer: those stay refused, whatever a client asks for. Any user name
will do, for there is one thing to log in to.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import time
from pathlib import Path

import asyncssh
import structlog

from haystack.console import before_login, hostkey, keys
from haystack.console.login_limits import Admission, Login
from haystack.console.session import Session
from haystack.net.sockets import Sockets
from haystack.observe.counted_lines import Tally
from haystack.views.state import State

log = structlog.get_logger(__name__)

BACKLOG = 64
NAME = "ssh"
LOGIN_SECONDS = 10
# More clients at once than people there can be.
CONNECTIONS = 100
# A client that does not read its farewell is cut off.
FAREWELL_SECONDS = 2
# A client that vanished without a word is noticed after three of these.
KEEPALIVE_SECONDS = 30
PAUSE = 1.0  # seconds before the next try, where a connection can't be accepted


class Door(asyncssh.SSHServer):
    """One connection. It counts as a login that is under way until a key was right."""

    def __init__(self, server: ConsoleServer, login: Login) -> None:
        self._server, self._login = server, login
        self._named = self._good = False
        self._connection: asyncssh.SSHServerConnection

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """A client came."""
        self._connection = conn
        self._server.connections.add(conn)
        before_login.limit(conn)
        self._login.evict = conn.abort
        # its identification (RFC 4253, section 4.2), with which a client begins
        self._login.spoken = lambda: conn.get_extra_info("client_version") is not None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - theirs
        """It left."""
        self._server.connections.discard(self._connection)
        if not self._good:
            self._server.failed.note(self._peer())

    async def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - any name will do
        """Always asks for a key; the list is read anew, off the loop. Called for each other name (RFC 4252, section 5)."""
        if self._named:
            raise asyncssh.ProtocolError("the user's name has changed")
        self._named = True
        self._connection.set_authorized_keys(await self._server.known())
        return True

    def auth_completed(self) -> None:
        """The key was good."""
        self._good = True
        before_login.lift(self._connection)
        self._server.admission.end(self._login, good=True)
        log.info("login.accepted", peer=self._peer(), user=self._connection.get_extra_info("username"))

    def session_requested(self) -> Session:
        """A session of its own for each channel."""
        return Session(self._server.state, plain(self._connection.get_extra_info("sockname")))

    def _peer(self) -> str:
        return plain(self._connection.get_extra_info("peername"))


def plain(name: object) -> str:
    """The address of a socket's name; an IPv4 one that came by an IPv6 socket as itself."""
    return str(name[0]).removeprefix("::ffff:") if isinstance(name, tuple) and name else "127.0.0.1"


class ConsoleServer:
    """The shell of `state` on settings.ssh_port of each address of settings.bind. most: connections at once."""

    def __init__(self, state: State, most: int = CONNECTIONS) -> None:
        self.state = state
        self.admission = Admission()
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.failed = Tally("login.failed", __name__)
        self._turned_away = Tally("login.refused", __name__)
        self._most = most
        self._sockets: list[socket.socket] = []
        self._acceptors: list[asyncio.Task[None]] = []
        self._talks: set[asyncio.Task[None]] = set()
        self._refused: tuple[str, ...] = ()
        self._options: asyncssh.SSHServerConnectionOptions

    def bind(self, opened: Sockets | None = None) -> None:
        """Take the port, or the sockets that are handed over. Raises OSError where that cannot be."""
        opened = opened or Sockets()
        port = self.state.settings.ssh_port

        def one(address: str) -> socket.socket:
            nonlocal port
            made = opened.tcp(NAME, address, port, BACKLOG)
            # Port 0: the kernel chose; the other addresses get the same one.
            port = made.getsockname()[1]
            return made

        try:
            self._sockets = opened.on_each(self.state.settings.bind, one)
        except OSError:
            opened.close(NAME)
            raise

    @property
    def port(self) -> int:
        """The port bound to."""
        return int(self._sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Let clients in."""
        settings = self.state.settings
        key = await asyncio.to_thread(hostkey.load, Path(str(settings.state_dir)))
        if await self.known() is None:
            log.warning("shell.locked", reason="nobody can log in, because there is no public key", hint=keys.HOW)
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

    async def known(self) -> asyncssh.SSHAuthorizedKeys | None:
        """The keys that may enter now. Lines that let nobody in are told once, and again when they are others."""
        found = await asyncio.to_thread(keys.authorized, self.state.settings)
        if found.refused != self._refused:
            self._refused = found.refused
            for line in found.refused:
                log.warning("key.ignored", line=line, reason="the key can't be used")
        return found.keys

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
        if len(self.connections) >= self._most:
            return None
        return self.admission.begin(peer, time.monotonic(), functools.partial(_end, sock))

    async def _talk(self, sock: socket.socket, login: Login) -> None:
        """A connection until somebody is logged in, or has failed to; then it lives by itself."""
        doors = []

        def door() -> Door:
            doors.append(Door(self, login))
            return doors[0]

        try:
            with contextlib.suppress(asyncssh.Error, OSError):
                await asyncssh.run_server(
                    sock, config=None, options=asyncssh.SSHServerConnectionOptions(self._options, server_factory=door)
                )
        finally:
            self.admission.end(login, good=False)
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
        leaving = list(self.connections)
        for connection in leaving:
            connection.close()
        if leaving:
            await asyncio.wait({asyncio.ensure_future(connection.wait_closed()) for connection in leaving}, timeout=FAREWELL_SECONDS)
        for connection in leaving:
            connection.abort()
        tasks = [*self._acceptors, *self._talks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._acceptors = []
        self.failed.close()
        self._turned_away.close()

    def _release(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets = []


def _end(sock: socket.socket) -> None:
    """End a connection whose socket a transport has: that closes it. To close it here would give its descriptor to others too soon."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
