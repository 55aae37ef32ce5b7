"""DOCKER_HOST=ssh://USER@HOST with OpenSSH's own server before the real engine: what dies between them costs nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.client import Client
from tests.fakes.sshd import PROGRAM, Sshd
from tests.fakes.worker import Haystack, command

pytestmark = pytest.mark.skipif(not PROGRAM, reason="OpenSSH's server is not installed")
SOCKET = Path("/var/run/docker.sock")
GROUP = f"ssh{uuid.uuid4().hex[:6]}"
SERVICE = f"{GROUP}.nginx.services.haystack"


@pytest.fixture(scope="module")
def sshd(client: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if not SOCKET.exists():
        pytest.skip(f"the engine has no {SOCKET}")
    with Sshd(tmp_path_factory.mktemp("sshd")) as made:
        yield made


@pytest.fixture(scope="module")
def haystack(sshd: Sshd, host: Any) -> Iterator[Haystack]:
    for number in (1, 2):
        host.run("nginx", name=f"{GROUP}-{number}")
    with Haystack([], DOCKER_HOST=sshd.url, HAYSTACK_STATIC="", HOME=str(sshd.home), SSH_AUTH_SOCK="") as running:
        yield running


def ready(haystack: Haystack) -> set[str]:
    """Names of the containers that get requests."""
    with Client(haystack.port) as asker:
        rows = json.loads(asker.get("localhost", "/api/services").body)
    return {row["container_name"] for row in rows if row["name"] == SERVICE and row["ready"]}


def connected(haystack: Haystack) -> bool:
    with Client(haystack.port) as asker:
        return all(source["connected"] for source in json.loads(asker.get("localhost", "/api/info").body)["sources"].values())


@contextmanager
def asked(haystack: Haystack) -> Iterator[Counter[int | str]]:
    """GETs one after the other, for so long; what became of them."""
    over, statuses = threading.Event(), Counter[int | str]()

    def go_on() -> None:
        while not over.is_set():
            try:
                with Client(haystack.port, timeout=30) as asker:
                    answer = asker.get(SERVICE)
                    statuses[answer.status if answer.complete else "cut"] += 1
            except OSError as error:
                statuses[repr(error)] += 1

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield statuses
    finally:
        over.set()
        thread.join(40)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "silent"])
def test_a_connection_that_dies_is_made_again_and_what_happened_meanwhile_is_seen(
    haystack: Haystack, sshd: Sshd, host: Any, eventually: Callable[..., Any], how: signal.Signals
) -> None:
    before = {f"{GROUP}-{number}" for number in (1, 2)} if how is signal.SIGKILL else {f"{GROUP}-{number}" for number in (1, 3)}
    eventually(lambda: ready(haystack) == before, 40, lambda: f"{ready(haystack)} {haystack.lines[-5:]} {sshd.log[-2000:]}")
    ends, comes = (f"{GROUP}-2", f"{GROUP}-3") if how is signal.SIGKILL else (f"{GROUP}-3", f"{GROUP}-4")
    with asked(haystack) as statuses:
        sshd.shut()
        sshd.kill(how)
        eventually(lambda: not connected(haystack), 40, "nobody has noticed")
        host.run("nginx", name=comes)
        host.client.containers.get(ends).kill()
        asked_before = statuses[200]
        eventually(lambda: statuses[200] > asked_before + 20, 30, lambda: f"{statuses}")
        assert ends in ready(haystack) or comes not in ready(haystack)  # nobody has told of it yet
        sshd.open()
        eventually(lambda: ready(haystack) == {f"{GROUP}-1", comes}, 60, lambda: f"{ready(haystack)} {haystack.lines[-5:]}")
        assert connected(haystack)
    assert set(statuses) == {200}, statuses


def test_another_host_key_is_told_as_such_and_what_is_known_is_served_on(
    haystack: Haystack, sshd: Sshd, eventually: Callable[..., Any]
) -> None:
    eventually(lambda: connected(haystack), 40, lambda: f"{haystack.lines[-5:]}")
    known = ready(haystack)
    assert known
    sshd.show("other")
    sshd.kill()
    told = f"127.0.0.1 shows another host key ({sshd.fingerprint('other')}) than known_hosts has"
    retried = lambda: [line["error"] for line in haystack.lines if line.get("event") == "engine.retry" and "error" in line]  # noqa: E731
    eventually(lambda: any(told in error for error in retried()), 40, lambda: f"{retried()}")
    with asked(haystack) as statuses:
        eventually(lambda: statuses[200] > 20, 30, lambda: f"{statuses}")
    assert (set(statuses), ready(haystack)) == ({200}, known)
    sshd.show("good")
    eventually(lambda: connected(haystack), 60, lambda: f"{retried()}")


def test_check_tells_of_another_host_key_what_it_may_mean_and_what_to_type(sshd: Sshd) -> None:
    sshd.show("other")
    env = {**os.environ, "DOCKER_HOST": sshd.url, "HOME": str(sshd.home), "SSH_AUTH_SOCK": ""}
    try:
        done = subprocess.run([command()[0], "check"], env=env, capture_output=True, text=True, check=False, timeout=60)
    finally:
        sshd.show("good")
    assert done.returncode == 1
    line = next(each for each in (done.stdout + done.stderr).splitlines() if "another host key" in each)
    assert "somebody may be between" in line
    assert f"`ssh-keygen -R '[127.0.0.1]:{sshd.port}'`" in line
