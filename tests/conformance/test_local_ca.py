"""HAYSTACK_TLS_LOCAL: a client that trusts Haystack's own authority reaches every service over HTTPS, and nothing is to be set up."""

from __future__ import annotations

import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import Origin
from tests.fakes.worker import Haystack, Member, host, until


@pytest.fixture
def https(origin: Origin, tmp_path: Path):
    """A Haystack with its own authority, and a file with that one's certificate."""
    with Haystack([Member("web", origin.port, {"haystack.host": "app.localhost"})], HAYSTACK_TLS_LOCAL="on") as haystack:
        with Client(haystack.port) as client:
            answer = client.get("localhost", "/ca.pem")
        assert answer.status == 200
        (tmp_path / "ca.pem").write_bytes(answer.body)
        yield haystack, tmp_path / "ca.pem"


def curl(https, name: str, path: str = "/") -> tuple[int, str]:
    """Exit status of curl, and the status of the answer."""
    haystack, ca = https
    port = haystack.wait("ready")["https"]
    words = [
        "curl",
        "--silent",
        "--cacert",
        str(ca),
        "--resolve",
        f"{name}:{port}:127.0.0.1",
        "--write-out",
        "%{http_code}",
        "--output",
        "/dev/null",
    ]
    done = subprocess.run([*words, f"https://{name}:{port}{path}"], capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", [host("web"), "app.localhost", "haystack", "localhost"])
def test_each_name_of_ours_is_reached_with_a_good_certificate(https, name):
    assert curl(https, name, "/ui" if name in ("haystack", "localhost") else "/") == (0, "200")


def test_a_service_with_a_group_is_there_as_soon_as_it_comes(https, origin):
    haystack, _ = https
    haystack.show([Member("web", origin.port), Member("web", origin.port, {"haystack.group": "blue"})])
    until(lambda: haystack.serving("blue.web") == 1, 20, "the service is not there")
    assert curl(https, host("blue.web")) == (0, "200")


def test_it_is_the_same_after_a_restart(https, origin):
    haystack, ca = https
    with (
        Haystack([Member("web", origin.port)], HAYSTACK_TLS_LOCAL="on", HAYSTACK_STATE_DIR=str(haystack.state)) as other,
        Client(other.port) as client,
    ):
        assert client.get("localhost", "/ca.pem").body == ca.read_bytes()


def test_names_of_others_are_refused(https):
    haystack, ca = https
    context = ssl.create_default_context(cafile=str(ca))
    with socket.create_connection(("127.0.0.1", haystack.wait("ready")["https"])) as sock, pytest.raises(ssl.SSLError):
        context.wrap_socket(sock, server_hostname="www.example.com")
