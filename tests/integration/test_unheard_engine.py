"""A service none of whose ports is known to speak HTTP, such as gitea with 22 and 3000: it is said everywhere what would have it served."""

from __future__ import annotations

import json
import subprocess
import uuid

import pytest

TOKEN = uuid.uuid4().hex[:8]
SERVICE = f"gitea{TOKEN}.busybox.services.haystack"
HINT = "none of its ports is known to speak HTTP (22/tcp, 3000/tcp): set the label haystack.port to its HTTP port, as in haystack.port=3000"
SERVE = ["sh", "-c", "mkdir /www; echo gitea >/www/index.html; exec httpd -f -p 3000 -h /www"]
EXPOSED = ("22/tcp", "3000/tcp")


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("ssh") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture(scope="module")
def address(host, image, key, eventually, address_of):
    """Haystack's."""
    environment = {"HAYSTACK_LOG_FORMAT": "json", "HAYSTACK_SSH_AUTHORIZED_KEYS": key.with_suffix(".pub").read_text()}
    container = host.run(image, environment=environment, volumes=["/var/run/docker.sock:/var/run/docker.sock"])
    eventually(lambda: '"ready"' in container.logs().decode(), 30, lambda: container.logs().decode()[-2000:])
    return address_of(container)


@pytest.fixture(scope="module")
def gitea(client, images, host):
    """An image that exposes these two, as gitea's does, and a container of it."""
    container = host.run("busybox", SERVE, name=f"gitea{TOKEN}-1", ports=dict.fromkeys(EXPOSED, ("127.0.0.1", None)))
    return container.name


def get(address, target, name, *more):
    """Status and body of what curl fetches."""
    line = [
        "curl",
        "-s",
        "--noproxy",
        "*",
        "--max-time",
        "5",
        "-H",
        f"Host: {name}",
        "-w",
        "\n%{http_code}",
        *more,
        f"http://{address}{target}",
    ]
    body, _, status = subprocess.run(line, capture_output=True, text=True, timeout=10, check=False).stdout.rpartition("\n")
    return int(status or 0), body


def test_the_answer_says_that_the_service_is_there_and_names_the_label(address, gitea, eventually):
    eventually(lambda: HINT in get(address, "/", SERVICE)[1], 20, lambda: f"{get(address, '/', SERVICE)}")
    status, body = get(address, "/", SERVICE)
    assert (status, f"{SERVICE} exists, but {HINT}" in body) == (404, True)
    told = json.loads(get(address, "/", SERVICE, "-H", "Accept: application/json")[1])
    assert told["detail"] == f"{SERVICE} exists, but {HINT}"


def test_what_the_page_shows_and_the_shells_service_say_the_same(address, gitea, key, eventually):
    eventually(lambda: SERVICE in get(address, "/api/info", address)[1], 20, "the service never came")
    services = json.loads(get(address, "/api/info", address)[1])["services"]
    assert {each["hint"] for group in services.values() for each in group if each["name"] == SERVICE} == {HINT}
    options = ["-F", "none", "-o", "LogLevel=ERROR", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-i", str(key)]
    line = ["ssh", *options, f"admin@{address}", "service", SERVICE]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, HINT in done.stdout) == (0, True)


def test_the_label_that_is_named_has_it_served(address, host, eventually):
    """The hint is true."""
    name = f"labelled{TOKEN}.busybox.services.haystack"
    options = {"ports": dict.fromkeys(EXPOSED, ("127.0.0.1", None)), "labels": {"haystack.port": "3000"}}
    host.run("busybox", SERVE, name=f"labelled{TOKEN}-1", **options)
    eventually(lambda: get(address, "/", name) == (200, "gitea\n"), 20, lambda: f"{get(address, '/', name)}")
