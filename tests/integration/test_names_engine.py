"""Names that a real engine gives to containers, as they are asked for over port 53."""

import os

import dns.message
import dns.query
import dns.rcode
import pytest

from bench.macro.process import Haystack

HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
GROUP = f"names{os.getpid()}"
SLEEP = ["sleep", "600"]


class Names:
    """What port 53 of a Haystack on this machine answers."""

    def __init__(self, port):
        self.port = port

    def ask(self, name, rdtype="A"):
        """The records of the answer as texts, or the code where there is none."""
        reply = dns.query.udp(dns.message.make_query(name, rdtype), "127.0.0.1", port=self.port, timeout=10)
        return sorted(rdata.to_text() for rrset in reply.answer for rdata in rrset) or dns.rcode.to_text(reply.rcode())


@pytest.fixture(scope="module")
def names(client):
    with Haystack(DOCKER_HOST=HOST) as made:
        yield Names(int(made.told["dns"]))


@pytest.fixture
def network(client):
    made = client.networks.create(f"{GROUP}_back")
    yield made
    made.reload()
    for each in made.containers:
        made.disconnect(each, force=True)
    made.remove()


def address(made, network):
    made.reload()
    return made.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"]


def test_aliases_on_a_network_lead_to_all_that_have_them_there(host, names, network, eventually):
    alias = f"{GROUP}-db"
    both = [host.run("busybox", SLEEP, name=f"{GROUP}-{n}-x") for n in "ab"]
    for each in both:
        network.connect(each, aliases=[alias])
    there = sorted(address(each, network) for each in both)
    eventually(lambda: names.ask(f"{alias}.containers.haystack") == there, 10, lambda: names.ask(f"{alias}.containers.haystack"))
    for each in both:
        turned = ".".join(reversed(address(each, network).split(".")))
        assert names.ask(f"{turned}.in-addr.arpa", "PTR") == [f"{each.name}.containers.haystack."]
    both[0].kill()
    eventually(lambda: names.ask(f"{alias}.containers.haystack") == [address(both[1], network)], 10)
    network.disconnect(both[1])
    eventually(lambda: names.ask(f"{alias}.containers.haystack") == "NXDOMAIN", 10)
