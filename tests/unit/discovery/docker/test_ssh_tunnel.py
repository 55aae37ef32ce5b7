"""DOCKER_HOST=ssh://USER@HOST: the engine's socket there, by keys of ~/.ssh, and one line where that can't be had."""

import asyncio
import re
import socket
import threading
from functools import partial
from pathlib import Path

import asyncssh
import pytest
from requests import exceptions

from haystack.discovery.docker import client as border
from haystack.discovery.docker import engine_connection
from haystack.discovery.docker.absence import Absence
from haystack.discovery.docker.tls import TlsOptions, TunnelError
from haystack.settings import engine_url
from tests.fakes.engine import FakeEngine, inspected


class Host(asyncssh.SSHServer):
    """A host whose engine's socket is at `socket`; sshd there allows that to be asked for, or not."""

    def __init__(self, path, *, allowed):
        self._path, self._allowed = path, allowed

    def unix_connection_requested(self, dest_path):
        return self._allowed and dest_path == self._path


class Sshd:
    """An SSH server of its own thread, and a unix socket that leads to a fake engine."""

    def __init__(self, folder, engine_port, *, allowed=True):
        self.path, self.port = str(folder / "docker.sock"), 0
        self._engine_port, self._allowed = engine_port, allowed
        self.host_key, self.user_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self):
        asyncio.run(self._serve())

    async def _serve(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with await asyncio.start_unix_server(self._lead, self.path):
            listener = await self._listen()
            self.port = listener.get_port()
            self._ready.set()
            await self._stop.wait()
            listener.close()
            await listener.wait_closed()

    async def _listen(self):
        keys = asyncssh.import_authorized_keys(self.user_key.export_public_key().decode())
        given = {"server_host_keys": [self.host_key], "authorized_client_keys": keys}
        return await asyncssh.listen("127.0.0.1", 0, server_factory=partial(Host, self.path, allowed=self._allowed), **given)

    async def _lead(self, reader, writer):
        there, here = await asyncio.open_connection("127.0.0.1", self._engine_port)
        await asyncio.gather(_copy(reader, here), _copy(there, writer))

    def close(self):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


async def _copy(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@pytest.fixture
def engine():
    made = FakeEngine()
    made.containers = {(each := inspected(1, "web"))["Id"]: each}
    made.up()
    yield made
    made.down()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir(mode=0o700)
    return tmp_path / ".ssh"


@pytest.fixture
def sshd(tmp_path, engine):
    made = Sshd(tmp_path, engine.port)
    yield made
    made.close()


def trust(home, sshd, *, host=True, user=True, other=False):
    if host:
        key = asyncssh.generate_private_key("ssh-ed25519") if other else sshd.host_key
        (home / "known_hosts").write_text(f"[127.0.0.1]:{sshd.port} {key.export_public_key().decode()}")
    if user:
        sshd.user_key.write_private_key(str(home / "id_ed25519"))


def url(sshd, path=None):
    return engine_url.read(f"ssh://me@127.0.0.1:{sshd.port}{sshd.path if path is None else path}")


def test_an_engine_is_asked_through_its_host_and_its_address_is_that_hosts(home, sshd):
    trust(home, sshd)
    with engine_connection.opened(url(sshd), TlsOptions()) as opened:
        client = opened.connect()
        try:
            assert client.info()["Name"] == "fake"
            assert [c["Names"] for c in client.containers()] == [["/web"]]
        finally:
            client.close()
        assert opened.address == "127.0.0.1"
    assert not Path(opened.host.removeprefix("unix://")).parent.exists()


def test_an_answer_that_trickles_is_bounded_there_too(home, sshd, engine):
    trust(home, sshd)
    engine.dripping["/info"] = "body"
    with engine_connection.opened(url(sshd), TlsOptions()) as opened:
        client = opened.connect()
        with pytest.raises(exceptions.ConnectionError) as failed:
            border.asked(client, "/info", 0.3)
        client.close()
    engine.dripping.clear()
    assert border.late(failed.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"host": False},
            r"is not in known_hosts: check its fingerprint SHA256:\S+, then type `ssh-keyscan -p \d+ 127",
        ),
        (
            {"other": True},
            r"shows another host key \(SHA256:\S+\) than known_hosts has: .* `ssh-keygen -R '\[127.0.0.1\]:\d+'` and",
        ),
        ({"user": False}, "me@127.0.0.1 accepts no key of this user"),
    ],
)
def test_who_is_not_trusted_is_told_what_to_do(home, sshd, given, told):
    trust(home, sshd, **given)
    with pytest.raises(TunnelError, match=told) as failed, engine_connection.opened(url(sshd), TlsOptions()):
        pass
    line = Absence(url(sshd), "ssh://***@127.0.0.1", certified=False, remind=60).tell(failed.value, listed=False, after=1.0)
    assert re.search(told, line)
    assert "\n" not in line


