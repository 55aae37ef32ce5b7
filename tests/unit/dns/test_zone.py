"""Which names exist, and what they hold: the tables of docs/naming.md."""

import dns.rcode
import dns.rdatatype
import pytest
from msgspec.structs import replace

from haystack.dns import wire
from haystack.dns.zone import Zone
from tests.unit.dns.conftest import OWN, container, endpoint, picture, service

REDIS, TWIN, WEB = "c300000000000", "c400000000000", "c200000000000"

HOLDS = [
    ("nginx.services.haystack", "A", ["172.17.0.9"]),
    ("web.tomcat.services.haystack", "A", ["172.17.0.9"]),
    ("redis.services.haystack", "A", ["172.17.0.3", "172.17.0.4"]),
    ("redis.services.haystack", "AAAA", ["fd00::3"]),
    ("_http._tcp.nginx.services.haystack", "SRV", [f"100 100 80 {WEB}.containers.haystack."]),
    ("_7000._tcp.redis.services.haystack", "SRV", [f"100 100 7000 {REDIS}.containers.haystack."]),
    (
        "_redis._tcp.redis.services.haystack", "SRV",
        [f"100 100 6379 {REDIS}.containers.haystack.", f"100 7 6379 {TWIN}.containers.haystack."],
    ),
    (f"{WEB}.containers.haystack", "A", ["172.17.0.2"]),
    ("web-one.containers.haystack", "A", ["172.17.0.2"]),
    ("redis.containers.haystack", "AAAA", ["fd00::3"]),
    ("dabcdefghijkl.dockers.haystack", "A", ["192.168.5.1"]),
    ("host-example.dockers.haystack", "A", ["192.168.5.1"]),
    ("2.0.17.172.in-addr.arpa", "PTR", ["web-one.containers.haystack."]),
    ("1.5.168.192.in-addr.arpa", "PTR", ["host-example.dockers.haystack."]),
    ("9.0.17.172.in-addr.arpa", "PTR", ["haystack."]),
    ("3." + "0." * 27 + "0.0.d.f.ip6.arpa", "PTR", ["redis.containers.haystack."]),
    ("haystack", "A", ["172.17.0.9"]),
    ("ns.haystack", "A", ["172.17.0.9"]),
    ("haystack", "NS", ["ns.haystack."]),
    ("haystack", "SOA", ["ns.haystack. hostmaster.haystack. 7 3600 600 86400 5"]),
    ("10.in-addr.arpa", "SOA", ["10.in-addr.arpa. nobody.invalid. 7 3600 600 86400 5"]),
    ("10.in-addr.arpa", "NS", ["10.in-addr.arpa."]),
    ("localhost", "A", ["127.0.0.1"]),
    ("localhost", "AAAA", ["::1"]),
    ("any.localhost", "A", ["127.0.0.1"]),
    ("1.0.0.127.in-addr.arpa", "PTR", ["localhost."]),
    ("1." + "0." * 31 + "ip6.arpa", "PTR", ["localhost."]),
    ("haystack", "ANY", ['"RFC8482" ""']),
]  # fmt: skip


@pytest.mark.parametrize(("name", "rdtype", "expected"), HOLDS)
def test_a_name_holds(ask, name, rdtype, expected):
    message = ask(name, rdtype)
    assert message.rcode() == dns.rcode.NOERROR
    assert sorted(rdata.to_text() for rrset in message.answer for rdata in rrset) == sorted(expected)
    assert all(rrset.ttl == 5 for rrset in message.answer)


