"""What a deploy script does, on a real engine: drain a container, wait, restart or replace it, give it back, wait; and no request fails."""

from __future__ import annotations

import os
import uuid

import pytest

from tests.fakes.client import Client
from tests.fakes.load import Load
from tests.fakes.operators import Operator
from tests.fakes.ssh import NEEDS_SSH
from tests.fakes.worker import Haystack, until

pytestmark = NEEDS_SSH
GROUP = f"op{uuid.uuid4().hex[:8]}"
SERVICE = f"{GROUP}.nginx.services.haystack"
HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")


@pytest.fixture(scope="module")
def stage(host, tmp_path_factory):
    """Two nginx, Haystack in front of them, and an operator."""
    made = [host.run("nginx", name=f"{GROUP}-{number}") for number in (1, 2)]
    operator = Operator(tmp_path_factory.mktemp("key"))
    with Haystack([], HAYSTACK_STATIC="", DOCKER_HOST=HOST, HAYSTACK_WORKERS="2", **operator.settings) as haystack:
        yield haystack, lambda line: operator.says(haystack, line), made


def body(haystack):
    with Client(haystack.port) as client:
        return client.get(SERVICE).body


def test_a_rolling_restart_loses_nothing(stage, host):
    haystack, says, made = stage
    assert says(f"wait '{GROUP}.nginx>=2' --timeout 20s").status == 0
    with Load().http(haystack.port, SERVICE, body(haystack), keep=4, new=2) as load:
        for container in made:
            load.go_on()
            said = says(f"drain {container.name} --wait --why restart")
            assert (said.status, said.err) == (0, "")
            container.restart(timeout=5)
            load.go_on()
            row = next(each for each in says(f"endpoints {container.name} --json").json if each["container"] == container.id)
            assert (row["ready"], row["override"]["why"]) == (False, "restart"), "it is drained still after its restart"
            assert says(f"undrain {container.name}").status == 0
            assert says(f"wait {GROUP}.nginx>=2 --timeout 20s").status == 0
        load.go_on()
    assert not load.wrong


def test_a_new_container_of_that_name_is_another_one(stage, host):
    _, says, made = stage
    old = made[0]
    assert says(f"drain {old.name} --wait").status == 0
    name = old.name
    old.remove(force=True)
    new = host.run("nginx", name=name)
    assert says(f"wait {GROUP}.nginx>=2 --timeout 20s").status == 0
    listed = says("drain").out
    assert f"{name} (gone)" in listed
    assert says(f"undrain {old.id}").status == 0
    until(lambda: name not in says("drain").out, 5, "it is listed still")
    assert new.id != old.id
