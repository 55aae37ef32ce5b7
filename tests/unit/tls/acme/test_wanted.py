"""Which names are to have certificates, and that following snapshots costs what has changed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from haystack.loop.turns import at_once
from haystack.model.services import Carried, Service
from haystack.model.snapshot import Change
from haystack.tls.acme import wanted
from haystack.tls.acme.wanted import Wanted


def service(name, *hosts, https=None, public=True):
    return Service(name=name, claims=tuple(Carried(host=host, public=public, https=https) for host in hosts))


def follow(of, *services, version=1, changed=None):
    change = Change(base=version - 1, services=frozenset(changed)) if changed is not None else None
    made = {each.name: each for each in services}
    return at_once(of.follow(SimpleNamespace(version=version, services=made, changed_since=lambda _version: change)))


def test_public_hosts_of_a_service_each_once_in_order():
    assert wanted.of(service("a", "www.x", "api.x", "www.x")) == ("api.x", "www.x")
    assert wanted.of(service("a", "www.x", public=False)) == ()
    assert wanted.of(service("a")) == wanted.of(None) == ()


@pytest.mark.parametrize(
    ("label", "usual", "names"), [(None, "on", 1), (None, "off", 0), ("off", "on", 0), ("on", "off", 1), ("redirect", "off", 1)]
)
def test_a_service_that_is_not_within_tls_needs_none(label, usual, names):
    assert len(wanted.of(service("a", "www.x", https=label), usual)) == names


def test_what_one_host_of_a_service_asks_for_is_not_asked_for_the_others():
    own = Carried(host="own.x", path="", https="passthrough"), Carried(host="own.x")
    claims = Carried(host="plain.x", https="off"), *own, Carried(host="www.x")
    assert wanted.of(Service(name="a", claims=claims)) == ("www.x",)


def test_a_change_is_taken_in_and_what_is_not_other_is_the_very_same():
    of = Wanted()
    a, b = service("a", "a.x"), service("b", "b.x")
    follow(of, a, b)
    before = of.names
    follow(of, a, b, version=2, changed=["a"])
    assert of.names is before
    follow(of, service("a", "c.x"), version=3, changed=["a", "b"])
    assert of.names == {"a": ("c.x",)}
    follow(of, b, version=9)
    assert of.names == {"b": ("b.x",)}
