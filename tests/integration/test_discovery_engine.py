"""The docker provider against a real engine: what `docker` commands make of the list, and engines behind TLS."""

import asyncio
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from haystack.discovery import providers
from haystack.discovery.docker.tls import TlsOptions
from tests.fakes.sink import FakeSink, running

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]
HOST = "unix:///var/run/docker.sock"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "engine"
NODE = "7"
NODE_IP = f"10.77.0.{NODE}"
PREFIX = f"hsdisc{os.getpid()}"


def docker(*words):
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


async def docker_soon(*words):
    return await asyncio.to_thread(docker, *words)


@pytest.fixture(scope="module")
def engine():
    try:
        docker("version")
    except (OSError, subprocess.CalledProcessError) as error:
        if os.environ.get("HAYSTACK_TEST_ENGINE") == "required":
            raise
        pytest.skip(f"no Docker Engine answers: {error}")
    return HOST


@pytest.fixture
def name(engine):
    yield (made := f"{PREFIX}-1")
    subprocess.run(["docker", "rm", "-f", "-v", made], check=False, capture_output=True)


def provider(host=HOST, **tls):
    blank = dict.fromkeys(("docker_tls_verify", "docker_cert_path", "docker_cert", "docker_key", "docker_ca", "static"))
    (made,) = providers(SimpleNamespace(docker_host=(host,), swarm=False, engine_grace=0.0, aliases=(), **(blank | tls)))
    return made


async def test_a_containers_life(engine, name):
    sink = FakeSink()
    async with running(provider(), sink):
        await sink.until(lambda: bool(sink.listings))
        await docker_soon("run", "-d", "--name", name, "nginx")
        await sink.until(lambda: sink.container(name) is not None)
        container = sink.container(name)
        assert container.services == (f"{PREFIX}.nginx",)
        assert container.address == docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", name)
        assert [p.name for p in container.ports] == ["http"]
        assert container.address_reason
        await docker_soon("kill", "-s", "HUP", name)
        await docker_soon("pause", name)
        await sink.until(lambda: sink.container(name).state == "paused")
        await docker_soon("unpause", name)
        await sink.until(lambda: sink.container(name).state == "running")
        await docker_soon("rename", name, f"{name}x")
        await sink.until(lambda: sink.container(f"{name}x") is not None)
        await docker_soon("rename", f"{name}x", name)
        await sink.until(lambda: sink.container(name) is not None)
        await docker_soon("stop", "-t", "5", name)
        await sink.until(lambda: sink.container(name) is None)
        states = [c.state for listing in sink.listings for c in listing.containers if c.name == name]
        assert states[-1] == "stopping"
        await docker_soon("start", name)
        await sink.until(lambda: sink.container(name) is not None)
    assert sink.errors == []


async def test_a_container_that_ignores_its_signal_is_out_at_once(engine, name):
    sink = FakeSink()
    docker("run", "-d", "--name", name, "busybox", "sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    async with running(provider(), sink):
        await sink.until(lambda: sink.container(name) is not None)
        stop = asyncio.create_task(docker_soon("stop", "-t", "3", name))
        await sink.until(lambda: sink.container(name).state == "stopping")
        assert not stop.done()
        assert sink.container(name).state_reason == "kill SIGTERM"
        await stop
        await sink.until(lambda: sink.container(name) is None)


async def test_the_labels_network_is_used(engine, name):
    sink = FakeSink()
    network = f"{PREFIX}-net"
    docker("network", "create", network)
    try:
        async with running(provider(), sink):
            docker("run", "-d", "--name", name, "--label", f"haystack.network={network}", "nginx")
            await sink.until(lambda: sink.container(name) is not None)
            assert sink.container(name).network == "bridge"
            await docker_soon("network", "connect", network, name)
            await sink.until(lambda: sink.container(name).network == network)
            await docker_soon("network", "disconnect", network, name)
            await sink.until(lambda: sink.container(name).network == "bridge")
            assert sink.container(name).problems[0].subject == "label haystack.network"
    finally:
        docker("rm", "-f", name)
        docker("network", "rm", network)


async def test_host_network_has_the_engines_address(engine, name):
    sink = FakeSink()
    docker("run", "-d", "--name", name, "--network", "host", "busybox", "sleep", "1000")
    async with running(provider(), sink):
        await sink.until(lambda: sink.container(name) is not None)
        assert sink.container(name).address == sink.listings[-1].engine.address is not None


async def test_a_bare_image_id(engine, name):
    sink = FakeSink()
    docker("run", "-d", "--name", name, docker("image", "inspect", "--format", "{{.Id}}", "httpd").removeprefix("sha256:")[:12])
    async with running(provider(), sink):
        await sink.until(lambda: sink.container(name) is not None)
        assert sink.container(name).services == (f"{PREFIX}.httpd",)


@pytest.fixture(scope="module")
def certs(engine, tmp_path_factory):
    if not SHARED.is_dir() or os.geteuid() != 0:
        pytest.skip("no ../shared/engine to make another engine with, or not root")
    folder = tmp_path_factory.mktemp("certs")
    subprocess.run([SHARED / "certs", folder, NODE_IP], check=True, capture_output=True)
    environment = os.environ | {"TLS": str(folder)}
    subprocess.run([SHARED / "node", "start", NODE], check=True, capture_output=True, env=environment, timeout=90)
    yield folder
    subprocess.run([SHARED / "node", "stop", NODE], check=True, capture_output=True, timeout=90)


TLS_HOST = f"tcp://{NODE_IP}:2376"


def pem(folder, *names):
    return {f"docker_{n}": (folder / f"{n}.pem").read_text() for n in names}


async def told(made):
    """What it publishes first: an engine's name or an error."""
    sink = FakeSink()
    async with running(made, sink):
        await sink.until(lambda: bool(sink.listings or sink.errors), timeout=30)
    return sink.listings[0].engine.name if sink.listings else sink.errors[0]


async def test_tls_by_a_folder(certs):
    assert await told(provider(TLS_HOST, docker_cert_path=certs)) == f"node{NODE}"


async def test_tls_by_pem_text_and_nothing_of_it_left_behind(certs, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert await told(provider(TLS_HOST, **pem(certs, "ca", "cert", "key"))) == f"node{NODE}"
    assert list(tmp_path.iterdir()) == []


async def test_tls_with_a_wrong_ca(certs, tmp_path):
    await asyncio.to_thread(subprocess.run, [SHARED / "certs", tmp_path, "10.77.0.9"], check=True, capture_output=True)
    text = await told(provider(TLS_HOST, **pem(certs, "cert", "key"), **pem(tmp_path, "ca")))
    assert text == "TLS: the engine's certificate is not signed by the CA given: check DOCKER_CA or ca.pem"


async def test_tls_without_a_client_certificate(certs):
    text = await told(provider(TLS_HOST, **pem(certs, "ca")))
    assert text.startswith("TLS: the engine asks for a client certificate")


async def test_plain_text_to_an_engine_behind_tls(certs):
    assert "speaks TLS" in await told(provider(TLS_HOST))


def test_tls_material_is_for_tcp_hosts_only():
    options = TlsOptions(path="/x")
    assert [options.wanted(h) for h in (HOST, TLS_HOST, "tcp://h:2375", "https://h")] == [False, True, False, True]
