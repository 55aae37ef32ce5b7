"""`cohorts` on a real engine: two images of one repository behind one service, one of them worse, and real requests."""

from __future__ import annotations

import http.client
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import docker
import pytest

from tests.integration.test_replay_engine import PYTHON, Shell

REPOSITORY = f"cohorts{os.getpid()}"
SERVICE = f"{REPOSITORY}.services.haystack"
FAILED = 40  # requests, before that is looked at
TAGS = (("1", "no"), ("2", "yes"))  # with whether it is worse
# one of the second image fails with each third request
SERVE = """
import http.server, itertools, os
worse, numbers = os.environ["WORSE"] == "yes", itertools.count(1)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(500 if worse and next(numbers) % 3 == 0 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer.request_queue_size = 100
http.server.ThreadingHTTPServer(("0.0.0.0", 80), Handler).serve_forever()
"""


@pytest.fixture
def releases(client, host):
    """The tags of a good image and of one that is worse."""
    try:
        client.images.get(PYTHON)
    except docker.errors.ImageNotFound:
        pytest.skip(f"{PYTHON} is not there")
    base = host.run(PYTHON, ["sleep", "600"], labels={"haystack.enable": "false"})
    made = []
    try:
        for tag, worse in TAGS:
            made.append(base.commit(REPOSITORY, tag, conf={"Env": [f"WORSE={worse}"], "Cmd": ["python3", "-c", SERVE]}))
        yield made
    finally:
        host.close()  # what runs of them
        for image in made:
            client.images.remove(image.id, force=True)


@pytest.fixture
def shell(tmp_path, eventually):
    made = Shell(tmp_path, eventually)
    with made.haystack:
        yield made


def ask(port):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", "/", headers={"Host": SERVICE})
        return connection.getresponse().status


def test_the_worse_of_two_images_is_marked_with_the_figures_that_its_clients_had(shell, host, releases):
    good, worse = releases
    labels = {
        "haystack.enable": "true",
        "haystack.port": "80",
        "haystack.eject": "off",
        "haystack.retry": "off",
    }  # who is out is asked no more
    of_good = [host.run(good.id, name=f"{REPOSITORY}{letter}", labels=labels) for letter in "ab"]
    of_worse = host.run(worse.id, name=f"{REPOSITORY}c", labels=labels)
    assert shell.told("wait", f"'{SERVICE}>=3'")["met"]
    statuses: Counter[int] = Counter()
    with ThreadPoolExecutor(8) as pool:
        while statuses[500] < FAILED:  # a new endpoint gets few at first, and so does one that fails
            statuses.update(pool.map(ask, [shell.haystack.port] * 50))
            assert set(statuses) <= {200, 500}

    cohorts = {each["digest"]: each for each in shell.told("cohorts", SERVICE)}
    assert set(cohorts) == {good.id, worse.id}
    assert cohorts[good.id]["containers"] == sorted(each.name for each in of_good)
    assert cohorts[worse.id]["containers"] == [of_worse.name]
    assert sum(each["requests"] for each in cohorts.values()) == statuses.total()
    assert (cohorts[good.id]["errors"], cohorts[worse.id]["errors"]) == (0, statuses[500])
    assert cohorts[good.id]["odd"] == ""
    assert cohorts[worse.id]["odd"].startswith("more errors: ")

    rows = shell.said("cohorts", SERVICE).splitlines()[3:]
    (marked,) = [row for row in rows if "more errors: " in row]
    assert worse.id.removeprefix("sha256:")[:12] in marked
    assert of_worse.name in marked
