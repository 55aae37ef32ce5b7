"""Names that a real engine gives to containers, as they are asked for over port 53."""

import os
from http.client import HTTPConnection

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

    def __init__(self, port, http):
        self.port, self.http = port, http

    def ask(self, name, rdtype="A"):
        """The records of the answer as texts, or the code where there is none."""
        reply = dns.query.udp(dns.message.make_query(name, rdtype), "127.0.0.1", port=self.port, timeout=10)
        return sorted(rdata.to_text() for rrset in reply.answer for rdata in rrset) or dns.rcode.to_text(reply.rcode())

    def get(self, host):
        """The status of a GET by this Host."""
        connection = HTTPConnection("127.0.0.1", self.http, timeout=20)
        connection.request("GET", "/", headers={"Host": host})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status


@pytest.fixture(scope="module")
def names(client):
    with Haystack(DOCKER_HOST=HOST) as made:
        yield Names(int(made.told["dns"]), made.port)


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


def test_names_with_underscores_lead_to_the_same(host, names, eventually):
    serve = ["sh", "-c", "mkdir /www; echo hello >/www/index.html; exec httpd -f -p 8000 -h /www"]
    made = host.run("busybox", serve, name=f"{GROUP}_app-1", labels={"haystack.port": "8000"})
    found = [made.attrs["NetworkSettings"]["IPAddress"]]
    for name in (f"{GROUP}_app-1.containers.haystack", f"{GROUP}-app-1.containers.haystack"):
        eventually(lambda name=name: names.ask(name) == found, 10)
    for name in (f"{GROUP}_app.busybox.services.haystack", f"{GROUP}-app.busybox.services.haystack"):
        eventually(lambda name=name: names.ask(name) == ["127.0.0.1"], 10)
        eventually(lambda name=name: names.get(name) == 200, 10)


def test_names_that_fall_together_lead_to_the_one_that_is_called_so(host, names, eventually):
    found = {}
    for name in (f"{GROUP}-same", f"{GROUP}_same"):
        made = host.run("busybox", SLEEP, name=name)
        found[name] = [made.attrs["NetworkSettings"]["IPAddress"]]
    eventually(lambda: names.ask(f"{made.name}.containers.haystack") == found[made.name], 10)
    assert names.ask(f"{GROUP}-same.containers.haystack") == found[f"{GROUP}-same"]
    assert names.ask(f"{GROUP}-same-{made.id[:12]}.containers.haystack") == found[made.name]
    thief = host.run("busybox", SLEEP, name=f"c{made.id[:12]}")
    eventually(lambda: names.ask(f"{thief.name}-{thief.id[:12]}.containers.haystack") != "NXDOMAIN", 10)
    assert names.ask(f"{thief.name}.containers.haystack") == found[made.name]
