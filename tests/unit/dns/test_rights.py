"""Who has a name that several would have, and what else leads to it: the rules of docs/naming.md, in the zone."""

import pytest
from msgspec.structs import replace

from haystack.dns import wire
from haystack.dns.zone import Zone
from haystack.model.records import Attachment, Engine
from tests.unit.dns.conftest import container, endpoint, picture, service


def addresses(zone, name):
    found = zone.find(wire.name(name))
    return list(found.node.a) if found and found.node else None


@pytest.mark.parametrize("name", ["c300000000000", "C300000000000"])
def test_an_id_name_is_its_containers_whatever_another_is_called(name):
    zone = Zone.of(picture([container(2, name), container(3, "web")]), 5)
    assert addresses(zone, "c300000000000.containers.haystack") == ["172.17.0.3"]


def test_a_name_that_needs_no_change_goes_before_one_that_does():
    zone = Zone.of(picture([container(2, "Web"), container(3, "web")]), 5)
    assert addresses(zone, "web.containers.haystack") == ["172.17.0.3"]


def test_one_whose_name_is_longer_in_dns_has_that_and_its_address_leads_back_to_it():
    longer = replace(container(2, "under_score"), label="under-score-200000000000")
    zone = Zone.of(picture([longer, container(3, "under-score")]), 5)
    assert addresses(zone, "under-score.containers.haystack") == ["172.17.0.3"]
    assert addresses(zone, "under-score-200000000000.containers.haystack") == ["172.17.0.2"]
    assert list(zone.find(wire.name("2.0.17.172.in-addr.arpa")).node.ptr) == ["under-score-200000000000.containers.haystack"]


def test_a_longer_name_goes_before_an_alias():
    back = Attachment(network="back", network_id="b", ipv4="172.17.0.4", aliases=("a-b-200000000000",))
    zone = Zone.of(picture([replace(container(2, "a_b"), label="a-b-200000000000"), container(4, "x", attachments=(back,))]), 5)
    assert addresses(zone, "a-b-200000000000.containers.haystack") == ["172.17.0.2"]


def test_two_engines_containers_of_one_name_share_it():
    zone = Zone.of(picture([container(2, "web"), container(3, "web")]), 5)
    assert addresses(zone, "web.containers.haystack") == ["172.17.0.2", "172.17.0.3"]


def test_an_engines_id_name_is_its_own():
    engines = [
        Engine(id="ABCD:EFGH:IJKL", name="dmnop", host="a", address="10.0.0.1"),
        Engine(id="MNOP", name="x", host="b", address="10.0.0.2"),
    ]
    zone = Zone.of(picture(engines=engines), 5)
    assert addresses(zone, "dmnop.dockers.haystack") == ["10.0.0.2"]


def test_a_container_is_found_by_its_name_with_underscores_too():
    zone = Zone.of(picture([container(2, "my_app")]), 5)
    assert addresses(zone, "my_app.containers.haystack") == addresses(zone, "my-app.containers.haystack") == ["172.17.0.2"]
    assert list(zone.find(wire.name("2.0.17.172.in-addr.arpa")).node.ptr) == ["my-app.containers.haystack"]


@pytest.mark.parametrize("listener", ["http", None])
def test_a_service_is_found_by_its_name_with_underscores_too(listener):
    web = container(2, "my_app-1")
    spelled = service("my-app.nginx", endpoint(web, 80, "http", listener=listener), spelled=("my_app.nginx.services.haystack",))
    zone = Zone.of(picture([web], [spelled]), 5)
    for prefix in ("", "_http._tcp."):
        one, other = (zone.find(wire.name(f"{prefix}{name}.services.haystack")).node for name in ("my-app.nginx", "my_app.nginx"))
        assert (one.own, one.hosts, one.srv) == (other.own, other.hosts, other.srv)
    assert other.srv
    assert zone.find(wire.name("nginx.services.haystack")).node.empty