def refusal(url):
    """Why there is no way to this engine."""
    with pytest.raises(TunnelError) as failed, engine_connection.opened(url, TlsOptions()):
        pass
    return str(failed.value)


def test_the_key_of_an_alias_is_looked_for_where_the_config_leads(home, sshd):
    (home / "config").write_text(f"Host docker1\n  HostName 127.0.0.1\n  Port {sshd.port}\n")
    trust(home, sshd, host=False)
    told = refusal("ssh://me@docker1")
    assert "the host key of docker1 is not in known_hosts" in told
    assert f"`ssh-keyscan -p {sshd.port} 127.0.0.1 >> ~/.ssh/known_hosts`" in told
    trust(home, sshd, other=True)
    told = refusal("ssh://me@docker1")
    assert f"docker1 shows another host key ({sshd.host_key.get_fingerprint()})" in told
    assert f"`ssh-keygen -R '[127.0.0.1]:{sshd.port}'` and `ssh-keyscan -p {sshd.port} 127.0.0.1 >>" in told


def test_the_key_of_another_port_is_not_another_key_of_this_one(home, sshd):
    trust(home, sshd)
    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    (home / "known_hosts").write_text(f"127.0.0.1 {key}")
    told = refusal(url(sshd))
    assert "is not in known_hosts: check its fingerprint" in told
    assert "ssh-keygen" not in told
    (home / "known_hosts").write_text(f"127.0.0.1 {sshd.host_key.export_public_key().decode()}")
    with engine_connection.opened(url(sshd), TlsOptions()):
        pass


def test_a_key_that_is_known_by_the_address_is_forgotten_by_that(home, sshd):
    trust(home, sshd, other=True)
    assert f"`ssh-keygen -R '[127.0.0.1]:{sshd.port}'`" in refusal(f"ssh://me@localhost:{sshd.port}")


@pytest.mark.parametrize("name", ["*", "[127.0.0.1]:{}", "127.0.0.1"])
def test_of_a_revoked_key_no_command_is_told(home, sshd, name):
    trust(home, sshd)
    (home / "known_hosts").write_text(f"@revoked {name.format(sshd.port)} {sshd.host_key.export_public_key().decode()}")
    told = refusal(url(sshd))
    assert told.startswith("ssh: the host key of 127.0.0.1 is revoked in known_hosts")
    assert "`" not in told


def test_a_socket_that_is_not_opened_is_named(home, sshd):
    trust(home, sshd)
    with (
        pytest.raises(TunnelError, match=r"me@127.0.0.1 does not open /nowhere\.sock"),
        engine_connection.opened(url(sshd, "/nowhere.sock"), TlsOptions()),
    ):
        pass


def test_a_host_where_nobody_listens(home):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        free = taken.getsockname()[1]
        with pytest.raises(TunnelError, match=r"ssh: 127\.0\.0\.1: "), engine_connection.opened(f"ssh://me@127.0.0.1:{free}", TlsOptions()):
            pass


def test_a_key_with_a_passphrase_is_told_as_that(home, sshd):
    trust(home, sshd, user=False)
    sshd.user_key.write_private_key(str(home / "id_ed25519"), "pkcs8-pem", passphrase="hunter2")
    (home / "id_ed25519.pub").write_text(sshd.user_key.export_public_key().decode())
    told = refusal(url(sshd))
    assert told == (
        "ssh: me@127.0.0.1 accepts no key of this user: ~/.ssh/id_ed25519 has a passphrase, and nobody is asked for it: "
        "use a key without one, or an agent (SSH_AUTH_SOCK)"
    )
