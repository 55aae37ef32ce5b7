"""OpenSSH's client against a real server of the shell, on a port of the kernel's choice; and a person at a terminal."""

import asyncio
import contextlib
import os
import pty
import re
import shutil

import asyncssh
import pytest
import structlog

from haystack.console import ssh_listener
from haystack.console.server import ConsoleServer
from haystack.net.sockets import Sockets
from tests.fakes.events import unwritten
from tests.fakes.state import state

NEEDS_SSH = pytest.mark.skipif(shutil.which("ssh") is None, reason="OpenSSH's client is not installed")
PATIENCE = 15


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for name in ("good", "wrong"):
        key = asyncssh.generate_private_key("ssh-ed25519", comment=f"{name} key")
        key.write_private_key(folder / name)
        (folder / name).chmod(0o600)
        key.write_public_key(folder / f"{name}.pub")
    return folder


def serving(of):
    """The shell on a port of its own, as a client needs no other."""
    sockets = ssh_listener.bound(of, Sockets())
    server = ConsoleServer(of, sockets)
    server.port = sockets[0].getsockname()[1]
    return server


@pytest.fixture
async def shell(keys, tmp_path):
    file = tmp_path / "authorized_keys"
    file.write_text((keys / "good.pub").read_text())
    server = serving(state(tmp_path / "state", ssh_authorized_keys_file=file))
    await server.start()
    server.keys, server.file = keys, file
    yield server
    await server.close()


def client(shell, *words, key="good", options=()):
    return [
        "ssh", "-F", "none", "-p", str(shell.port), "-i", str(shell.keys / key), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
        "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes",
        *options, "anyone@127.0.0.1", *words,
    ]  # fmt: skip


async def started(shell, *words, stdin=asyncio.subprocess.DEVNULL, **more):
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*client(shell, *words, **more), stdin=stdin, stdout=pipe, stderr=pipe)


async def ssh(shell, *words, typed=None, **more):
    process = await started(shell, *words, stdin=asyncio.subprocess.PIPE if typed is not None else asyncio.subprocess.DEVNULL, **more)
    out, err = await asyncio.wait_for(process.communicate(typed), PATIENCE)
    return process.returncode, out.decode(), err.decode()


def public(shell, key="good"):
    """The line of this key in a file of keys."""
    return (shell.keys / f"{key}.pub").read_text().strip()


def fingerprint(shell, key="good"):
    return asyncssh.read_public_key(shell.keys / f"{key}.pub").get_fingerprint()


class Person:
    """Sits at a terminal of the kernel's with ssh in it."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.seen = ""
        self._more = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def _read(self):
        try:
            data = os.read(self.descriptor, 65536)
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self.descriptor)
        self.seen += data.decode("utf-8", "replace")
        self._more.set()

    def type(self, text):
        os.write(self.descriptor, text.encode())

    async def sees(self, pattern):
        """Wait until the screen's text has it, then forget what came before."""
        async with asyncio.timeout(PATIENCE):
            while not (found := re.search(pattern, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.seen), re.DOTALL)):
                self._more.clear()
                await self._more.wait()
        self.seen = ""
        return found


@contextlib.asynccontextmanager
async def at_terminal(shell, *words, term="xterm", **more):
    """A person whose client runs: with these words, or for a conversation."""
    outer, inner = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *client(shell, *words, **{**more, "options": ("-tt", *more.get("options", ()))}),
        stdin=inner,
        stdout=inner,
        stderr=inner,
        env={**os.environ, "TERM": term},
        start_new_session=True,
    )
    os.close(inner)
    sitting = Person(outer)
    sitting.process = process
    try:
        yield sitting
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        asyncio.get_running_loop().remove_reader(outer)
        os.close(outer)


@pytest.fixture
async def person(shell):
    async with at_terminal(shell) as sitting:
        await sitting.sees("haystack>")
        yield sitting


class Log:
    """The lines of the log while a test runs."""

    def __init__(self):
        self.lines = []
        self._more = asyncio.Event()

    def note(self, _logger, method, line):
        self.lines.append({**line, "level": {"exception": "error"}.get(method, method)})
        asyncio.get_running_loop().call_soon(self._more.set)
        raise structlog.DropEvent

    async def has(self, event, **fields):
        """Wait for a line with these fields, and forget it and those before it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for at, line in enumerate(self.lines):
                    if line["event"] == event and fields.items() <= line.items():
                        assert not unwritten(line)
                        del self.lines[: at + 1]
                        return line
                self._more.clear()
                await self._more.wait()


@pytest.fixture
async def log():
    kept = structlog.get_config()["processors"]
    made = Log()
    structlog.configure(processors=[made.note])
    yield made
    structlog.configure(processors=kept)