@pytest.mark.parametrize(
    ("name", "rdtype"),
    [
        ("nginx.services.haystack", "AAAA"),  # musl: NXDOMAIN here would hide the A
        ("nginx.services.haystack", "HTTPS"),
        ("services.haystack", "A"),
        ("containers.haystack", "A"),
        ("dockers.haystack", "MX"),
        ("tomcat.services.haystack", "A"),
        ("_tcp.nginx.services.haystack", "SRV"),
        ("haystack", "AAAA"),
        ("localhost", "MX"),
        ("17.172.in-addr.arpa", "PTR"),
    ],
)
def test_a_name_without_that_type_is_nodata_with_soa(ask, name, rdtype):
    message = ask(name, rdtype)
    assert message.rcode() == dns.rcode.NOERROR
    assert not message.answer
    assert [rrset.rdtype for rrset in message.authority] == [dns.rdatatype.SOA]


@pytest.mark.parametrize(
    ("name", "apex"),
    [
        ("nothing.haystack", "haystack."),
        ("gone.services.haystack", "haystack."),
        ("_http._tcp.gone.services.haystack", "haystack."),
        ("sick.containers.haystack", "haystack."),
        ("nginx.services.haystack.services.haystack", "haystack."),
        ("77.0.17.172.in-addr.arpa", "17.172.in-addr.arpa."),
        ("1.2.3.10.in-addr.arpa", "10.in-addr.arpa."),
        ("1.1.168.192.in-addr.arpa", "168.192.in-addr.arpa."),
        ("1.0." + "0." * 27 + "8.e.f.ip6.arpa", "8.e.f.ip6.arpa."),
    ],
)
def test_a_name_that_is_not_there_is_nxdomain_with_soa(ask, name, apex):
    message = ask(name)
    assert message.rcode() == dns.rcode.NXDOMAIN
    assert [str(rrset.name) for rrset in message.authority] == [apex]


def test_srv_brings_its_targets_addresses(ask):
    message = ask("_redis._tcp.redis.services.haystack", "SRV", tcp=True)
    found = {(str(r.name), rdata.to_text()) for r in message.additional for rdata in r}
    assert found == {
        (f"{REDIS}.containers.haystack.", "172.17.0.3"),
        (f"{REDIS}.containers.haystack.", "fd00::3"),
        (f"{TWIN}.containers.haystack.", "172.17.0.4"),
    }


@pytest.mark.parametrize("name", ["", ".", "x" * 64, ".".join(["x" * 60] * 5)])
def test_a_service_of_an_impossible_name_is_left_out_alone(stocked, name):
    odd = service("odd", *stocked.services["nginx.services.haystack"].endpoints)
    zone = Zone.of(picture(services=[type(odd)(name=name, endpoints=odd.endpoints), odd]), 5)
    assert zone.find(wire.name("odd.services.haystack")).node
    assert zone.find(b"\0") is None


def test_what_haystack_alone_may_not_reach_keeps_its_names(ask, responder, stocked):
    """The names lead to Haystack, which says what to do, and the SRV records to the endpoint, for its neighbours."""
    far = [replace(e, ready=False, unreachable=True) for e in stocked.services["nginx.services.haystack"].endpoints]
    stocked.services["nginx.services.haystack"] = service("nginx", *far)
    responder.publish(stocked)
    for name, rdtype, held in (("nginx.services.haystack", "A", OWN), ("_http._tcp.nginx.services.haystack", "SRV", f"{WEB}.containers")):
        assert held in ask(name, rdtype).answer[0].to_text()


def test_a_service_whose_first_task_is_on_its_way_has_a_name_and_what_stands_for_it_none():
    nobody = replace(container(9, "web (no task)"), state="awaited", address="0.0.0.0")
    expected = endpoint(nobody, 80, "http", listener="http", ready=False, awaited=True)
    made = Zone.of(picture([nobody], [service("web", expected)]), 5)
    assert made.nodes[wire.name("web.services.haystack")].own
    assert [key for key in made.nodes if b"containers" in key] == [wire.name("containers.haystack")]
    assert wire.name("_http._tcp.web.services.haystack") not in made.nodes
    assert not any(b"in-addr" in key and node.ptr for key, node in made.nodes.items() if not key.startswith(b"\x011\x010\x010\x03127"))
