"""The log's story on a real engine: who came, what that means, who left and why; and `ready`, once."""

from __future__ import annotations

import json
import uuid

import pytest

from haystack import __version__

TOKEN = uuid.uuid4().hex[:8]
SERVICE = f"story{TOKEN}.nginx.services.haystack"
START = ("engine.connected", "source.listed")


class Teller:
    """A Haystack of the image, and what its log says."""

    def __init__(self, container, eventually):
        self.container = container
        self._eventually = eventually

    def lines(self, **wanted):
        """Those that have these fields; event is one."""
        told = [json.loads(line) for line in self.container.logs().decode().splitlines()]
        return [line for line in told if wanted.items() <= line.items()]

    def until(self, count=1, **wanted):
        """The last of so many such lines, as soon as they are there."""
        self._eventually(lambda: len(self.lines(**wanted)) >= count, 30, lambda: f"no {wanted}: {self.container.logs().decode()[-3000:]}")
        return self.lines(**wanted)[count - 1]


@pytest.fixture(scope="module")
def early(host):
    """A container that was there before Haystack."""
    return host.run("nginx", name=f"story{TOKEN}-1")


@pytest.fixture(scope="module")
def teller(host, image, early, eventually):
    options = {"environment": {"HAYSTACK_LOG_FORMAT": "json"}, "volumes": ["/var/run/docker.sock:/var/run/docker.sock:ro"]}
    made = Teller(host.run(image, **options), eventually)
    made.until(event="ready")
    return made


def test_the_start_is_told_in_order_and_ready_once_with_the_version(teller, early):
    (ready,) = teller.lines(event="ready")
    assert ready["version"] == __version__
    before = [line["event"] for line in teller.lines()][: teller.lines().index(ready)]
    assert [event for event in before if event in START] == list(START)
    up = teller.until(event="service.up", name=SERVICE)  # not before its container, which is young, has shown that it accepts
    assert up["url"] == f"http://{SERVICE}/"
    if teller.lines(event="events.counted", kind="container.joined"):
        return  # so many containers of others are here that not each has a line
    (joined,) = teller.lines(event="container.joined", name=early.name)
    assert (joined["id"], joined["services"]) == (early.id[:12], [SERVICE])
    assert joined["dns"] == f"{early.name}.containers.haystack"
    assert teller.lines().index(joined) < teller.lines().index(up)


LEAVING = {
    "stop": (lambda c: c.stop(timeout=3), "killed with SIGTERM"),
    "kill": (lambda c: c.kill(), "killed with SIGKILL"),
    "exit": (lambda c: c.exec_run(["sh", "-c", "echo 3 >/end"]), "exit 3"),
    "pause": (lambda c: c.pause(), "paused"),
}
SERVE = ["sh", "-c", "nginx; while ! [ -e /end ]; do sleep 0.1; done; exit $(cat /end)"]


@pytest.mark.parametrize("way", LEAVING)
def test_who_leaves_and_why_is_told_and_what_that_means_for_the_service(teller, host, way):
    leave, reason = LEAVING[way]
    service = f"{way}{TOKEN}.nginx.services.haystack"
    container = host.run("nginx", SERVE, name=f"{way}{TOKEN}-1")
    up = teller.until(event="service.up", name=service)
    leave(container)
    left = teller.until(event="container.left", name=container.name)
    assert (left["id"], left["services"], left["reason"]) == (container.id[:12], [service], reason)
    down = teller.until(event="service.down", name=service)
    assert (down["level"], down["reason"]) == ("warning", reason)
    told = [line for line in teller.lines() if line["event"] != "ready"]
    story = [line["event"] for line in told if service in (line.get("name", ""), *line.get("services", ()))]
    assert story[:4] == ["container.joined", "service.up", "container.left", "service.down"]
    assert "down_seconds" not in up
    if way == "pause":
        container.unpause()  # not before: a pause that is over when its event is looked into has taken nothing out
        assert teller.until(2, event="service.up", name=service)["down_seconds"] >= 0
    else:
        assert teller.until(event="container.died", name=container.name)["exit"] == ("3" if way == "exit" else "137")


def test_every_line_has_an_event_of_one_form_and_no_id_of_64_digits(teller):
    for line in teller.lines():
        assert line["event"] == "ready" or line["event"].count(".") == 1
        assert not any(isinstance(value, str) and len(value) == 64 and value.isalnum() for value in line.values())
