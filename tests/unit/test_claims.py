"""Who wins a host name and a path that several services claim, and what the others are told."""

import pytest

from haystack.claims import contested, prefix
from haystack.model import Carried, Endpoint, Service


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
