"""What names of Haystack's own are answered with where there are several Haystacks."""

import dns.message
import pytest

from haystack._fast.net.networks import Networks
from haystack.dns.messages import DnsPeers
from haystack.dns.rows import HostRow
from haystack.model.records import Network
from tests.unit.dns.conftest import OWN, Zoned, container, endpoint, picture, service

NETWORKS = {
    "web": Network(id="web", name="web", engine="", driver="overlay", scope="swarm", subnets=("10.0.1.0/24",)),
    "bridge": Network(id="bridge", name="bridge", engine="E", driver="bridge", subnets=("172.17.0.0/16",)),
    "aside": Network(id="aside", name="docker_gwbridge", engine="E", driver="bridge", subnets=("172.18.0.0/16",)),
}
NEIGHBOUR, BESIDE, OUTSIDE, ASIDE = "10.0.1.99", "172.17.0.99", "192.168.1.9", "172.18.0.1"
SHOP = "shop.services.haystack"


@pytest.fixture
def zoned():
    web = container(2, "web")
    return Zoned(picture([web], [service("shop", endpoint(web, 80, "http", listener="http"))]), networks=NETWORKS)


def octets(text):
    return bytes(map(int, text.split(".")))


def host(zoned, node, near=""):
    return HostRow(octets(node), b"", ((zoned.subnets.number("web"), octets(near), b""),) if near else ())


def asked(zoned, client=OUTSIDE, local=OWN, name=SHOP, rdtype="A"):
    network = Networks(*zoned.subnets.table).find(client)
    answer = dns.message.from_wire(zoned.answer(dns.message.make_query(name, rdtype).to_wire(), local, tcp=False, network=network))
    return [rdata.to_text() for rrset in (*answer.answer, *answer.additional) for rdata in rrset]


def test_alone_it_answers_with_the_address_that_was_asked(zoned):
    assert asked(zoned) == [OWN]
    DnsPeers().meet(zoned.compiled)
    assert asked(zoned) == [OWN]


def test_others_stand_beside_it_and_another_one_comes_first_each_time(zoned):
    DnsPeers((host(zoned, "10.77.0.3"), host(zoned, "10.77.0.4"))).meet(zoned.compiled)
    answers = [asked(zoned) for _ in range(3)]
    assert {tuple(sorted(each)) for each in answers} == {("10.77.0.3", "10.77.0.4", OWN)}
    assert len({each[0] for each in answers}) == 3


def test_a_list_that_names_this_one_too_names_it_once(zoned):
    DnsPeers((host(zoned, OWN), host(zoned, "10.77.0.4"))).meet(zoned.compiled)
    assert sorted(asked(zoned)) == ["10.77.0.4", OWN]


def test_who_is_on_a_network_of_theirs_reaches_them_there(zoned):
    DnsPeers((host(zoned, "10.77.0.3", "10.0.1.3"),), host(zoned, "10.77.0.2", "10.0.1.2")).meet(zoned.compiled)
    assert sorted(asked(zoned, NEIGHBOUR, "10.0.1.2")) == ["10.0.1.2", "10.0.1.3"]
    assert sorted(asked(zoned, BESIDE)) == ["10.77.0.3", OWN]


@pytest.mark.parametrize("client", [OUTSIDE, ASIDE])
def test_who_is_outside_is_told_the_nodes(zoned, client):
    """The address that was asked is that to which Docker has led the query: it is of no use outside."""
    DnsPeers((host(zoned, "10.77.0.3", "10.0.1.3"),), host(zoned, "10.77.0.2", "10.0.1.2")).meet(zoned.compiled)
    assert sorted(asked(zoned, client)) == ["10.77.0.2", "10.77.0.3"]


def test_an_address_that_is_set_counts_whoever_asks():
    web = container(2, "web")
    zoned = Zoned(picture([web], [service("shop", endpoint(web, 80, "http", listener="http"))]), ["203.0.113.1"], networks=NETWORKS)
    DnsPeers((host(zoned, "10.77.0.3", "10.0.1.3"),), host(zoned, "10.77.0.2", "10.0.1.2")).meet(zoned.compiled)
    assert sorted(asked(zoned)) == ["10.77.0.3", "203.0.113.1"]


def test_the_name_server_is_each_of_them(zoned):
    DnsPeers((host(zoned, "10.77.0.3"),)).meet(zoned.compiled)
    assert asked(zoned, name="haystack", rdtype="NS")[0] == "ns.haystack."
    assert sorted(asked(zoned, name="ns.haystack")) == sorted(asked(zoned, name="haystack", rdtype="NS")[1:]) == ["10.77.0.3", OWN]


def test_another_family_s_addresses_are_answered_with_those_alone(zoned):
    DnsPeers((HostRow(b"", bytes(15) + b"\7"),)).meet(zoned.compiled)
    assert asked(zoned) == [OWN]
    assert asked(zoned, rdtype="AAAA") == ["::7"]


def test_there_is_an_end_to_how_many_are_answered_with(zoned):
    DnsPeers(tuple(host(zoned, f"10.77.1.{number}") for number in range(200))).meet(zoned.compiled)
    packet = dns.message.make_query(SHOP, "A").to_wire()
    answer = dns.message.from_wire(zoned.answer(packet, OWN, tcp=True, network=0))
    assert sum(len(rrset) for rrset in answer.answer) == 64


def test_when_they_have_gone_it_is_alone_again(zoned):
    DnsPeers((host(zoned, "10.77.0.3"),), host(zoned, "10.77.0.2")).meet(zoned.compiled)
    DnsPeers().meet(zoned.compiled)
    assert asked(zoned) == [OWN]
