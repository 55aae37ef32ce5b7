"""Options of a service's names: each haystack.host has those of its own containers, and the service's own name those that are left."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from haystack.catalog.service import OPTIONS
from haystack.loop.turns import at_once
from haystack.model import ports
from haystack.model.records import Container
from haystack.model.service_options import ServiceOptions
from haystack.model.services import Service
from haystack.routing import routing_table
from tests.fakes.usual import usual
from tests.oracles import routing_table as oracle
from tests.unit.catalog.test_carried import NGINX, Worker, container

ASKED: dict[str, Any] = {
    "balance": "hash", "sticky": "c", "max_connections": 3, "timeout": 9.0, "wait": 7.0, "retry": (503,), "upgrade": ("docker",),
    "https": "redirect", "hsts_max_age": 3600,
}  # fmt: skip
DEFAULTS = usual("random", 60.0, 10.0)


@pytest.fixture
def worker() -> Worker:
    return Worker()


def rows(worker: Worker, *containers: Container) -> dict[str, dict[str, object]]:
    """What each name asks of a worker, where it is not what a name without labels asks."""
    worker.show(*containers)
    told = worker.tables.whole().services
    assert told == oracle.of(worker.snapshot, DEFAULTS).services  # made anew, it is the same
    (plain,) = at_once(routing_table.made(bare(worker), DEFAULTS))
    return {row.hosts[0]: differing(row.options, plain.options) for row in told}


def differing(options: ServiceOptions, others: ServiceOptions) -> dict[str, object]:
    """Those of the first that the others have otherwise."""
    return {name: asked for name in OPTIONS if (asked := getattr(options, name)) != getattr(others, name)}


def bare(worker: Worker) -> Service:
    """The service without labels."""
    service = worker.snapshot.services[NGINX]
    return msgspec.structs.replace(service, claims=(), **dict.fromkeys(OPTIONS))


@pytest.mark.parametrize("option", OPTIONS)
def test_what_a_container_asks_for_its_host_is_not_asked_for_those_of_others(worker: Worker, option: str) -> None:
    """Two sites of one image, which have nothing to do with each other."""
    found = rows(worker, container(1, "a.example", options={option: ASKED[option]}), container(2, "b.example"), container(3))
    assert len(found.pop("a.example")) == 1
    assert found == {NGINX: {}, "b.example": {}}


@pytest.mark.parametrize("option", OPTIONS)
def test_one_of_those_that_carry_a_host_asks_for_all_of_them(worker: Worker, option: str) -> None:
    one = container(1, "a.example")
    assert rows(worker, one, container(2, "a.example"))["a.example"] == {}
    found = rows(worker, one, container(2, "a.example", options={option: ASKED[option]}))
    assert len(found["a.example"]) == 1


@pytest.mark.parametrize("option", OPTIONS)
def test_the_service_s_own_name_has_the_options_of_those_without_another(worker: Worker, option: str) -> None:
    found = rows(worker, container(1, "a.example"), container(2, options={option: ASKED[option]}))
    assert (len(found[NGINX]), found["a.example"]) == (1, {})


@pytest.mark.parametrize("option", [option for option in OPTIONS if option != "max_connections"])
def test_where_all_have_other_names_all_of_them_ask_for_the_service_s_own(worker: Worker, option: str) -> None:
    found = rows(worker, container(1, "a.example"), container(2, "b.example", options={option: ASKED[option]}))
    assert (len(found[NGINX]), found["a.example"], len(found["b.example"])) == (1, {}, 1)
    assert worker.snapshot.services[NGINX].problems == ()


def test_an_endpoint_has_no_more_at_once_than_its_own_names_ask_for(worker: Worker) -> None:
    found = rows(worker, *(container(n, f"{n}.example", options={"max_connections": n}) for n in (3, 5)))
    assert {name: row.get("max_connections", 0) for name, row in found.items()} == {NGINX: 0, "3.example": 3, "5.example": 5}


def test_those_of_one_host_that_differ_are_told_once_and_others_are_not(worker: Worker) -> None:
    a, b, c = (container(n, host, options={"timeout": float(n)}) for n, host in ((1, "a.example"), (2, "a.example"), (3, "c.example")))
    worker.show(a, b, c)
    (problem,) = worker.snapshot.services[NGINX].problems
    assert problem.subject == "label haystack.timeout"
    assert problem.message.endswith(" is used for a.example/")


def test_a_label_that_changes_changes_the_rows_of_its_own_names_alone(worker: Worker) -> None:
    worker.show(container(1, "a.example"), container(2, "b.example"))
    before = {row.key: row for row in worker.tables.whole().services}
    worker.show(container(1, "a.example", options={"timeout": 9.0}), container(2, "b.example"))
    after = {row.key: row for row in worker.tables.whole().services}
    assert {key for key in after if after[key] is not before[key]} == {NGINX, f"{NGINX} a.example/"}


BOTH = tuple(ports.named(number, "tcp") for number in (80, 443))
PASSED = {"https": "passthrough"}


def https_of(worker: Worker) -> dict[tuple[str, str], str]:
    return {(row.hosts[0], row.path): row.options.https for row in worker.tables.whole().services}


def test_tls_that_is_passed_through_to_one_container_is_not_to_another_of_its_image(worker: Worker) -> None:
    worker.show(container(1, "a.example", ports=BOTH, options=PASSED), container(2, "b.example", ports=BOTH))
    assert https_of(worker) == {(NGINX, "/"): "on", ("a.example", "/"): "passthrough", ("a.example", ""): "raw", ("b.example", "/"): "on"}
    assert worker.snapshot.services[NGINX].problems == ()


@pytest.mark.parametrize("word", ["on", "off", "redirect"])
def test_of_a_host_whose_containers_differ_all_tls_is_passed_through_or_none(worker: Worker, word: str) -> None:
    other = {"https": word}
    worker.show(container(1, "a.example", ports=BOTH, options=other), container(2, "a.example", ports=BOTH, options=PASSED))
    assert https_of(worker) == {(NGINX, "/"): word, ("a.example", "/"): word}
    assert any(p.message.endswith("is used for https://a.example") for p in worker.snapshot.services[NGINX].problems)
    worker.show(container(1, "a.example", ports=BOTH, options=PASSED), container(2, "a.example", ports=BOTH, options=other))
    assert https_of(worker) == {(NGINX, "/"): "on", ("a.example", "/"): "passthrough", ("a.example", ""): "raw"}
    assert any("can't be served by c2 too" in p.message for p in worker.snapshot.services[NGINX].problems)


def test_one_without_the_label_whose_host_is_passed_through_to_another_is_told(worker: Worker) -> None:
    worker.show(container(1, "a.example", ports=BOTH), container(2, "a.example", path="/b", ports=BOTH, options=PASSED))
    assert https_of(worker)["a.example", "/"] == https_of(worker)["a.example", "/b"] == "passthrough"
    (problem,) = worker.snapshot.services[NGINX].problems
    assert problem.message == "https://a.example is passed through to c2 (haystack.https=passthrough), and can't be served by c1 too"
    worker.show(container(1, "a.example", ports=BOTH), container(2, "b.example", path="/b", ports=BOTH, options=PASSED))
    assert https_of(worker)["a.example", "/"] == "on"
