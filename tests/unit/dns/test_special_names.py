"""Names that are never asked of a nameserver: the lists of IANA, and what their documents say."""

import dns.rcode
import pytest

from haystack.dns import special_names, wire
from haystack.dns.zone import Zone
from tests.unit.dns.conftest import container, picture

RFC1918 = ["10", *(f"{n}.172" for n in range(16, 32)), "168.192"]
LOCALLY_SERVED = [
    *(f"{name}.in-addr.arpa" for name in [*RFC1918, "0", "127", "254.169", "2.0.192", "100.51.198", "113.0.203", "255.255.255.255"]),
    *(f"{n}.100.in-addr.arpa" for n in range(64, 128)),
    *(f"{name}.ip6.arpa" for name in ["0." * 31 + "0", "1." + "0." * 30 + "0", "d.f", "8.e.f", "9.e.f", "a.e.f", "b.e.f"]),
    "8.b.d.0.1.0.0.2.ip6.arpa",
    *("home.arpa", "empty.as112.arpa", "resolver.arpa", "service.arpa"),
]  # fmt: skip
LOOPBACK = {"A": ["127.0.0.1"], "AAAA": ["::1"]}


@pytest.fixture
def stocked():
    return picture()


def outcome(ask, name, rdtype="A"):
    message = ask(name, rdtype)
    answer = [r.to_text() for rrset in message.answer for r in rrset]
    return answer or dns.rcode.to_text(message.rcode()), [str(rrset.name).lower() for rrset in message.authority]


def test_the_table_has_each_name_once_and_a_document_for_it():
    names = [each.name for each in special_names.SPECIAL]
    assert len(names) == len(set(names))
    assert all("RFC" in each.source for each in special_names.SPECIAL)


@pytest.mark.parametrize("name", LOCALLY_SERVED)
def test_a_locally_served_zone_has_its_soa_and_name_server(ask, name):
    for rdtype in ("SOA", "NS"):
        assert len(ask(name, rdtype).answer) == 1


@pytest.mark.parametrize("name", [*LOCALLY_SERVED, "test", "invalid", "local", "onion"])
def test_what_is_below_it_does_not_exist(ask, name):
    expected = "NOERROR" if name == "resolver.arpa" else "NXDOMAIN"
    assert outcome(ask, f"x.y.{name}") == (expected, [f"{name}."])


@pytest.mark.parametrize("rdtype", ["SVCB", "A", "TXT"])
def test_there_is_no_encrypted_dns_to_discover(ask, rdtype):
    """RFC 9462, section 6.4: NODATA, for any name and type."""
    for name in ("_dns.resolver.arpa", "resolver.arpa", "other.resolver.arpa"):
        assert outcome(ask, name, "TYPE64" if rdtype == "SVCB" else rdtype) == ("NOERROR", ["resolver.arpa."])


@pytest.mark.parametrize("name", ["localhost", "app.localhost", "a.b.c.localhost", "LOCALHOST"])
def test_localhost_is_loopback_with_all_below_it(ask, name):
    for rdtype, answer in LOOPBACK.items():
        assert outcome(ask, name, rdtype)[0] == answer
    assert outcome(ask, name, "MX") == ("NOERROR", ["localhost."])


@pytest.mark.parametrize(
    "name", ["example", "example.com", "arpa", "in-addr.arpa", "172.in-addr.arpa", "8.8.8.8.in-addr.arpa", "32.172.in-addr.arpa"]
)
def test_others_are_not_ours(name):
    assert Zone.of(picture(), 5).find(wire.name(name)) is None


def test_origin_localhost_has_its_services_and_what_has_gone_does_not_exist():
    zone = Zone.of(picture([container(2, "web")], origin="localhost"), 5)
    assert list(zone.find(wire.name("web.containers.localhost")).node.a) == ["172.17.0.2"]
    assert zone.find(wire.name("gone.services.localhost")).node is None
    assert list(zone.find(wire.name("localhost")).node.a) == list(zone.find(wire.name("app.localhost")).node.a) == ["127.0.0.1"]


@pytest.mark.parametrize("origin", ["test", "lab.test", "home.arpa", "lab.home.arpa", "lab.local"])
def test_an_origin_may_be_below_a_special_name(origin):
    zone = Zone.of(picture([container(2, "web")], origin=origin), 5)
    assert zone.find(wire.name(f"web.containers.{origin}")).node.hosts
    assert zone.find(wire.name(f"gone.{origin}")) == (None, wire.name(origin))


@pytest.mark.parametrize(
    ("opened", "name", "forwarded"),
    [
        ("17.172.in-addr.arpa", "9.9.17.172.in-addr.arpa", True),
        ("17.172.in-addr.arpa", "2.0.17.172.in-addr.arpa", False),  # a container's
        ("17.172.in-addr.arpa", "9.9.18.172.in-addr.arpa", False),
        ("1.168.192.in-addr.arpa", "9.1.168.192.in-addr.arpa", True),
        ("1.168.192.in-addr.arpa", "9.2.168.192.in-addr.arpa", False),
        ("in-addr.arpa", "9.2.168.192.in-addr.arpa", False),  # the nearest name above counts
        ("lan.home.arpa", "nas.lan.home.arpa", True),
        ("localhost", "x.localhost", False),
        ("invalid", "x.invalid", False),
        ("haystack", "x.haystack", False),
        ("sub.haystack", "x.sub.haystack", True),
    ],
)
def test_what_is_opened_is_forwarded_but_for_what_is_there(opened, name, forwarded):
    zone = Zone.of(picture([container(2, "web")]), 5, (wire.name(opened),))
    assert (zone.find(wire.name(name)) is None) is forwarded


@pytest.mark.parametrize(
    "origin", ["invalid", "x.invalid", "onion", "arpa", "in-addr.arpa", "x.10.in-addr.arpa", "resolver.arpa", "uri.arpa"]
)
def test_an_origin_that_cannot_be(origin):
    assert special_names.why_no_origin(origin)


@pytest.mark.parametrize(
    "origin", ["haystack", "localhost", "home.arpa", "x.home.arpa", "test", "internal", "lan", "dev.example.com", "local"]
)
def test_an_origin_that_can_be(origin):
    assert special_names.why_no_origin(origin) == ""


@pytest.mark.parametrize(("origin", "odd"), [("local", True), ("x.local", True), ("com", True), ("de", True), ("dev", True), ("lan", False),
                                             ("dev.example.com", False), ("localhost", False), ("haystack", False)])  # fmt: skip
def test_an_origin_to_think_about(origin, odd):
    assert bool(special_names.why_odd_origin(origin)) is odd
