"""A container on several networks: the addresses that a node holds for each, its reverse names, and its aliases there."""

import pytest
from msgspec.structs import replace

from haystack.dns import wire
from haystack.dns.facts import Host
from haystack.dns.zone import Zone
from haystack.loop.turns import at_once
from haystack.model.records import Attachment
from haystack.model.snapshot import Change, Snapshot
from tests.unit.dns.conftest import container, endpoint, picture, service

FRONT = Attachment(network="front", network_id="f" * 64, ipv4="10.1.0.2", ipv6="fd01::2", aliases=("www",))
BACK = Attachment(network="back", network_id="b" * 64, ipv4="172.17.0.2", aliases=("db", "www"))
NEAR = ((BACK.network_id, "172.17.0.2", None), (FRONT.network_id, "10.1.0.2", "fd01::2"))


def on_both(number=2, name="web", **more):
    return container(number, name, **{"network": "back", "attachments": (BACK, FRONT), **more})


def hosts(zone, name):
    found = zone.find(wire.name(name))
    return list(found.node.hosts) if found and found.node else None


def zone_of(*containers, services=()):
    return Zone.of(picture(containers, services), 5)


def test_a_container_has_its_address_on_each_network():
    for name in ("web.containers.haystack", "c200000000000.containers.haystack"):
        assert hosts(zone_of(on_both()), name) == [Host("172.17.0.2", None, NEAR)]


def test_so_has_the_target_of_an_srv_record_and_a_service_that_is_no_web():
    web = on_both()
    zone = zone_of(web, services=[service("db", endpoint(web, 5432, "postgresql"))])
    assert hosts(zone, "db.services.haystack") == [Host("172.17.0.2", None, NEAR)]
    [target] = zone.find(wire.name("_postgresql._tcp.db.services.haystack")).node.srv
    assert target.host is hosts(zone, "web.containers.haystack")[0]


def test_a_network_of_no_id_or_no_address_is_nowhere_near():
    odd = on_both(attachments=(replace(BACK, network_id=""), replace(FRONT, ipv4=None, ipv6=None)))
    assert hosts(zone_of(odd), "web.containers.haystack") == [Host("172.17.0.2", None)]


@pytest.mark.parametrize("address", ["2.0.17.172.in-addr.arpa", "2.0.1.10.in-addr.arpa", "2." + "0." * 27 + "1.0.d.f.ip6.arpa"])
def test_each_address_leads_back_to_the_container(address):
    assert list(zone_of(on_both()).find(wire.name(address)).node.ptr) == ["web.containers.haystack"]


def test_the_same_address_on_two_networks_leads_back_to_both():
    twin = container(3, "twin", attachments=(replace(FRONT, network_id="other"),))
    zone = zone_of(on_both(), twin)
    assert list(zone.find(wire.name("2.0.1.10.in-addr.arpa")).node.ptr) == ["web.containers.haystack", "twin.containers.haystack"]


def test_an_alias_leads_to_all_that_have_it_by_their_address_on_its_network():
    front = container(3, "other", network="back", attachments=(replace(FRONT, ipv4="10.1.0.3", ipv6=None, aliases=("www", "api")),))
    zone = zone_of(on_both(), front)
    assert [(h.v4, h.v6) for h in hosts(zone, "www.containers.haystack")] == [("172.17.0.2", None), ("10.1.0.3", None)]
    assert [h.v4 for h in hosts(zone, "db.containers.haystack")] == ["172.17.0.2"]
    assert hosts(zone, "api.containers.haystack") == [Host("10.1.0.3", None, ((FRONT.network_id, "10.1.0.3", None),))]


@pytest.mark.parametrize(("alias", "names"), [("My_db", ["my_db", "my-db"]), ("api.example", ["api.example", "api-example"]), ("ü", [])])
def test_an_alias_is_a_name_as_it_is_spelled_where_dns_can_hold_that(alias, names):
    zone = zone_of(container(2, "web", attachments=(replace(BACK, aliases=(alias,)),)))
    for name in names:
        assert [h.v4 for h in hosts(zone, f"{name}.containers.haystack")] == ["172.17.0.2"]


@pytest.mark.parametrize("alias", ["db", "c300000000000", "DB"])
def test_a_name_of_a_containers_own_goes_before_an_alias(alias):
    zone = zone_of(container(2, "web", attachments=(replace(BACK, aliases=(alias,)),)), container(3, "db"))
    assert [h.v4 for h in hosts(zone, f"{alias}.containers.haystack")] == ["172.17.0.3"]


def test_an_alias_has_the_name_once_its_owner_has_gone():
    web, owner = container(2, "web", attachments=(replace(BACK, aliases=("db",)),)), container(3, "db")
    before = Snapshot(version=1, created=0.0, origin="haystack", containers={web.id: web, owner.id: owner})
    zone = Zone.of(before, 5)
    after = Snapshot(version=2, created=0.0, origin="haystack", containers={web.id: web}, change=Change(base=1, containers={owner.id}))
    zone = at_once(zone.follow(after))
    assert [h.v4 for h in hosts(zone, "db.containers.haystack")] == ["172.17.0.2"]


@pytest.mark.parametrize("state", ["paused", "stopping"])
def test_an_alias_leads_to_nobody_who_does_not_run(state):
    assert hosts(zone_of(on_both(state=state)), "db.containers.haystack") is None


def test_a_service_hears_of_its_containers_networks_though_it_has_not_changed():
    alone = on_both(attachments=(BACK,))
    web = service("nginx", endpoint(alone, 5432, "postgresql"))
    before = Snapshot(version=1, created=0.0, origin="haystack", containers={alone.id: alone}, services={web.name: web})
    zone = Zone.of(before, 5)
    joined = replace(alone, attachments=(BACK, FRONT), services=("nginx",))
    after = replace(before, version=2, containers={alone.id: joined}, change=Change(base=1, containers={alone.id}))
    zone = at_once(zone.follow(after))
    assert hosts(zone, web.name) == [Host("172.17.0.2", None, NEAR)]
