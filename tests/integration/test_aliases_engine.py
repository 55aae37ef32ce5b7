"""Containers of nginx-proxy and of Traefik are served as they are; what they carry beside is shown nowhere."""

import json
import os
import uuid

import pytest

from tests.fakes.client import Client
from tests.fakes.worker import Haystack

TOKEN = uuid.uuid4().hex[:8]
SECRET = f"hunter2-{TOKEN}"
OLD, NEW, RULED = (f"{word}-{TOKEN}.example" for word in ("old", "new", "ruled"))


@pytest.fixture(scope="module")
def port(client):
    """The http port of a Haystack that watches this engine."""
    engine = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    with Haystack([], DOCKER_HOST=engine, HAYSTACK_STATIC="", HAYSTACK_WORKERS="1", HAYSTACK_ALIASES="nginx-proxy,traefik") as haystack:
        yield haystack.port


def told(port):
    with Client(port) as asker:
        return asker.get("localhost", "/api/info").body.decode()


def claims(port):
    """Hosts and paths that lead to a container."""
    services = json.loads(told(port))["services"]
    return {(claim["host"], claim["path"]) for each in services.values() for endpoint in each for claim in endpoint["claims"]}


def test_variables_of_nginx_proxy_and_labels_of_traefik_lead_to_their_containers(host, port, eventually):
    host.run("nginx", environment={"VIRTUAL_HOST": OLD, "VIRTUAL_PORT": SECRET, "PASSWORD": SECRET})
    host.run("nginx", environment={"VIRTUAL_HOST": f"not-{OLD}"}, labels={"haystack.host": NEW})
    host.run("nginx", labels={"traefik.http.routers.web.rule": f"Host(`{RULED}`) && PathPrefix(`/x`)"})
    wanted = {(OLD, "/"), (NEW, "/"), (RULED, "/x")}
    eventually(lambda: wanted <= claims(port), 30, lambda: f"{claims(port)}")
    assert (f"not-{OLD}", "/") not in claims(port)
    with Client(port) as asker:
        assert asker.get(OLD).status == 200
    assert "variable VIRTUAL_PORT" in told(port)
    assert SECRET not in told(port)
