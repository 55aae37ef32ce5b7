"""A picture of a few containers, and a way to ask the responder what a client would."""

from __future__ import annotations

from types import SimpleNamespace

import dns.flags
import dns.message
import dns.rdatatype
import msgspec
import pytest

from haystack.dns.lookup import Lookup, local_octets
from haystack.dns.subnets import Subnets
from haystack.dns.zone_feed import ZoneFeed
from haystack.loop.turns import at_once
from haystack.model.records import Container, Engine
from haystack.model.services import Endpoint, Service

OWN = "172.17.0.9"
FORWARD = object()


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    version: int = 7
    origin: str = "haystack"
    engines: dict = {}
    containers: dict = {}
    services: dict = {}
    records: dict = {}

    def changed_since(self, _version):
        return None


def container(number, name, **more):
    return Container(id=f"{number:064x}"[::-1], name=name, engine="E", address=f"172.17.0.{number}", **more)


def endpoint(of, port, port_name, **more):
    return Endpoint(
        **{
            "id": f"{of.short_id}:{port}/tcp", "container": of.id, "container_name": of.name, "port": port,
            "target": f"c{of.short_id}.containers.haystack", "address": of.address, "address6": of.address6,
            "protocol": "tcp", "port_name": port_name, **more,
        }
    )  # fmt: skip


def service(short, *endpoints, **more):
    return Service(name=f"{short}.services.haystack", endpoints=endpoints, **more)


def picture(containers=(), services=(), engines=(), **more):
    return Picture(
        containers={c.id: c for c in containers}, services={s.name: s for s in services}, engines={e.id: e for e in engines}, **more
    )


@pytest.fixture
def stocked():
    web, redis, twin = container(2, "Web_One"), container(3, "redis", address6="fd00::3"), container(4, "redis-b")
    return picture(
        [web, redis, twin],
        [
            service("nginx", endpoint(web, 80, "http", listener="http")),
            service(
                "redis", endpoint(redis, 6379, "redis"), endpoint(redis, 7000, "7000"), endpoint(twin, 6379, "redis", weight=7),
                endpoint(container(5, "sick"), 6379, "redis", ready=False),
            ),
            service("gone", endpoint(twin, 80, "http", listener="http", ready=False)),
            service("web.tomcat", endpoint(twin, 8080, "http-alt", listener="http-alt")),
        ],
        [Engine(id="ABCD:EFGH:IJKL:MNOP", name="host.example", host="unix://", address="192.168.5.1")],
    )  # fmt: skip


class Zoned:
    """A responder that is fed as a worker's is, with whole pictures. networks: by id, as in a snapshot."""

    def __init__(self, first=None, addresses=(), networks=None):
        self.subnets = Subnets()
        at_once(self.subnets.follow(networks or {}))
        self.feed = ZoneFeed(5, addresses, self.subnets, first or picture())
        self.compiled = self.feed.responder
        self.compiled.held = False

    def publish(self, new):
        """Answer from this one from now on."""
        return at_once(self.feed.follow(new))

    def answer(self, packet, local, tcp, **more):
        """The answer's octets; None: silence; FORWARD."""
        reply = self.compiled.ask(packet, local_octets(local), tcp=tcp, **more)
        return FORWARD if reply is None else reply or None

    def lookup(self, *words):
        """As the shell asks."""
        return Lookup(SimpleNamespace(feed=self.feed)).lookup(*words)


@pytest.fixture
def responder(stocked):
    return Zoned(stocked)


@pytest.fixture
def ask(responder):
    def ask(name, rdtype="A", *, local=OWN, tcp=False, **more):
        query = dns.message.make_query(name, rdtype, **more)
        reply = responder.answer(query.to_wire(), local, tcp)
        message = dns.message.from_wire(reply)
        assert query.is_response(message)
        return message

    return ask
