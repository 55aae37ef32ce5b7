"""deploy/stack.yml on three real nodes: Haystack as a global service, on the ports of each node, and DNS that leads to all of it.

In the place of the image is an empty one, into which this tree is mounted with the Python that runs the tests.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import ssl
import sys
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest
from cryptography import x509

from tests.fakes.nameserver import Nameserver
from tests.fakes.nodes import BUSYBOX, NGINX, Node, run
from tests.fakes.pebble import Pebble
from tests.fakes.within import within
from tests.fakes.worker import command, until

STACK = (Path(__file__).resolve().parents[2] / "deploy" / "stack.yml").read_text()
FRONT = "front.nginx.services.haystack"
WWW = "www.example.net"
PATIENCE = 90.0


def mounted() -> list[str]:
    """The folders that this Python needs."""
    wanted = {Path(each).resolve() for each in (*sys.path, sys.base_prefix, sys.prefix, "/usr", "/lib", "/lib64") if Path(each).is_dir()}
    return sorted(str(each) for each in wanted if not any(above in wanted for above in each.parents))


def stack(folder: Path, **settings: str) -> str:
    """The file with what stands for the image, and a folder that all nodes share. folder: with that of each node, by its name."""
    volumes = "".join(f"      - {{type: bind, source: {each}, target: {each}, read_only: true}}\n" for each in mounted())
    volumes += f"      - {{type: bind, source: {folder}, target: {folder}}}\n"
    volumes += f"      - {{type: bind, source: {folder}/acme, target: /var/lib/haystack/acme}}\n"
    own = "".join(f"      {name}: {json.dumps(text)}\n" for name, text in settings.items())
    made = STACK.replace("    image: haystack\n", f"    image: {BUSYBOX}\n    command: [{', '.join(map(str, command()))}]\n")
    made = re.sub(r"      - \{type: bind, source: /var/run/docker\.sock.*\n", volumes, made)
    made = made.replace('"unix:///var/run/docker.sock"', f'"unix://{folder}/{{{{.Node.Hostname}}}}/docker.sock"')
    return made.replace("    environment:\n", f"    environment:\n{own}")


class World:
    """An authority, and DNS for it and for everybody. It looks where `dns.address` is."""

    def __init__(self, nodes: list[Node], folder: Path) -> None:
        gateway = f"{nodes[0].address.rpartition('.')[0]}.1"
        self.dns = Nameserver(ttl=1, at=gateway)
        self.pebble = Pebble(folder, self.dns.port, http=80, tls=443, address=gateway)

    @property
    def settings(self) -> dict[str, str]:
        nameserver = f"{self.dns.at}:{self.dns.port}"
        return {"HAYSTACK_ACME": self.pebble.url, "HAYSTACK_ACME_CA": str(self.pebble.ca), "HAYSTACK_DNS_NAMESERVERS": nameserver}


@pytest.fixture(scope="module")
def world(nodes):
    if shutil.which("pebble") is None:
        pytest.skip("pebble is not installed")
    folder = nodes[0].folder.parent
    for name in ("acme", "pebble"):
        (folder / name).mkdir()
    made = World(nodes, folder / "pebble")
    with made.dns, made.pebble:
        yield made


@pytest.fixture(scope="module")
def deployed(nodes, world, tmp_path_factory):
    file = tmp_path_factory.mktemp("stack") / "stack.yml"
    settings = {"HAYSTACK_WORKERS": "1", "HAYSTACK_TLS_LOCAL": "on", "HAYSTACK_LOG_FORMAT": "json"}
    file.write_text(stack(nodes[0].folder.parent, **settings, **world.settings))
    nodes[0].docker("service", "create", "--detach", "--no-resolve-image", "--name", "front", "--network", "web", "--replicas", "3", NGINX)
    nodes[0].docker("stack", "deploy", "--resolve-image", "never", "--compose-file", str(file), "haystack")
    try:
        for node in nodes:
            until(lambda node=node: status(node.address) == 200, PATIENCE, lambda: logs(nodes))
        yield nodes
    finally:
        nodes[0].docker("stack", "rm", "haystack")
        nodes[0].docker("service", "rm", "front")


def logs(nodes) -> str:
    found = nodes[0].docker("service", "ps", "--no-trunc", "haystack_haystack", check=False)
    return found + "".join(logged(node, each)[-3000:] for node in nodes for each in tasks(node))


def logged(node: Node, container: str) -> str:
    return run("sh", "-c", f"docker -H {node.host} logs {container} 2>&1", check=False)


def tasks(node) -> list[str]:
    """Haystack's containers on a node."""
    return node.docker("ps", "--quiet", "--filter", "label=com.docker.swarm.service.name=haystack_haystack").split()


