"""The story of a container that is killed under load, as the shell tells it afterwards: the kill, what left, which requests it caught."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import asyncssh
import docker
import pytest

from bench.macro.process import Haystack

HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
PYTHON = "python:3.11-slim"
GROUP = f"replay{os.getpid()}"
SERVICE = f"{GROUP}.python.services.haystack"
# every request takes a while: so there are some under way at each moment
SERVE = """
import http.server, socket, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        time.sleep(0.3)
        body = socket.gethostname().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer.request_queue_size = 100
http.server.ThreadingHTTPServer(("0.0.0.0", 80), Handler).serve_forever()
"""


class Shell:
    """Haystack with a key of ours; `said` runs a command of its shell."""

    def __init__(self, folder, eventually):
        self.eventually = eventually
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.key = folder / "key"
        key.write_private_key(self.key)
        self.key.chmod(0o600)
        self.haystack = Haystack(
            DOCKER_HOST=HOST, HAYSTACK_WORKERS="2", HAYSTACK_SSH_AUTHORIZED_KEYS=key.export_public_key().decode().strip()
        )

    def said(self, *words):
        port = self.haystack.told["ssh"] if "ssh" in self.haystack.told else self.haystack.told["ports"]["ssh"]
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes", "IdentitiesOnly=yes")
        line = ["ssh", "-F", "none", "-p", str(port), "-i", str(self.key), *(each for o in options for each in ("-o", o)), "a@127.0.0.1"]
        done = subprocess.run([*line, " ".join(words)], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def told(self, *words):
        return json.loads(self.said(*words, "--json"))


class Load:
    """Clients that ask without pause, until `stop`. failed: methods of the requests that were not answered with 200."""

    def __init__(self, port, clients=12):
        self.port = port
        self.over = threading.Event()
        self.failed, self.answered = [], 0
        self.pool = ThreadPoolExecutor(clients)
        self.done = [self.pool.submit(self.ask, "POST" if number % 3 == 0 else "GET") for number in range(clients)]

    def ask(self, method):
        while not self.over.is_set():
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
                connection.request(method, "/x", headers={"Host": SERVICE})
                answer = connection.getresponse()
                answer.read()
            self.answered += 1
            if answer.status != 200:
                self.failed.append((method, answer.status))

    def stop(self):
        self.over.set()
        for each in self.done:
            each.result()
        self.pool.shutdown()


@pytest.fixture
def members(client, host):
    try:
        client.images.get(PYTHON)
    except docker.errors.ImageNotFound:
        pytest.skip(f"{PYTHON} is not there")
    return [host.run(PYTHON, ["python3", "-c", SERVE], name=f"{GROUP}-{n}", labels={"haystack.port": "80"}) for n in (1, 2, 3)]


def port_address(container):
    """The MAC address of the container's end in the bridge; empty where the engine's machine is another one."""
    number = container.exec_run(["cat", "/sys/class/net/eth0/iflink"]).output.decode().strip()
    ports = (folder for folder in Path("/sys/class/net").iterdir() if (folder / "ifindex").read_text().strip() == number)
    return next(((folder / "address").read_text().strip() for folder in ports), "")


def victim(members):
    """One whose end is no news for the others: a bridge has the lowest address of its ports, and who knows the old one waits for long."""
    bridge = Path("/sys/class/net/docker0/address")
    lowest = bridge.read_text().strip() if bridge.exists() else "-"
    return next(c for c in members if port_address(c) != lowest)


@pytest.fixture
def shell(tmp_path, eventually):
    made = Shell(tmp_path, eventually)
    with made.haystack:
        yield made


def test_a_container_that_is_killed_under_load_has_its_story_told(shell, members, eventually):  # noqa: PLR0915 - a story in its order
    names, killed_one = sorted(c.name for c in members), victim(members)
    left = [c.name for c in members if c is not killed_one]
    eventually(lambda: shell.told("replay", "1s", SERVICE)["after"][SERVICE] == names, 30)
    load = Load(shell.haystack.port)
    try:
        eventually(lambda: load.answered > 24)
        begun = time.time()
        when = datetime.fromtimestamp(begun, UTC).isoformat()
        killed_one.kill()
        eventually(lambda: [e for e in shell.told("events", killed_one.name) if e["kind"] == "container.died"])
        answered = load.answered
        eventually(lambda: load.answered > answered + 24)
    finally:
        load.stop()
    told = shell.told("replay", when, SERVICE)
    assert told["before"][SERVICE] == names
    assert told["after"][SERVICE] == left
    assert told["uncounted"] == 0

    by_kind = {e["kind"]: e for e in told["events"]}
    killed, died, out = (by_kind[kind] for kind in ("container.killed", "container.died", "endpoint.out"))
    assert {e["about"] for e in (killed, died, out)} == {killed_one.name}
    assert killed["text"] == "was sent SIGKILL"
    assert "137" in died["detail"]
    assert "killed with SIGKILL; 2 endpoints left" in out["text"]
    assert begun <= killed["time"] <= died["time"] <= time.time()
    assert killed["time"] <= out["time"]
    assert "service.down" not in by_kind

    # what was in flight there: GETs went on elsewhere, POSTs could not, and their clients say the same
    (leaving,) = told["leavings"]
    assert leaving["name"] == killed_one.name
    assert leaving["moved"] >= 1
    assert leaving["answered_by"]
    assert set(leaving["answered_by"]) <= set(left)
    assert leaving["resumed"] > killed["time"]
    failed = [o for o in told["outcomes"] if o["status"] >= 500]
    assert {(o["method"], o["status"]) for o in failed} <= {("POST", 502)}
    assert sorted(load.failed) == sorted((o["method"], o["status"]) for o in failed)
    assert leaving["failed"] == len(failed)
    place = f"{killed_one.attrs['NetworkSettings']['Networks']['bridge']['IPAddress']}:80"
    assert all(place in o["candidates"] for o in told["outcomes"])
    moved = [o for o in told["outcomes"] if o["status"] == 200]
    assert len(moved) == leaving["moved"]
    assert {o["retried"] for o in moved} <= {"connection_terminated", "connection_refused", "destination_unavailable"}

    callers = [row for row in shell.told("who", SERVICE) if row["types"] == ["HTTP"]]
    assert [(row["address"], row["name"]) for row in callers] == [("127.0.0.1", SERVICE)]
    assert callers[0]["times"] >= 24

    (cohort,) = shell.told("cohorts", SERVICE)
    assert cohort["digest"] == members[0].image.id
    assert (cohort["containers"], cohort["ready"], cohort["odd"]) == (left, 2, "")
    assert cohort["requests"] >= 24

    text = shell.said("replay", when, SERVICE)
    assert f"{killed_one.name} left {SERVICE}" in text
    order = [text.index(word) for word in ("in at the beginning", "was sent SIGKILL", "gets no more requests", "in at the end")]
    assert order == sorted(order)


def test_what_was_before_the_start_is_said_to_be_unknown(shell):
    with pytest.raises(AssertionError, match="is not known"):
        shell.said("replay", "1h", "--for", "1m")
    assert "or Haystack did not run" in " ".join(shell.said("replay", "1h").split())
