"""haystack.public: whom a service's own name and its haystack.host names are for."""

from __future__ import annotations

import pytest

from haystack.discovery import labels
from haystack.model.records import Container, Listing, Port
from tests.oracles.snapshot import build

HTTP = (Port(number=80, protocol="tcp", name="http"),)


def container(number: int, **told: str) -> Container:
    options, problems = labels.read({f"haystack.{name}": value for name, value in told.items()})
    return Container(
        id=f"{number:012x}" + "0" * 52,
        name=f"c{number}",
        engine="e",
        services=("web",),
        address="10.0.0.1",
        ports=HTTP,
        options=options,
        problems=problems,
    )


def made(*containers: Container):
    return build(1, "haystack", {"s": Listing(containers=containers)}, 1.0).services["web.services.haystack"]


@pytest.mark.parametrize(
    ("words", "public"), [(["true", "yes"], True), (["true"], True), (["true", None], False), ([None], False), (["true", "false"], False)]
)
def test_a_service_is_public_where_all_of_its_containers_say_so(words: list[str | None], public: bool) -> None:
    service = made(*(container(n, **({"public": word} if word else {})) for n, word in enumerate(words)))
    assert service.public is public
    assert [p.subject for p in service.problems] == (["label haystack.public"] if "true" in words and not public else [])


@pytest.mark.parametrize(("words", "public"), [([None, None], True), (["true", None], True), (["false", None], False), (["false"], False)])
def test_a_host_is_public_unless_one_of_those_who_carry_it_says_no(words: list[str | None], public: bool) -> None:
    service = made(*(container(n, host="a.example", **({"public": word} if word else {})) for n, word in enumerate(words)))
    assert [(claim.host, claim.public) for claim in service.claims] == [("a.example", public)]


def test_a_container_that_speaks_no_http_has_no_say() -> None:
    silent = container(2)
    other = Container(
        id=silent.id, name="db", engine="e", services=("web",), address="10.0.0.2", ports=(Port(number=5432, protocol="tcp", name="x"),)
    )
    assert made(container(1, public="true"), other).public


def test_a_bad_value_makes_nothing_public() -> None:
    service = made(container(1, public="everybody"))
    assert not service.public
