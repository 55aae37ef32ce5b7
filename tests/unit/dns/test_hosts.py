"""haystack.host names: Haystack answers for these very names, and for no others around them."""

import dns.rcode
import dns.rdatatype
import pytest

from haystack.dns import wire
from haystack.dns.zone import Zone
from haystack.model.services import Carried
from haystack.net.rights import Right
from tests.unit.dns.conftest import FORWARD, OWN, Zoned, container, endpoint, picture, service

WEB = container(2, "web")


def carrying(*claims, ready=True):
    served = endpoint(WEB, 80, "http", listener="http", ready=ready)
    return service("nginx", served, claims=[Carried(host=host, public=public, endpoints=(served,)) for host, public in claims])


def zone_of(*claims, **more):
    return Zone.of(picture([WEB], [carrying(*claims, **more)]), 5)


@pytest.fixture
def stocked():
    """For `ask`."""
    return picture([WEB], [carrying(("app.example.com", True), ("*.wild.example.com", True))])


@pytest.fixture
def ask_raw(responder):
    def ask_raw(name, rdtype="A", rights=int(Right.INSIDE | Right.RECURSION)):
        return responder.answer(wire.question(wire.name(name), dns.rdatatype.from_text(rdtype)), OWN, tcp=False, rights=rights)

    return ask_raw


def test_a_host_name_has_haystacks_own_address(ask):
    assert [r.to_text() for rrset in ask("App.Example.com").answer for r in rrset] == [OWN]


@pytest.mark.parametrize("rdtype", ["AAAA", "HTTPS", "MX", "TXT", "SOA"])
def test_other_types_are_not_there_for_the_name_is_ours(ask, rdtype):
    message = ask("app.example.com", rdtype)
    assert (message.rcode(), message.answer) == (dns.rcode.NOERROR, [])
    assert [(str(r.name), r.rdtype) for r in message.authority] == [("app.example.com.", dns.rdatatype.SOA)]


@pytest.mark.parametrize("name", ["example.com", "com", "x.app.example.com", "other.example.com", "wild.example.com", "a.wild.example.com"])
def test_names_around_it_are_others(ask_raw, name):
    assert ask_raw(name) is FORWARD


def test_a_host_name_below_a_special_one_is_there_and_those_beside_it_are_not():
    zone = zone_of(("app.test", True))
    assert zone.find(wire.name("app.test")).node.own
    assert zone.find(wire.name("other.test")).node is None


@pytest.mark.parametrize("name", ["app.localhost", "app.invalid"])
def test_localhost_stays_loopback_and_invalid_does_not_exist(name):
    found = zone_of((name, True)).find(wire.name(name))
    assert found.node is None or not found.node.own


def test_it_stays_while_somebody_carries_it_though_nobody_is_ready():
    zone = zone_of(("app.example.com", True), ready=False)
    assert zone.find(wire.name("nginx.services.haystack")).node is None
    assert zone.find(wire.name("app.example.com")).node.own


@pytest.mark.parametrize(
    ("claims", "public"), [([("app", True)], True), ([("app", False)], False), ([("app", False), ("app", True)], True)]
)
def test_it_is_public_where_a_claim_of_it_is(claims, public):
    assert zone_of(*claims).find(wire.name("app")).node.public is public


def test_who_may_ask_for_nothing_else_is_told_what_is_public(ask_raw):
    assert ask_raw("app.example.com", rights=0)[3] & 15 == dns.rcode.NOERROR
    assert ask_raw("nginx.services.haystack", rights=0)[3] & 15 == dns.rcode.REFUSED


@pytest.mark.parametrize(("listener", "public"), [("http", True), (None, False)])
def test_a_public_service_is_so_where_it_speaks_http(listener, public):
    web = service("nginx", endpoint(WEB, 80, "http", listener=listener), public=True)
    zone = Zone.of(picture([WEB], [web]), 5)
    assert zone.find(wire.name("nginx.services.haystack")).node.public is public


def test_a_responder_without_hosts_forwards_them():
    assert Zoned().answer(wire.question(wire.name("app.example.com"), 1), OWN, tcp=False) is FORWARD
