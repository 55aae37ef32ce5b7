"""An asker on a network of the engines is given the addresses that it reaches there."""

import dns.message
import pytest

from haystack._fast.net.networks import Networks
from haystack.model.records import Attachment, Network
from tests.unit.dns.conftest import OWN, Zoned, container, endpoint, picture, service

NETWORKS = {
    name: Network(id=name, name=name, engine="E", driver="bridge", subnets=(subnet,))
    for name, subnet in {"bridge": "172.17.0.0/16", "back": "10.1.0.0/24", "back6": "fd00:1::/64", "inner": "10.1.0.64/26"}.items()
}


def on(**addresses):
    return tuple(
        Attachment(network=name, network_id=name, ipv4=None if ":" in at else at, ipv6=at if ":" in at else None)
        for name, at in addresses.items()
    )


BOTH = container(2, "both", attachments=on(bridge="172.17.0.2", back="10.1.0.2"))
ONE = container(3, "one", attachments=on(bridge="172.17.0.3"))
SIX = container(4, "six", attachments=on(bridge="172.17.0.4", back6="fd00:1::4"))


@pytest.fixture(scope="module")
def zoned():
    members = [BOTH, ONE, SIX]
    db = service("db", *(endpoint(each, 5432, "postgresql") for each in members))
    return Zoned(picture(members, [db]), networks=NETWORKS)


def ask(zoned, name, client, rdtype="A"):
    network = Networks(*zoned.subnets.table).find(client)
    packet = dns.message.make_query(name, rdtype).to_wire()
    return dns.message.from_wire(zoned.answer(packet, OWN, tcp=False, network=network))


def addresses(message):
    return sorted(rdata.to_text() for rrset in message.answer for rdata in rrset)


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("172.17.0.9", "172.17.0.2"),
        ("10.1.0.9", "10.1.0.2"),
        ("10.9.9.9", "172.17.0.2"),
        ("192.0.2.1", "172.17.0.2"),
        ("::1", "172.17.0.2"),
    ],
)
def test_a_containers_address_is_that_on_the_askers_network(zoned, client, expected):
    assert addresses(ask(zoned, "both.containers.haystack", client)) == [expected]


def test_an_address_in_the_narrower_of_two_networks_is_in_that(zoned):
    assert addresses(ask(zoned, "both.containers.haystack", "10.1.0.70")) == ["172.17.0.2"]


def test_of_a_service_each_endpoint_has_the_address_that_the_asker_shares_with_it(zoned):
    assert addresses(ask(zoned, "db.services.haystack", "10.1.0.9")) == ["10.1.0.2", "172.17.0.3", "172.17.0.4"]


def test_the_addresses_of_srv_records_are_those_too(zoned):
    message = ask(zoned, "_postgresql._tcp.db.services.haystack", "10.1.0.9", "SRV")
    found = {rrset.name.to_text().partition(".")[0][:2]: rrset[0].to_text() for rrset in message.additional}
    assert found == {"c2": "10.1.0.2", "c3": "172.17.0.3", "c4": "172.17.0.4"}


def test_an_asker_on_an_ipv6_network_has_the_ipv6_address_there(zoned):
    assert addresses(ask(zoned, "six.containers.haystack", "fd00:1::9", "AAAA")) == ["fd00:1::4"]
    assert addresses(ask(zoned, "six.containers.haystack", "fd00:1::9", "A")) == []
    assert addresses(ask(zoned, "six.containers.haystack", "172.17.0.9", "A")) == ["172.17.0.4"]


def test_an_alias_of_two_projects_is_on_each_network_its_own():
    attachments = [
        (Attachment(network=name, network_id=name, ipv4=at, aliases=("db",)),)
        for name, at in (("bridge", "172.17.0.2"), ("back", "10.1.0.3"))
    ]
    members = [container(2, "a-db-1", attachments=attachments[0]), container(3, "b-db-1", attachments=attachments[1])]
    zoned = Zoned(picture(members), networks=NETWORKS)
    assert addresses(ask(zoned, "db.containers.haystack", "172.17.0.9")) == ["172.17.0.2"]
    assert addresses(ask(zoned, "db.containers.haystack", "10.1.0.9")) == ["10.1.0.3"]
    assert addresses(ask(zoned, "db.containers.haystack", "192.0.2.1")) == ["10.1.0.3", "172.17.0.2"]
