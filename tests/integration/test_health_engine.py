"""Why containers of a real engine are in or out, as /api/services tells it: Docker's check, a probe of ours, and what traffic showed."""

import json
import os
import re
import threading
import urllib.request
from collections import Counter

import pytest

from bench.macro.process import Haystack

HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
GROUP = f"health{os.getpid()}"
SITE = """server { listen 80 default_server; access_log off; default_type text/plain;
  location = /up { if (-f /sick) { return 503; } return 200; }
  location / { if (-f /failing) { return 500; } return 200 $hostname; } }"""
SERVE = ["sh", "-c", f"echo '{SITE}' >/etc/nginx/conf.d/default.conf; exec nginx -g 'daemon off;'"]
CHECK = {"test": ["CMD-SHELL", "test ! -e /unhealthy"], "interval": 500_000_000, "timeout": 2_000_000_000, "retries": 1}
PROBE = {"haystack.health.path": "/up", "haystack.health.interval": "200ms", "haystack.health.fall": "2", "haystack.health.rise": "2"}


class Watched:
    """Two containers of one service, and Haystack before them."""

    def __init__(self, haystack, host, name, **options):
        self.haystack = haystack
        self.service = f"{GROUP}{name}.nginx.services.haystack"
        names = [f"{GROUP}{name}-{number}" for number in (1, 2)]
        self.one, self.two = [host.run("nginx", SERVE, name=n, hostname=n, **options) for n in names]

    def told(self, container):
        """The endpoint of a container in /api/services; None: it has none."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.haystack.port}/api/services", timeout=5) as answer:
            services = json.load(answer)
        return next((s for s in services if s["name"] == self.service and s["container"] == container.id), None)

    def ready(self, container):
        return (self.told(container) or {}).get("ready")

    def ask(self, count=1):
        """Who answered so many requests; a status where it was not 200."""
        found = Counter()
        for _ in range(count):
            request = urllib.request.Request(f"http://127.0.0.1:{self.haystack.port}/", headers={"Host": self.service})
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    found[answer.read().decode()] += 1
            except urllib.error.HTTPError as error:
                found[error.code] += 1
                error.close()
        return found


@pytest.fixture(scope="module")
def haystack(client):
    with Haystack(DOCKER_HOST=HOST, HAYSTACK_WORKERS="1") as made:
        yield made


def have(container, path):
    assert container.exec_run(["touch", path])[0] == 0


def lack(container, path):
    assert container.exec_run(["rm", path])[0] == 0


def is_out(watched, cause, eventually):
    """Wait until the first one is out, and the other is not: what is told of it."""
    eventually(lambda: watched.ready(watched.one) is False, 20, lambda: f"it is not out: {watched.told(watched.one)}")
    told = watched.told(watched.one)
    assert cause in told["cause"], told
    assert told["reason"].startswith(told["cause"]), told
    assert re.search(r"\d (s|min)( ago|\))", told["reason"]), told
    assert watched.ready(watched.two)
    return told


def is_back(watched, eventually):
    eventually(lambda: watched.ready(watched.one), 20, lambda: f"it is not back: {watched.told(watched.one)}")
    assert watched.told(watched.one)["cause"] == "running"
    eventually(lambda: watched.one.name in watched.ask(8), 20, "it is back, and gets nothing")


@pytest.mark.parametrize(
    ("name", "file", "cause", "options"),
    [
        ("probe", "/sick", "probe", {"labels": PROBE}),
        ("check", "/unhealthy", "health unhealthy", {"healthcheck": CHECK}),
    ],
)
def test_a_check_puts_it_out_and_in_again_though_it_answers_well(haystack, host, eventually, name, file, cause, options):
    watched = Watched(haystack, host, name, **options)
    eventually(lambda: watched.ready(watched.one) and watched.ready(watched.two), 20, "the two are not in")
    have(watched.one, file)
    is_out(watched, cause, eventually)
    eventually(lambda: watched.ask(10) == {watched.two.name: 10}, 5, "requests still go there")
    lack(watched.one, file)
    is_back(watched, eventually)


def test_traffic_that_fails_ejects_it_for_a_while_and_it_comes_back_by_itself(haystack, host, eventually):
    watched = Watched(haystack, host, "traffic")
    eventually(lambda: watched.ready(watched.one) and watched.ready(watched.two), 20, "the two are not in")
    over, answers = threading.Event(), Counter()

    def load():
        while not over.is_set():
            answers.update(watched.ask())

    asking = threading.Thread(target=load)
    asking.start()
    try:
        have(watched.one, "/failing")
        told = is_out(watched, "ejected: ", eventually)
        assert "5xx" in told["cause"], told
        assert told["until"] - told["since"] == pytest.approx(5, abs=1), told
        lack(watched.one, "/failing")
        is_back(watched, eventually)
    finally:
        over.set()
        asking.join(30)
    assert sum(answers[word] for word in answers if isinstance(word, int)) <= 10, answers
