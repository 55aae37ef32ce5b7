"""`ready` tells the product's version, something to type that works, and where the page is."""

from __future__ import annotations

from pathlib import Path

import pytest

from haystack import __version__
from haystack.discovery import own_place
from haystack.model import ports
from haystack.model.records import Container, Listing
from haystack.model.snapshot import Snapshot
from haystack.settings.settings import Settings, load
from haystack.startup import greeting
from tests.oracles.snapshot import build

PORTS = {"http": 80, "http-alt": 8080, "dns": 53, "ssh": 22}


def shown(origin: str, *containers: Container) -> Snapshot:
    return build(7, origin, {"x": Listing(containers=containers)}, 0.0)


def web(*numbers: int) -> Container:
    return Container(
        id="1" * 64, name="web", engine="e", services=("nginx",), address="10.0.0.2", ports=tuple(ports.named(n, "tcp") for n in numbers)
    )


def settings(**given: str) -> Settings:
    return load(given)


def test_it_is_the_product_s_version(tmp_path: Path) -> None:
    told = greeting.ready(settings(bind="127.0.0.1"), shown("haystack", web(80)), PORTS, [])
    assert told == {
        "version": __version__, "example": "curl -H 'Host: nginx.services.haystack' http://127.0.0.1/", "page": "http://127.0.0.1/ui",
        "containers": 1, "services": 1, "http": 80, "http_alt": 8080, "dns": 53, "ssh": 22,
    }  # fmt: skip


def test_names_under_localhost_are_typed_as_they_are() -> None:
    told = greeting.ready(settings(origin="localhost"), shown("localhost", web(80)), PORTS | {"http": 8000}, [])
    assert (told["example"], told["page"]) == ("http://nginx.services.localhost:8000/", "http://localhost:8000/ui")


def test_in_a_container_it_names_an_address_that_others_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_place, "container_id", lambda: "a" * 64)
    monkeypatch.setattr(own_place, "addresses", lambda: ("172.17.0.2", "fd00::2"))
    assert greeting.ready(settings(), shown("haystack", web(80)), PORTS, [])["page"] == "http://172.17.0.2/ui"


@pytest.mark.parametrize(("given", "place"), [({"address": "192.0.2.7"}, "192.0.2.7"), ({"bind": "::1"}, "[::1]"), ({}, "127.0.0.1")])
def test_elsewhere_what_was_set_or_loopback(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], place: str) -> None:
    monkeypatch.setattr(own_place, "container_id", lambda: "")
    assert greeting.ready(settings(**given), shown("haystack", web(80)), PORTS, [])["page"] == f"http://{place}/ui"


def test_the_example_is_one_that_is_well_where_any_is() -> None:
    early = Container(
        id="0" * 64, name="a", engine="e", services=("early",), address="10.0.0.3", ports=(ports.named(80, "tcp"),), health="unhealthy"
    )
    told = greeting.ready(settings(bind="127.0.0.1"), shown("haystack", early, web(80)), PORTS, [])
    assert "Host: nginx.services.haystack" in str(told["example"])


@pytest.mark.parametrize("containers", [(), (web(22),)])
def test_where_nothing_speaks_http_it_says_what_to_start(containers: tuple[Container, ...]) -> None:
    told = greeting.ready(settings(bind="127.0.0.1"), shown("haystack", *containers), PORTS, ["unix:///x does not answer: no such file"])
    assert told["example"] == "docker run --detach nginx, then curl -H 'Host: nginx.services.haystack' http://127.0.0.1/"
    assert told["missing"] == ["unix:///x does not answer: no such file"]


def test_without_its_web_side_there_is_no_page() -> None:
    assert "page" not in greeting.ready(settings(admin="off"), shown("haystack"), PORTS, [])
