"""Networks of a real engine: who is reached, who is not and what to type then, and who shares whose."""

import json
import os
import re
import shlex
import subprocess
import urllib.request
from http.client import HTTPConnection

import pytest

from bench.macro.process import Haystack

HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
GROUP = f"networks{os.getpid()}"
SERVE = ["sh", "-c", "mkdir /www; echo hello >/www/index.html; exec httpd -f -p 8000 -h /www"]
PORT = {"haystack.port": "8000"}
TYPED = re.compile(r"type `([^`]*)`")


class Site:
    """A Haystack that answers at `address`, as its web side and its clients see it."""

    def __init__(self, address, port=80):
        self.address, self.port = address, port

    def api(self, what):
        with urllib.request.urlopen(f"http://{self.address}:{self.port}/api/{what}", timeout=10) as answer:
            return json.load(answer)

    def container(self, made):
        """What /api/containers tells of one, by its id; an empty dict: nothing."""
        return self.api("containers").get(made.id, {})

    def services(self, made):
        """Its endpoints in /api/services."""
        return [s for s in self.api("services") if s["container"] == made.id]

    def problems(self, about):
        """What is told of its networks and address."""
        return [p["message"] for p in self.api("info")["problems"] if p["about"] == about and p["subject"] in ("network", "address")]

    def ask(self, name):
        """Status and Proxy-Status of a GET by this Host."""
        connection = HTTPConnection(self.address, self.port, timeout=20)
        connection.request("GET", "/", headers={"Host": name})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, answer.getheader("Proxy-Status") or ""


@pytest.fixture(scope="module")
def near(client):
    """Haystack on the engine's machine."""
    with Haystack(DOCKER_HOST=HOST, HAYSTACK_WORKERS="1") as made:
        yield Site("127.0.0.1", made.port)


@pytest.fixture
def network(client):
    made = client.networks.create(f"{GROUP}_shop")
    yield made
    made.reload()
    for each in made.containers:
        made.disconnect(each, force=True)
    made.remove()


def type_what_is_told(text):
    """Run the command that a message holds, word for word."""
    command = TYPED.search(text).group(1)
    assert command.startswith("docker "), text
    subprocess.run(shlex.split(command), check=True, capture_output=True, timeout=60)


@pytest.fixture
def far(host, image, engine_url, eventually, address_of):
    """Haystack in a container on the default bridge, and its name."""
    if engine_url is None:
        pytest.skip("the engine has no address for containers")
    made = host.run(image, name=f"{GROUP}-front", environment={"DOCKER_HOST": engine_url, "HAYSTACK_WORKERS": "1"})
    site = Site(address_of(made))
    eventually(lambda: made.reload() or made.status == "running", 20)

    def is_ready():
        try:
            return site.ask(site.address) and site.api("containers") is not None
        except OSError:
            return False

    eventually(is_ready, 30, lambda: made.logs().decode()[-2000:])
    return site


@pytest.mark.timeout(1000)  # it may be the one that builds the image
def test_a_container_on_another_network_is_told_and_what_is_told_to_be_typed_helps(host, far, network, eventually):
    web = host.run("busybox", SERVE, name=f"{GROUP}-web", network=network.name, labels=PORT | {"haystack.name": GROUP})
    name = f"{GROUP}.services.haystack"
    told = eventually(lambda: next((s for s in far.services(web) if s["unreachable"]), None), 30, lambda: far.services(web))
    command = f"docker network connect {network.name} {GROUP}-front"
    assert told["cause"] == f"port 8000 does not answer: Haystack has no address on its network {network.name}; type `{command}`"
    assert far.problems(name) == [f"{GROUP}-web can't be reached: {told['cause'].partition(': ')[2]}"]
    status, proxy_status = far.ask(name)
    assert (status, f"type `{command}`" in proxy_status) == (503, True), proxy_status
    type_what_is_told(proxy_status)
    eventually(lambda: far.ask(name)[0] == 200, 10, lambda: far.services(web))
    assert far.problems(name) == []
    network.disconnect(f"{GROUP}-front")
    far.ask(name)
    eventually(lambda: far.services(web)[0]["unreachable"], 30, lambda: far.services(web))


def test_who_shares_the_network_of_another_has_its_address_and_follows_it(host, near, network, eventually):
    main = host.run("busybox", ["sleep", "600"], name=f"{GROUP}-main")
    side = host.run("busybox", SERVE, name=f"{GROUP}-side", network_mode=f"container:{main.name}", labels=PORT | {"haystack.name": GROUP})
    bridged = main.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    eventually(lambda: near.container(side).get("addr") == bridged, 10, lambda: near.container(side))
    eventually(lambda: near.ask(f"{GROUP}.services.haystack")[0] == 200, 10, lambda: near.services(side))
    network.connect(main)
    host.client.networks.get("bridge").disconnect(main)
    main.reload()
    moved = main.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"]
    eventually(lambda: near.container(side).get("addr") == moved, 10, lambda: near.container(side))
    eventually(lambda: near.ask(f"{GROUP}.services.haystack")[0] == 200, 10, lambda: near.services(side))


def test_whoever_was_left_on_an_old_network_stack_is_told_to_be_restarted_and_that_helps(host, near, eventually):
    main = host.run("busybox", ["sleep", "600"], name=f"{GROUP}-old")
    side = host.run("busybox", SERVE, name=f"{GROUP}-left", network_mode=f"container:{main.name}", labels=PORT | {"haystack.name": "left"})
    eventually(lambda: near.ask("left.services.haystack")[0] == 200, 10, lambda: near.services(side))
    main.kill()
    eventually(lambda: near.container(side).get("addr", "") is None, 10, lambda: near.container(side))
    assert any("is not running" in each for each in near.problems(side.id))
    main.start()
    told = f"it is on a network stack that {main.name} had before its restart; type `docker restart {side.name}`"
    eventually(lambda: told in near.problems(side.id), 10, lambda: near.container(side))
    eventually(lambda: [s["unreachable"] for s in near.services(side)] == [True], 10, lambda: near.services(side))
    status, proxy_status = near.ask("left.services.haystack")
    assert (status, told in proxy_status) == (503, True), proxy_status
    type_what_is_told(told)
    eventually(lambda: near.ask("left.services.haystack")[0] == 200, 30, lambda: near.services(side))
    assert near.problems(side.id) == []


def test_a_one_off_of_compose_has_its_name_and_no_part_in_a_service(host, near, eventually):
    compose = PORT | {"com.docker.compose.project": GROUP, "com.docker.compose.service": "db"}
    served = host.run("busybox", SERVE, name=f"{GROUP}-db-1", labels=compose | {"com.docker.compose.oneoff": "False"})
    once = host.run("busybox", SERVE, name=f"{GROUP}-db-run-1", labels=compose | {"com.docker.compose.oneoff": "True"})
    eventually(lambda: near.container(once).get("addr"), 10)
    eventually(
        lambda: {s["name"] for s in near.services(served)} == {f"db.{GROUP}.services.haystack", f"{GROUP}-db.busybox.services.haystack"}, 10
    )
    assert (near.container(once)["services"], near.services(once)) == ([], [])


def test_a_container_without_network_is_a_problem_that_says_so(host, near, eventually):
    lone = host.run("busybox", SERVE, name=f"{GROUP}-lone", network_mode="none", labels=PORT)
    eventually(lambda: near.container(lone), 10)
    assert near.problems(lone.id) == ["it has none, so it gets no requests: its network is none"]
