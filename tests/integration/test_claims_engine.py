"""haystack.host of real containers: each leads to those who carry it, beside others of the same service."""

import os
from collections import Counter

import pytest

from tests.fakes.client import Client
from tests.fakes.worker import Haystack

SERVICE = "carried.services.haystack"
OWN = {"haystack.name": "carried"}  # a service of this test's own, whatever else of nginx the engine runs


@pytest.fixture(scope="module")
def letters(host):
    """Two containers with a host each, one with both, two with none; each answers with its letter."""
    hosts = {"a": "one.example", "b": "two.example", "c": "both.example,one.example", "d": "", "e": ""}
    made = {letter: host.run("nginx", labels=OWN | ({"haystack.host": of} if of else {})) for letter, of in hosts.items()}
    for letter, container in made.items():
        code, printed = container.exec_run(["sh", "-c", f"echo {letter} >/usr/share/nginx/html/index.html"])
        assert code == 0, printed
    return made


@pytest.fixture(scope="module")
def port(client):
    """The http port of a Haystack that watches this engine."""
    engine = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    with Haystack([], DOCKER_HOST=engine, HAYSTACK_STATIC="", HAYSTACK_WORKERS="1") as haystack:
        yield haystack.port


def served(port, name, times=60):
    """Which letters answer, and what else comes, each on a connection of its own."""
    answers = Counter()
    for _ in range(times):
        with Client(port) as asker:
            response = asker.get(name)
        answers[response.body.decode().strip() if response.status == 200 else response.status] += 1
    return set(answers)


def test_each_host_is_served_by_the_containers_that_carry_it(letters, port, eventually):
    eventually(lambda: served(port, SERVICE) == set("abcde"), 30, lambda: f"the service is served by {served(port, SERVICE)}")
    assert served(port, "one.example") == set("ac")
    assert served(port, "two.example") == {"b"}
    assert served(port, "both.example") == {"c"}


def test_a_host_whose_container_was_killed_is_no_other_containers(letters, host, port, eventually):
    eventually(lambda: served(port, SERVICE) == set("abcde"), 30, "the service is not whole")
    letters["b"].kill()
    new = host.run("nginx", labels=OWN | {"haystack.host": "two.example"})
    code, printed = new.exec_run(["sh", "-c", "echo n >/usr/share/nginx/html/index.html"])
    assert code == 0, printed
    eventually(lambda: served(port, "two.example", 5) == {"n"}, 30, lambda: f"two.example is served by {served(port, 'two.example', 5)}")
    assert served(port, SERVICE) == set("acden")
