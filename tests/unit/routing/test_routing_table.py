"""Snapshot → routing table, and the parts that make a new table of an old one."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from haystack.model import ports
from haystack.model.records import Container, Listing, Options
from haystack.model.service_options import ServiceOptions
from haystack.routing.routing_table import PART
from haystack.routing.rows import ServiceRow, Table
from tests.fakes.usual import usual
from tests.oracles.routing_table import changes, of
from tests.oracles.snapshot import build


def container(number=1, service="web", numbers=(80,), **options):
    listed = tuple(ports.named(n, "tcp") for n in numbers)
    return Container(
        id=f"{number:x}" * 64,
        name="x",
        engine="e",
        services=(service,),
        address=f"10.0.0.{number}",
        ports=listed,
        options=Options(**options),
    )


def table(*containers):
    return of(build(3, "haystack", {"x": Listing(containers=containers)}, 0.0), usual("p2c", 60.0, 10.0))


def row(name, **fields):
    return ServiceRow(name=name, hosts=(name,), options=ServiceOptions(balance="p2c", timeout=1.0), listeners=((),), **fields)


def test_a_row_for_the_services_own_name_and_one_for_each_claim():
    made = table(container(hosts=("app", "*.app", "app"), path="/api/")).services
    assert [(row.hosts, row.path) for row in made] == [((host,), "/api") for host in ("web.services.haystack", "app", "*.app")]
    assert [row.key for row in made] == ["web.services.haystack", "web.services.haystack app/api", "web.services.haystack *.app/api"]
    assert {row.name for row in made} == {"web.services.haystack"}


@pytest.mark.parametrize("numbers", [(80,), (22,)])
def test_names_with_underscores_lead_to_a_service_as_its_own_does(numbers):
    made = table(replace(container(service="my-app", numbers=numbers), originals=("my_app",))).services
    assert [row.hosts for row in made] == [("my-app.services.haystack", "my_app.services.haystack")]


@pytest.mark.parametrize(("numbers", "served"), [((80,), [[80]]), ((8080,), [[8080]]), ((80, 8080), [[80], [8080]])])
def test_a_service_with_one_kind_of_port_is_served_on_both_listeners(numbers, served):
    (made,) = table(container(numbers=numbers)).services
    assert [[e.port for e in endpoints] for endpoints in made.listeners] == served


@pytest.mark.parametrize(("own", "seconds"), [(None, 60.0), (0.5, 0.5), (0.0001, 0.0001)])
def test_a_service_has_its_own_timeout_or_the_usual_one(own, seconds):
    assert table(container(timeout=own)).services[0].options.timeout == seconds


def test_a_service_without_http_is_there_to_say_so():
    (made,) = table(container(numbers=(22, 3000))).services
    assert (made.hosts, made.listeners, made.public) == (("web.services.haystack",), ((),), False)
    assert made.mute.startswith("web.services.haystack exists, but none of its ports is known to speak HTTP (22/tcp, 3000/tcp)")
    assert "haystack.port=3000" in made.mute


def test_only_what_differs_is_told():
    old, new = Table(1, (row("a"), row("b"), row("c"))), Table(2, (row("a"), row("b", path="/x"), row("d")))
    (part,) = changes(old, new)
    assert part == Table(2, (row("b", path="/x"), row("d")), ("c",), whole=False)


def test_a_version_without_a_change_is_told_too():
    assert list(changes(Table(1, (row("a"),)), Table(2, (row("a"),)))) == [Table(2, (), whole=False)]


def test_much_is_told_in_parts_and_what_is_gone_last():
    rows = tuple(row(f"s{n}") for n in range(2 * PART + 1))
    parts = list(changes(Table(1, (row("old"),)), Table(2, rows)))
    assert tuple(r for part in parts for r in part.services) == rows
    assert [(part.last, part.removed) for part in parts] == [(False, ()), (False, ()), (True, ("old",))]
