"""What an operator's words mean: endpoints, containers and services by all of their names, and nothing by two at once."""

from __future__ import annotations

import time
from typing import Any

import pytest

from haystack.loop.turns import at_once
from haystack.model import ports
from haystack.model.overrides import Overrides, Scope, Target
from haystack.model.records import Container, Listing
from haystack.model.services import Override
from haystack.operator import targets, waits
from haystack.operator.targets import UnknownError
from tests.oracles.snapshot import build

WEB = "web.services.haystack"


def container(number: int, name: str, *services: str, **changes: Any) -> Container:
    numbers = tuple(ports.named(n, "tcp") for n in (80, 443))
    usual = {"engine": "e", "address": f"10.0.0.{number}", "services": services, "ports": numbers}
    return Container(**{"id": f"{number:02x}" * 32, "name": name, **usual, **changes})


SITE = build(
    1,
    "haystack",
    {
        "x": Listing(
            containers=(
                container(1, "web-1", "web"),
                container(2, "web-2", "web", "shop", address6="fd00::2"),
                container(3, "both", "both"),
                container(4, "twice", "web"),
                container(5, "twice", "web"),
                container(6, "one.port", "solo", ports=(ports.named(53, "udp"),)),
            )
        )
    },
    1.0,
)


def find(text: str) -> Target:
    return at_once(targets.find(SITE, text))


@pytest.mark.parametrize(
    ("text", "scope", "name"),
    [
        ("01" * 6 + ":80/tcp", Scope.ENDPOINT, "web-1:80"),
        ("web-1:80", Scope.ENDPOINT, "web-1:80"),
        ("web-1:443/tcp", Scope.ENDPOINT, "web-1:443"),
        ("10.0.0.1:80", Scope.ENDPOINT, "web-1:80"),
        ("[fd00::2]:80", Scope.ENDPOINT, "web-2:80"),
        ("one.port:53", Scope.ENDPOINT, "one.port:53/udp"),
        ("web-1", Scope.CONTAINER, "web-1"),
        ("01" * 32, Scope.CONTAINER, "web-1"),
        ("0101", Scope.CONTAINER, "web-1"),
        ("10.0.0.2", Scope.CONTAINER, "web-2"),
        ("fd00::2", Scope.CONTAINER, "web-2"),
        ("web", Scope.SERVICE, "web"),
        ("WEB", Scope.SERVICE, "web"),
        (WEB, Scope.SERVICE, "web"),
        (f"{WEB}.", Scope.SERVICE, "web"),
        ("service:both", Scope.SERVICE, "both"),
        ("container:both", Scope.CONTAINER, "both"),
        ("both:80", Scope.ENDPOINT, "both:80"),
    ],
)
def test_what_a_word_means(text: str, scope: Scope, name: str) -> None:
    found = find(text)
    assert (found.scope, found.name) == (scope, name)
    assert (found.id, found.container) == (WEB if name == "web" else found.id, "" if scope is Scope.SERVICE else found.container)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nobody", "no endpoint, container or service nobody"),
        ("both", "both is a service and a container: say service:both or container:both"),
        ("twice", "twice is 2 containers: 040404040404, 050505050505"),
        ("twice:80", "twice:80 is 2 endpoints: 040404040404:80/tcp, 050505050505:80/tcp"),
        ("web-1:81", "web-1 has no port 81: its ports are 80/tcp, 443/tcp"),
        ("web-1:80/udp", "web-1 has no port 80: its ports are 80/tcp, 443/tcp"),
        ("web-9:80", "no endpoint web-9:80"),
        ("service:web-1", "no endpoint, container or service web-1"),
        ("", "no endpoint, container or service "),
        (":", "no endpoint, container or service :"),
        ("01", "no endpoint, container or service 01"),
    ],
)
def test_what_no_word_means(text: str, told: str) -> None:
    with pytest.raises(UnknownError) as raised:
        find(text)
    assert str(raised.value) == told


def test_a_weight_is_for_the_only_endpoint_of_a_container() -> None:
    assert targets.only_endpoint(SITE, find("one.port")).name == "one.port:53/udp"
    with pytest.raises(UnknownError, match="web-1 has 2 endpoints: say web-1:80, web-1:443"):
        targets.only_endpoint(SITE, find("web-1"))


def override(target: Target, **changes: Any) -> Override:
    usual = {"scope": target.scope.value, "target": target.id, "name": target.name, "container": target.container}
    return Override(**{**usual, "by": "eve", "at": time.time(), **changes})


def test_what_has_gone_is_found_among_overrides_where_its_name_is_the_only_one() -> None:
    gone = override(Target(scope=Scope.CONTAINER, id="ff" * 32, name="old", container="ff" * 32))
    assert targets.held([gone], SITE, "old") == Target(scope=Scope.CONTAINER, id="ff" * 32, name="old", container="ff" * 32)
    assert targets.held([gone], SITE, "ff" * 32) is not None
    assert targets.held([gone], SITE, "new") is None
    assert targets.held([gone, override(Target(scope=Scope.CONTAINER, id="ee" * 32, name="old"))], SITE, "old") is None
    service = override(find("web"))
    assert targets.held([service], SITE, "web.services.haystack.") is not None


def test_what_keeps_a_target_out_besides_its_own_drain() -> None:
    drains = [override(find(each)) for each in ("web-2:80", "web-2", "shop")]
    held = Overrides(drains={each.target: each for each in drains})
    assert [each.name for each in targets.still(held, SITE, find("web-2:80"))] == ["web-2", "shop"]
    assert [each.name for each in targets.still(held, SITE, find("web-2"))] == ["web-2:80", "shop"]
    assert targets.still(held, SITE, find("shop")) == []
    assert targets.still(held, SITE, find("web-1")) == []


@pytest.mark.parametrize(("text", "found"), [("web", ("web", 1)), ("web>=3", ("web", 3)), (" web.x >= 0 ", ("web.x", 0))])
def test_what_is_waited_for(text: str, found: tuple[str, int]) -> None:
    assert waits.wanted(text) == found


@pytest.mark.parametrize("text", ["", ">=3", "web>3", "web>=", "web>=-1", "web>=x", "a b", "web>=3>=4", "web=3"])
def test_what_can_not_be_waited_for(text: str) -> None:
    with pytest.raises(ValueError, match="such as web>=3"):
        waits.wanted(text)


def test_only_endpoints_that_speak_http_count_where_any_does() -> None:
    assert waits.readiness(SITE, WEB) == (4, 0, 4)
    assert waits.readiness(SITE, "solo.services.haystack") == (1, 0, 1)
    assert waits.readiness(SITE, "nobody.services.haystack") == (0, 0, 0)
