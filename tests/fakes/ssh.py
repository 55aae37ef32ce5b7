"""OpenSSH's client against a real server of the shell, on a port of the kernel's choice; and a person at a terminal."""

import asyncio
import os
import pty
import re
import shutil

import asyncssh
import pytest

from haystack.console.server import ConsoleServer
from tests.fakes.state import state

NEEDS_SSH = pytest.mark.skipif(shutil.which("ssh") is None, reason="OpenSSH's client is not installed")
PATIENCE = 15


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for name in ("good", "wrong"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(folder / name)
        (folder / name).chmod(0o600)
        key.write_public_key(folder / f"{name}.pub")
    return folder


@pytest.fixture
async def shell(keys, tmp_path):
    file = tmp_path / "authorized_keys"
    file.write_text((keys / "good.pub").read_text())
    server = ConsoleServer(state(tmp_path / "state", ssh_authorized_keys_file=file))
    server.bind()
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


@pytest.fixture
async def person(shell):
    outer, inner = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *client(shell, options=("-tt",)),
        stdin=inner,
        stdout=inner,
        stderr=inner,
        env={**os.environ, "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(inner)
    sitting = Person(outer)
    sitting.process = process
    await sitting.sees("haystack>")
    yield sitting
    if process.returncode is None:
        process.terminate()
        await process.wait()
    asyncio.get_running_loop().remove_reader(outer)
    os.close(outer)