def status(address: str, host: str = FRONT) -> int:
    return asked(address, host)[0]


def asked(address: str, host: str, path: str = "/") -> tuple[int, bytes]:
    """Status and body; 0: nobody answers."""
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def addresses(server: str) -> set[str]:
    try:
        answer = dns.query.udp(dns.message.make_query(FRONT, "A"), server, timeout=3)
    except (OSError, dns.exception.DNSException):
        return set()
    return {item.address for each in answer.answer for item in each}


def test_every_node_serves_on_its_own_ports_and_none_lists_haystack(deployed):
    for node in deployed:
        assert status(node.address) == 200
        assert status(node.address, "haystack.busybox.services.haystack") == 404


def test_dns_leads_who_is_outside_to_all_nodes_and_neighbours_to_the_tasks(deployed):
    everywhere = {node.address for node in deployed}
    for node in deployed:
        until(lambda node=node: addresses(node.address) == everywhere, PATIENCE, lambda node=node: f"{addresses(node.address)}")
    inner = {overlay(node, each) for node in deployed for each in tasks(node)}
    deployed[0].docker("run", "--detach", "--name", "asker", "--network", "web", BUSYBOX, "sleep", "10000")
    pid = int(deployed[0].docker("inspect", "--format", "{{.State.Pid}}", "asker"))
    for server in inner:
        assert within(pid, lambda server=server: addresses(server)) == inner
    deployed[0].docker("rm", "--force", "asker")


def overlay(node, container: str) -> str:
    return node.docker("inspect", "--format", "{{.NetworkSettings.Networks.web.IPAddress}}", container)


def test_one_that_has_gone_is_told_no_more_until_it_is_back(deployed):
    everywhere = {node.address for node in deployed}
    until(lambda: addresses(deployed[0].address) == everywhere, PATIENCE, "not all of them are told")
    (gone,) = tasks(deployed[2])
    deployed[2].docker("kill", gone)
    until(lambda: addresses(deployed[0].address) == everywhere - {deployed[2].address}, PATIENCE, "it is told, still")
    assert status(deployed[0].address) == 200
    until(lambda: addresses(deployed[0].address) == everywhere, PATIENCE, "no other one comes in its place")


def test_one_that_comes_in_the_place_of_another_goes_on_with_its_keys(deployed):
    node = deployed[1]
    until(lambda: authority(node.address), PATIENCE, "it has none")
    before, (gone,) = authority(node.address), tasks(node)
    node.docker("kill", gone)
    until(lambda: (now := tasks(node)) and gone not in now and authority(node.address), PATIENCE, lambda: logs(deployed))
    assert authority(node.address) == before


def test_with_a_shared_folder_one_of_them_orders_and_all_serve_the_certificate(deployed, world):
    """The authority looks at one that does not order."""
    until(lambda: len(leading(deployed)) == 1, PATIENCE, lambda: logs(deployed))
    world.dns.address = next(node.address for node in deployed if node not in leading(deployed))
    deployed[0].docker("service", "update", "--detach", "--no-resolve-image", "--label-add", f"haystack.host={WWW}", "front")
    until(lambda: all(issuer(node.address).startswith("CN=Pebble") for node in deployed), PATIENCE, lambda: logs(deployed))
    assert len({certificate(node.address) for node in deployed}) == 1
    assert world.pebble.count("POST /order-plz") == 1


def leading(nodes: list[Node]) -> list[Node]:
    """On which of them runs the one that orders."""
    return [node for node in nodes if any("acme.leading" in logged(node, each) for each in tasks(node))]


def certificate(address: str) -> bytes:
    """What is shown for the name, unverified; empty: nothing is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((address, 443), 5) as sock, context.wrap_socket(sock, server_hostname=WWW) as tls:
            return tls.getpeercert(binary_form=True) or b""
    except OSError:
        return b""


def issuer(address: str) -> str:
    found = certificate(address)
    return x509.load_der_x509_certificate(found).issuer.rfc4514_string() if found else ""


def authority(address: str) -> bytes:
    """The certificate of its local CA."""
    answered, body = asked(address, address, "/ca.pem")
    return body if answered == 200 else b""
