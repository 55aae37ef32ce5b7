"""Two plain hosts, each with an engine of its own: what runs on the other one is reached at its published port, and a host is lost."""

import json
import os
import subprocess
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest

from tests.fakes.client import Client
from tests.fakes.worker import Haystack

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]
SHARED = Path(__file__).resolve().parents[3] / "shared" / "engine"
NODE = "6"
THERE = f"tcp://10.77.0.{NODE}:2375"
GROUP = f"two{uuid.uuid4().hex[:6]}"
SERVICE = f"{GROUP}.nginx.services.haystack"


def docker(*words, there=False):
    return subprocess.run(["docker", *(["-H", THERE] if there else []), *words], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def other(client):
    """The second host, with the image; needs the scripts that make further engines."""
    if not SHARED.is_dir() or os.geteuid() != 0:
        pytest.skip("no ../shared/engine to make a second host with, or not root")
    subprocess.run([SHARED / "node", "start", NODE], check=True, capture_output=True)
    try:
        saved = subprocess.run(["docker", "save", "nginx"], check=True, capture_output=True).stdout
        subprocess.run(["docker", "-H", THERE, "load"], input=saved, check=True, capture_output=True)
        yield f"ve{NODE}"
    finally:
        subprocess.run(["ip", "link", "set", f"ve{NODE}", "up"], check=False)
        subprocess.run([SHARED / "node", "stop", NODE], check=True, capture_output=True)


@pytest.fixture
def containers(other, host):
    """One container of a service on this host, and two on the other one, which are published there."""
    host.run("nginx", name=f"{GROUP}-1")
    for number, port in enumerate((8081, 8082), 2):
        docker("run", "-d", "--name", f"{GROUP}-{number}", "-p", f"{port}:80", "nginx", there=True)


@pytest.fixture
def haystack(containers):
    here = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    with Haystack([], DOCKER_HOST=f"{here},{THERE}", HAYSTACK_STATIC="", HAYSTACK_WORKERS="1", HAYSTACK_LOCALITY="off") as running:
        yield running


def endpoints(port):
    with Client(port) as asker:
        rows = json.loads(asker.get("localhost", "/api/services").body)
    return {f"{row['address']}:{row['port']}": row for row in rows if row["name"] == SERVICE}


def ask(port, until, statuses):
    """GETs one after the other until the event is set."""
    while not until.is_set():
        try:
            with Client(port, timeout=30) as asker:
                answer = asker.get(SERVICE)
                statuses[answer.status if answer.complete else "cut"] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a request that failed
            statuses[repr(error)] += 1


def test_the_others_containers_are_asked_at_their_ports_and_no_get_fails_where_that_host_is_lost(haystack, other, eventually):
    port = haystack.port
    away = {f"10.77.0.{NODE}:{number}" for number in (8081, 8082)}
    eventually(lambda: away <= {place for place, row in endpoints(port).items() if row["ready"]}, 30, lambda: f"{endpoints(port)}")
    assert all("published port" in row["address_reason"] for place, row in endpoints(port).items() if place in away)
    over, statuses = threading.Event(), Counter()
    askers = [threading.Thread(target=ask, args=(port, over, statuses)) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        eventually(lambda: statuses[200] > 50, 30, lambda: f"{statuses}")
        subprocess.run(["ip", "link", "set", other, "down"], check=True)
        lost = lambda: [row["reason"] for place, row in endpoints(port).items() if place in away]  # noqa: E731
        eventually(lambda: all("its host is lost" in reason for reason in lost()), 40, lambda: f"{lost()}")
        before, began = statuses[200], time.monotonic()
        eventually(lambda: statuses[200] > before + 50, 30, lambda: f"{statuses} after {time.monotonic() - began:.0f} s")
    finally:
        over.set()
        for asker in askers:
            asker.join(30)
    assert set(statuses) == {200}, statuses
