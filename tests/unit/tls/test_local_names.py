"""Which names the own authority issues certificates for, and when they are renewed."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest

from haystack.loop.turns import at_once
from haystack.model.services import Carried, Service
from haystack.model.snapshot import Change
from haystack.tls import local_ca
from haystack.tls.local_names import LocalNames
from haystack.tls.store import LOCAL, Store

START = dt.datetime(2030, 1, 1, tzinfo=dt.UTC).timestamp()


class Fixture:
    def __init__(self, folder, origin="haystack"):
        self.now = START
        self.store = Store()
        ca = local_ca.load(folder, origin, lambda: dt.datetime.fromtimestamp(self.now, dt.UTC))
        self.names = LocalNames(ca, self.store, origin, lambda: self.now)
        self.version = 0

    def there(self, *services, changed=None):
        self.version += 1
        change = Change(base=self.version - 1, containers=frozenset(), services=frozenset(changed)) if changed is not None else None
        made = {each.name: each for each in services}
        at_once(self.names.follow(SimpleNamespace(version=self.version, services=made, changed_since=lambda _version: change)))
        self.store.publish()

    def find(self, name):
        return self.store.picture.find(name)


@pytest.fixture
async def made(tmp_path):
    return Fixture(tmp_path)


def service(name, *hosts):
    return Service(name=name, claims=tuple(Carried(host=host) for host in hosts))


async def test_plain_names_and_the_web_side_have_one_from_the_start(made):
    made.there()
    assert {made.find(name).fingerprint for name in ("nginx.services.haystack", "haystack", "ns.haystack", "localhost")} == {
        made.find("haystack").fingerprint
    }
    assert made.find("a.nginx.services.haystack") is None
    assert made.find("www.example.com") is None


async def test_hosts_under_localhost_have_one_also_where_that_is_the_origin(tmp_path):
    made = Fixture(tmp_path, "localhost")
    made.there(service("web.services.localhost", "shop.localhost", "a.shop.localhost"))
    assert made.find("shop.localhost").names == ("shop.localhost",)
    assert made.find("a.shop.localhost") is not None
    assert made.find("web.services.localhost").names[0] == "*.services.localhost"
    made.there()
    assert made.find("shop.localhost") is None


async def test_names_with_a_group_have_a_wildcard_as_long_as_one_of_them_is_there(made):
    one, two = service("a.nginx.services.haystack"), service("b.nginx.services.haystack")
    made.there(one, two)
    found = made.find("b.nginx.services.haystack")
    assert found is made.find("a.nginx.services.haystack")
    made.there(two, changed=[one.name])
    assert made.find("b.nginx.services.haystack") is found
    made.there(changed=[two.name])
    assert made.find("b.nginx.services.haystack") is None


async def test_hosts_under_localhost_have_one_and_others_have_none(made):
    made.there(service("nginx.services.haystack", "app.localhost", "www.example.com"))
    assert made.find("app.localhost").names == ("app.localhost",)
    assert made.find("www.example.com") is None


async def test_names_with_an_underscore_have_one(made):
    made.there(Service(name="web.my-shop.services.haystack", spelled=("web.my_shop.services.haystack",)))
    assert made.find("web.my_shop.services.haystack").names == ("*.my_shop.services.haystack",)
    assert made.find("web.my-shop.services.haystack").names == ("*.my-shop.services.haystack",)


async def test_a_name_that_can_have_none_is_told_and_leaves_the_others_alone(made):
    odd = "a." + "b" * 64 + ".services.haystack"
    made.there(service(odd), service("a.nginx.services.haystack"))
    assert made.find(odd) is None
    assert made.find("a.nginx.services.haystack") is not None
    key = (LOCAL, "*." + odd.partition(".")[2])
    assert made.store.picture.entries[key].error
    made.now += 86400
    at_once(made.names.renew())
    made.there(changed=[odd])
    assert key not in made.store.picture.entries


async def test_a_whole_new_picture_takes_away_what_is_not_in_it(made):
    made.there(service("a.nginx.services.haystack"))
    made.there(service("a.httpd.services.haystack"))
    assert made.find("a.nginx.services.haystack") is None
    assert made.find("a.httpd.services.haystack") is not None


async def test_they_are_renewed_when_a_third_of_their_life_is_left(made):
    made.there(service("a.nginx.services.haystack"))
    before = made.find("haystack"), made.find("a.nginx.services.haystack")
    made.now += 8 * 86400
    at_once(made.names.renew())
    made.store.publish()
    assert (made.find("haystack"), made.find("a.nginx.services.haystack")) == before
    made.now += 2 * 86400
    at_once(made.names.renew())
    made.store.publish()
    assert all(
        new.not_after > old.not_after
        for new, old in zip((made.find("haystack"), made.find("a.nginx.services.haystack")), before, strict=True)
    )
    assert made.store.keys(LOCAL) == {"*.services.haystack", "*.nginx.services.haystack"}
