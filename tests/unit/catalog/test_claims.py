"""Who wins a host name and a path that several services claim, and what the others are told."""

import pytest

from haystack.catalog.claims import Book, contested, of, prefix
from haystack.model.services import Carried, Endpoint, Service
from tests.fakes.effort import instructions


def service(name, *hosts, path=None, listener="http", container=None):
    endpoint = Endpoint(
        id=container or name,
        container="c",
        container_name="c",
        target="t",
        address="10.0.0.1",
        port=80,
        protocol="tcp",
        port_name="http",
        listener=listener,
    )
    claims = tuple(Carried(host=host, path=prefix(path), endpoints=(endpoint,)) for host in hosts if listener)
    return Service(name=name, endpoints=(endpoint,), claims=claims, path=path)


@pytest.mark.parametrize(
    ("path", "normal"), [(None, "/"), ("/", "/"), ("//", "/"), ("/api", "/api"), ("/api/", "/api"), ("/a//b//", "/a//b")]
)
def test_the_normal_form_of_a_prefix(path, normal):
    assert prefix(path) == normal


def test_the_first_by_name_wins_and_the_others_are_told():
    lost = contested([service("c", "app"), service("b", "app", "app"), service("a", "app")])
    assert {name: [p.message for p in found] for name, found in lost.items()} == {
        "b": ["app/ is served by a, which claims it too"],
        "c": ["app/ is served by a, which claims it too"],
    }


def test_a_services_own_name_is_its_own():
    assert set(contested([service("a", "b"), service("b")])) == {"a"}


def test_other_paths_and_services_without_http_are_no_rivals():
    assert not contested([service("a", "app", path="/api"), service("b", "app"), service("c", "app", listener=None)])
    assert set(contested([service("a", "app", path="/api"), service("b", "app", path="/api/")])) == {"b"}


def test_who_is_served_by_the_winner_has_lost_nothing():
    assert not contested([service("a", "app", container="x"), service("b", "app", container="x")])


def test_one_host_that_twice_as_many_claim_costs_twice_as_much():
    def claimed(size):
        found = [service(f"s{n:04}", "app") for n in range(size)]
        return instructions(lambda: contested(found))

    assert claimed(200) < 2.5 * claimed(100)


def test_who_does_not_get_a_host_costs_nobody_else():
    book = Book()
    for n in range(5):
        book.put(f"s{n}", of(service(f"s{n}", "app")))
    assert not book.put("s5", of(service("s5", "app")))
    assert not book.put("s5", {})
    assert book.put("s0", {}) == {"s1", "s2", "s3", "s4"}
    assert book.put("a", of(service("a", "app"))) == {"s1", "s2", "s3", "s4"}
    assert [p.message for p in book.lost("s1")] == ["app/ is served by a, which claims it too"]
