"""The API of a real engine behind Haystack: what `docker` does with upgraded connections, half-closed ones among them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.fakes.worker import Haystack, Member

MANY = 3_000_000  # bytes: more than all buffers on the way hold


@dataclass(frozen=True)
class EngineAt(Member):
    """The engine itself as a container of the static file."""

    address: str = ""

    def toml(self, number: int) -> str:
        return super().toml(number).replace('"127.0.0.1"', json.dumps(self.address))


Docker = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(scope="module")
def docker(engine_url: str | None, images: None) -> Iterator[Docker]:
    """`docker` with these arguments and this standard input, which speaks to the engine through a Haystack."""
    if engine_url is None:
        pytest.skip("the engine answers at no TCP address, and Haystack proxies to nothing else")
    name, at = socket.gethostname(), urlsplit(engine_url)
    labels = {"haystack.host": name, "haystack.upgrade": "tcp"}
    members: list[Member] = [EngineAt("engine", at.port or 2375, labels, at.hostname or "")]
    # the name that every machine can resolve: the client sends in Host what it is told to connect to
    with Haystack(members, HAYSTACK_BIND=",".join(dict.fromkeys(("127.0.0.1", socket.gethostbyname(name))))) as haystack:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DOCKER_")} | {
            "DOCKER_HOST": f"tcp://{name}:{haystack.port}"
        }

        def run(*words: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
            return subprocess.run(
                ["docker", *words], input=stdin, stdin=subprocess.DEVNULL if stdin is None else None, capture_output=True, env=environment,
                timeout=60, check=False,
            )  # fmt: skip

        yield run


@pytest.fixture
def sleeper(host, docker: Docker) -> str:
    """Id of a container in which something may be executed."""
    return str(host.run("busybox", ["sleep", "600"], name=f"haystack-test-{uuid.uuid4().hex[:8]}").id)


def test_exec_reads_its_input_to_the_end_and_answers_then(docker: Docker, sleeper: str) -> None:
    """A POST with a body becomes the tunnel; the client's end of it goes through, and what comes after that end too."""
    data = os.urandom(MANY)
    done = docker("exec", "-i", sleeper, "sh", "-c", "cat; echo end", stdin=data)
    assert done.returncode == 0, done.stderr
    assert done.stdout == data + b"end\n"


def test_exec_tells_its_status_and_keeps_its_streams_apart(docker: Docker, sleeper: str) -> None:
    done = docker("exec", sleeper, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")


def test_run_with_input(docker: Docker) -> None:
    """Attached before it starts: `wc` prints only when its input has ended."""
    done = docker("run", "--rm", "-i", "--network", "none", "busybox", "wc", "-c", stdin=b"x" * MANY)
    assert (done.returncode, done.stdout.strip()) == (0, str(MANY).encode()), done.stderr


def test_attach_to_one_that_runs(host, docker: Docker) -> None:
    """Its input is the client's, and the client ends with the container's status."""
    name = f"haystack-test-{uuid.uuid4().hex[:8]}"
    container = host.run("busybox", ["sh", "-c", "read line; echo got $line; exit 3"], name=name, stdin_open=True, network_mode="none")
    done = docker("attach", name, stdin=b"a line\n")
    assert done.returncode == 3, done.stderr
    # from the engine itself: a client that has sent its input's end may leave before it has read all, with Haystack and without
    assert container.logs() == b"got a line\n"


def test_all_else_is_plain_http(docker: Docker) -> None:
    """On the same connections' pool."""
    assert docker("version", "--format", "{{.Server.Version}}").returncode == 0
    assert docker("ps", "--all", "--quiet").returncode == 0
