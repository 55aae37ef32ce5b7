"""The way to an engine on another host over SSH: a socket here that leads to the engine's own there.

A thread and a loop of its own, for Docker's client blocks, and lists may be long. Keys, agent, known_hosts and config are those of the user
that Haystack runs as (~/.ssh), as for the `ssh` command; nobody is asked for anything, and no unknown host is trusted. Nothing but sshd and
the socket is needed there.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import asyncssh

from haystack.discovery.docker.tls import TunnelError

SOCKET = "/var/run/docker.sock"
PORT = 22
PATIENCE = 15.0  # seconds for a connection to be made
REVOKED = ("Host key is revoked", "Host CA key is revoked")  # asyncssh's words, the only sign of it
LOCKED = "Passphrase"  # as above
ALIVE, MISSED = 5.0, 2  # seconds of silence after which the other side is asked, and how often in vain


class Untrusted(asyncssh.SSHClient):
    """Trusts no host key that known_hosts has not, and notes which one that was.

    fingerprint: of the key that the host has shown, where it is not trusted; host, port: where that is, ~/.ssh/config having been read;
    another: what known_hosts calls it with another key, if it does; revoked: known_hosts has the key as one that nobody may trust.
    """

    def __init__(self) -> None:
        self.fingerprint = self.host = self.another = ""
        self.port = PORT
        self.revoked = False

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Asked of a key that is not in known_hosts."""
        self.fingerprint, self.host, self.port = key.get_fingerprint(), host, port
        known = Path("~/.ssh/known_hosts").expanduser()
        if known.is_file():
            there = asyncssh.read_known_hosts(str(known))
            found = {name: there.match(name, "", None) for name in (entry_name(each, port) for each in (host, addr) if each)}
            self.another = next((name for name, (keys, *_) in found.items() if keys), "")
            self.revoked = any(key in revoked for _, _, revoked, *_ in found.values())
        return False


def entry_name(host: str, port: int) -> str:
    """What known_hosts calls a host. asyncssh also takes the key of port 22 for that of a port without an entry."""
    return host if port == PORT else f"[{host}]:{port}"


class Tunnel:
    """url: as in DOCKER_HOST. A context manager: while it lasts, `path` leads there, and `peer` is the other host's address."""

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._user = parts.hostname or "", parts.port, parts.username
        self._socket = parts.path if len(parts.path) > 1 else SOCKET
        self._patience = patience
        self._untrusted = Untrusted()
        self._folder = Path()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._opened: Future[str] = Future()
        self._thread = threading.Thread(target=self._run, name="haystack-ssh", daemon=True)
        self.path = ""
        self.peer = ""

    def __enter__(self) -> Self:
        """Raises TunnelError, with nothing left behind."""
        self._folder = Path(tempfile.mkdtemp(prefix="haystack-ssh-"))  # made with mode 0700
        self.path = str(self._folder / "engine.sock")
        self._thread.start()
        try:
            self.peer = self._opened.result(2 * self._patience)
        except (TimeoutError, asyncssh.Error, OSError, ValueError) as error:
            self.close()
            raise TunnelError(self._told(error)) from error
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self) -> None:
        """The thread's life."""
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - whoever waits is told; who has the socket sees it end
            if not self._opened.done():
                self._opened.set_exception(error)

    async def _serve(self) -> None:
        """Connect, and lead there until told to stop, or until the connection ends."""
        self._loop = asyncio.get_running_loop()
        given = {"port": self._port, "username": self._user}
        named = {name: value for name, value in given.items() if value}
        waits = {
            "connect_timeout": self._patience,
            "login_timeout": self._patience,
            "keepalive_interval": ALIVE,
            "keepalive_count_max": MISSED,
        }
        async with asyncssh.connect(self._host, client_factory=lambda: self._untrusted, **named, **waits) as connection:
            _, probe = await connection.open_unix_connection(self._socket)  # whether that is allowed, and there
            probe.close()
            await connection.forward_local_path(self.path, self._socket)
            peer = connection.get_extra_info("peername")
            self._opened.set_result(str(peer[0]) if peer else "")
            ends = [asyncio.create_task(each) for each in (self._stop.wait(), connection.wait_closed())]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            ends[0].cancel()

    def _told(self, error: BaseException) -> str:
        """One line."""
        host, where = self._host, f"{self._user}@{self._host}" if self._user else self._host
        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            return f"ssh: {self._key_told(error)}"
        if isinstance(error, asyncssh.PermissionDenied):
            return f"ssh: {where} accepts no key of this user: {_key_wanted()}"
        if isinstance(error, asyncssh.ChannelOpenError):
            hint = "may this user use Docker there, and does sshd allow stream local forwarding?"
            return f"ssh: {where} does not open {self._socket}: {error.reason}; {hint}"
        if isinstance(error, TimeoutError):
            return f"ssh: {host} does not answer in time"
        if isinstance(error, OSError) and error.strerror:
            return f"ssh: {host}: {error.strerror.lower()}"
        return f"ssh: {host}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"

    def _key_told(self, error: asyncssh.HostKeyNotVerifiable) -> str:
        """What a host key that is not trusted may mean, and what to type once it is known to be the host's."""
        host, shown = self._host, self._untrusted
        if shown.revoked or error.reason.startswith(REVOKED):
            return f"the host key of {host} is revoked in known_hosts: whoever shows it is not trusted, and the host needs a new one"
        if not (key := shown.fingerprint):  # refused without asking Untrusted: a certificate that has expired, for one
            return f"{host}: {error.reason}"
        scan = f"ssh-keyscan {'' if shown.port == PORT else f'-p {shown.port} '}{shown.host} >> ~/.ssh/known_hosts"
        if not shown.another:
            return f"the host key of {host} is not in known_hosts: check its fingerprint {key}, then type `{scan}`"
        forget = f"ssh-keygen -R '{shown.another}'"
        may = "somebody may be between, or it was set up anew"
        return f"{host} shows another host key ({key}) than known_hosts has: {may}: check it there, then type `{forget}` and `{scan}`"


def _key_wanted() -> str:
    """What to do where no key is accepted. asyncssh leaves out those that have a passphrase, without a word."""
    for path in sorted(Path("~/.ssh").expanduser().glob("id_*")):
        try:
            asyncssh.read_private_key(str(path))
        except asyncssh.KeyImportError as error:
            if str(error).startswith(LOCKED):
                return (
                    f"~/.ssh/{path.name} has a passphrase, and nobody is asked for it: use a key without one, or an agent (SSH_AUTH_SOCK)"
                )
        except (OSError, ValueError):  # none that could be used anyway
            continue
    return "put one of its authorized_keys into ~/.ssh, readable for this user alone"
