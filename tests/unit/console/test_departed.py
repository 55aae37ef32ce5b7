"""The shell on containers that have gone: how they ended, for as long as the registry remembers."""

from __future__ import annotations

import json
from types import SimpleNamespace

import msgspec
import pytest

from haystack.catalog.registry import REMEMBERED, Registry
from haystack.console import command, departed, shell
from haystack.model import ports
from haystack.model.records import Container, Departure, Listing, Options
from tests.fakes.state import state
from tests.oracles.snapshot import build

ONE = Container(
    id="a" * 64,
    name="one",
    engine="e",
    services=("nginx",),
    address="10.0.0.7",
    ports=(ports.named(80, "tcp"),),
    health="unhealthy",
    health_output="no\x1b[2J database",
    options=Options(hosts=("app.example",)),
)


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    monkeypatch.setattr(departed, "time", SimpleNamespace(monotonic=lambda: 1000.0))


def shown(*containers, **fields):
    """State with these containers running, and `one` gone 12 s ago."""
    made = state(snapshot=build(1, "haystack", {"x": Listing(containers=containers)}, 100.0))
    made.registry.departures = [Departure(container=ONE, at=100.0, seen=988.0, exit="137", oom=True, **fields)]
    return made


def test_endpoints_show_it_as_gone_with_exit_status_memory_and_time():
    text = shell.run(shown(), ["endpoints", "--gone"]).text
    line = next(line for line in text.splitlines() if line.startswith("nginx "))
    assert "aaaaaaaaaaaa:80/tcp" in line
    assert "gone: exit 137, out of memory, 12.0 s ago" in line
    assert "one: last health check: no\\x1b[2J database" in text
    assert "\x1b" not in text


def test_json_has_it_where_it_is_asked_for():
    here = msgspec.structs.replace(ONE, id="b" * 64, name="other", address="10.0.0.8")
    other, gone = json.loads(shell.run(shown(here), ["endpoints", "--gone", "--json"]).text)
    assert (gone["id"], gone["name"], gone["container_name"]) == ("aaaaaaaaaaaa:80/tcp", "nginx.services.haystack", "one")
    assert (gone["ready"], gone["cause"], gone["since"]) == (False, "gone: exit 137, out of memory", 100.0)
    assert gone["reason"].startswith("gone: exit 137, out of memory ")
    assert gone.keys() == other.keys()
    for words in (["endpoints", "--json"], ["endpoints", "other", "--gone", "--json"], ["services", "--json"]):
        assert [each["id"] for each in json.loads(shell.run(shown(here), words).text)] == ["bbbbbbbbbbbb:80/tcp"], words


@pytest.mark.parametrize(
    "words",
    [["explain", "http://nginx.services.haystack/"], ["explain", "app.example"], ["service", "nginx"]],
)
def test_who_asks_for_what_has_gone_with_it_is_told(words):
    result = shell.run(shown(), words)
    assert result.status == command.NOT_FOUND
    assert "one gone: exit 137, out of memory, 12.0 s ago" in result.text


def test_who_had_no_port_that_speaks_http_leaves_nothing_to_wait_for():
    deaf = msgspec.structs.replace(ONE, id="b" * 64, name="deaf", ports=())
    asked = shown(deaf)
    asked.registry.departures = [Departure(container=msgspec.structs.replace(ONE, ports=()), at=100.0, seen=988.0)]
    text = shell.run(asked, ["explain", "nginx.services.haystack"]).text
    assert "no service claims nginx.services.haystack/: 404\n" in text
    assert "deaf belongs to it, but it exposes no port, " in text
    assert "one gone: its process ended" in text


@pytest.mark.parametrize("words", [["endpoints"], ["explain", "http://nginx.services.haystack/"], ["service", "nginx"]])
def test_one_that_is_back_says_what_was_before(words):
    text = shell.run(shown(ONE), words).text
    assert "one is back; before: exit 137, out of memory, 12.0 s ago" in text
    assert "gone:" not in text


def test_nothing_of_it_is_on_the_wire():
    assert "137" not in shell.run(shown(), ["endpoints", "--json"]).text


async def test_the_registry_forgets_after_a_minute():
    now = SimpleNamespace(steady=1000.0)
    registry = Registry("haystack", steady=lambda: now.steady)
    registry.replace("x", Listing(departures=(Departure(container=ONE, at=1.0, seen=990.0),)))
    assert [d.container.name for d in registry.departures] == ["one"]
    now.steady = 990.0 + REMEMBERED + 1
    assert registry.departures == []
    registry.flush()
