"""A real engine for tests: a client for it, the image of this tree, and containers that are gone afterwards.

Tests touch only what they made: it carries the label LABEL with this run's token. HAYSTACK_TEST_ENGINE=required turns every
skip of this folder into a failure; without it and without an engine the folder is skipped with one clear line.
"""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from pathlib import Path

import docker
import pytest

from tests.fakes import nodes as hosts
from tests.fakes.nodes import Nodes

ROOT = Path(__file__).resolve().parents[2]
LABEL = "haystack.test.run"
RUN = uuid.uuid4().hex[:12]
REQUIRED = os.environ.get("HAYSTACK_TEST_ENGINE") == "required"
BUILD = 1200  # seconds for the image: its extensions are compiled, which a busy machine takes long for
IMAGES = ("busybox", "nginx", "httpd", "jenkins")


def engine():
    """A client of the engine, or the reason why there is none."""
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except docker.errors.DockerException as error:
        return None, " ".join(str(error).split())
    return client, ""


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.engine)
            own = item.get_closest_marker("timeout")
            most = max(300, own.args[0] if own else 0, BUILD if "image" in item.fixturenames else 0)
            item.add_marker(pytest.mark.timeout(most), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if REQUIRED and report.skipped and item.get_closest_marker("engine"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and HAYSTACK_TEST_ENGINE=required: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def client():
    found, why = engine()
    if found is None:
        pytest.skip(f"no Docker Engine answers ({why}); start one or set DOCKER_HOST to run the integration tests")
    yield found
    for container in found.containers.list(all=True, filters={"label": f"{LABEL}={RUN}"}):
        container.remove(force=True, v=True)
    found.close()


@pytest.fixture(scope="session")
def images(client):
    """The images of the walk-through: there already, or pulled where there is a registry."""
    for name in IMAGES:
        try:
            client.images.get(name)
        except docker.errors.ImageNotFound:
            subprocess.run(["docker", "pull", name], check=True, timeout=300)


@pytest.fixture(scope="session")
def image(client, tmp_path_factory):
    """The image `haystack`, built from this tree by the line that people use; by its id, for another tree may be tested beside this one."""
    made = tmp_path_factory.mktemp("image") / "id"
    built = subprocess.run(
        ["docker", "build", "--iidfile", made, "--tag", "haystack", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD,
    )
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    return made.read_text()


@pytest.fixture(scope="session")
def nodes(client, images):
    """Three engines that are hosts of their own, in one Swarm, all of them managers, with an overlay network `web`."""
    if why := hosts.missing():
        pytest.skip(f"no engines can be made that are hosts of their own: {why}")
    with Nodes(3) as made:
        hosts.swarm(made, managers=3)
        made[0].docker("network", "create", "--driver", "overlay", "--attachable", "web")
        yield made


class Host:
    """Runs containers for one test; `close` removes them."""

    def __init__(self, client):
        self.client = client
        self.made = []

    def run(self, image, command=None, *, name=None, **options):
        """`docker run -d`; answers the container with its attributes loaded."""
        labels = {LABEL: RUN} | options.pop("labels", {})
        container = self.client.containers.run(image, command, name=name, labels=labels, detach=True, **options)
        self.made.append(container)
        container.reload()
        return container

    def typed(self, words):
        """`docker run -d …` as somebody types it; answers the container."""
        line = [*words[:2], "--label", f"{LABEL}={RUN}", *words[2:]]
        ended = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
        assert ended.returncode == 0, ended.stderr
        self.made.append(self.client.containers.get(ended.stdout.strip()))
        return self.made[-1]

    def once(self, image, command, **options):
        """`docker run --rm`: what the command printed, and its status."""
        container = self.run(image, command, **options)
        status = container.wait(timeout=60)["StatusCode"]
        return container.logs().decode(errors="replace"), status

    def close(self):
        for container in self.made:
            try:
                container.remove(force=True, v=True)
            except docker.errors.NotFound:
                continue


@pytest.fixture(scope="module")
def host(client, images):
    made = Host(client)
    yield made
    made.close()


def address(container):
    """The container's address on the default bridge: what `docker inspect` shows."""
    networks = container.attrs["NetworkSettings"]["Networks"]
    return next(network["IPAddress"] for network in networks.values() if network["IPAddress"])


def until(condition, seconds=20.0, what="it never happened"):
    """The first true value of `condition`, within `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.05)


@pytest.fixture(scope="session")
def address_of():
    return address


@pytest.fixture(scope="session")
def eventually():
    return until


@pytest.fixture(scope="session")
def engine_url(client):
    """DOCKER_HOST as a container reaches the engine: what people pass by -e."""
    url = os.environ.get("DOCKER_HOST", "")
    if url.startswith("tcp://") and "127.0.0.1" not in url and "localhost" not in url:
        return url
    gateway = client.networks.get("bridge").attrs["IPAM"]["Config"][0].get("Gateway") or "172.17.0.1"
    try:
        probe = docker.DockerClient(base_url=f"tcp://{gateway}:2375", timeout=5)
        probe.ping()
        probe.close()
    except docker.errors.DockerException:
        return None
    return f"tcp://{gateway}:2375"
