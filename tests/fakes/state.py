"""Stand-ins for the rooms that the shell and the web side read."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace

from haystack.catalog.publishing import Publishing
from haystack.dns.messages import AskerRow, DnsCounts
from haystack.model.overrides import NONE
from haystack.model.records import Attachment, Container, Engine, Network, Port, Problem
from haystack.model.reports import Trace
from haystack.model.services import Endpoint, Service
from haystack.observe.trace import TraceHub
from haystack.proxy.counters import Counts, Place
from haystack.proxy.traffic import Traffic
from haystack.settings.settings import load
from haystack.views.rates import Rates
from haystack.views.state import State

ID = "ab" * 32
NAME = "nginx.services.haystack"
ENDPOINT = Endpoint(
    id="abababababab:80/tcp",
    container=ID,
    container_name="web",
    target="cabababababab.containers.haystack",
    address="172.17.0.2",
    port=80,
    protocol="tcp",
    port_name="http",
    listener="http",
)


def trace(service=NAME, **changes):
    fields = dict(  # noqa: C408 - reads as the record does
        time=1.0, worker=0, listener="http", client="10.0.0.1:5", method="GET", host=service, target="/x", service=service,
        candidates=("172.17.0.9:80", "172.17.0.2:80"), endpoint="172.17.0.2:80", reused=True, status=200, received=0, sent=612,
        route_ms=0.01, connect_ms=-1, first_byte_ms=1.5, total_ms=2.25,
    )  # fmt: skip
    return Trace(**{**fields, **changes})


class Proxy:
    def __init__(self):
        self.requests = {}
        self.errors = {}
        self.traffic = Traffic()
        self.ports = {"http": 80, "http-alt": 8080}
        self.workers = [SimpleNamespace(slot=0, pid=7, state="serving", trouble="", restarts=0, clients=2, frailty=lambda _now: "")]
        self.refreshed = 0
        self.dns_counts = DnsCounts()
        self.asked = []

    async def askers(self, name, clients):
        self.asked.append((name, clients))
        return [AskerRow(b"\4curl\0", bytes((172, 17, 0, 2)), ("A",), 2.0, 5)]

    async def refresh(self):
        self.refreshed += 1
        self.requests = {(NAME, 80): Counts({Place("abababababab:80/tcp", "172.17.0.2", 80): 3})}
        self.errors = {("destination_not_found", 404): 2}


class Responder:
    def lookup(self, name, qtype, local):
        if name == NAME and qtype == "A":
            return [";; NOERROR, 1 answer", f"{NAME}. 5 IN A {local}"]
        return [";; NXDOMAIN, 0 answers"]

    async def resolve(self, name, qtype, local):
        if name == "example.com":
            return [";; NOERROR, 1 answer", "example.com. 60 IN A 192.0.2.1", ";; from nameserver 10.0.0.2:53"]
        return self.lookup(name, qtype, local)

    def figures(self):
        return None


def picture(name="web", image="nginx", reason="running"):
    container = Container(
        id=ID, name=name, engine="E", image=image, network="bridge", address="172.17.0.2", services=("nginx",), address_reason="only one",
        attachments=(
            Attachment(network="other", ipv4="10.9.0.2", endpoint_id="no", mac_address="no"),
            Attachment(network="bridge", ipv4="172.17.0.2", endpoint_id="e" * 64, mac_address="02:42:ac:11:00:02"),
        ),
        ports=(Port(number=80, protocol="tcp", name="http"),), problems=(Problem(subject="label haystack.port", message="not a port"),),
    )  # fmt: skip
    endpoint = Endpoint(**{**{f: getattr(ENDPOINT, f) for f in ENDPOINT.__struct_fields__}, "container_name": name, "reason": reason})
    return SimpleNamespace(
        version=4,
        created=1.0,
        origin="haystack",
        engines={"E": Engine(id="E", name="box", host="unix:///x", address="172.17.0.1")},
        networks={"n1": Network(id="n1", name="bridge", engine="E", driver="bridge", gateway="172.17.0.1", subnet="172.17.0.0/16")},
        containers={ID: container},
        services={NAME: Service(name=NAME, endpoints=(endpoint,))},
        problems=((ID, Problem(subject="label haystack.port", message="not a port")),),
        overrides=NONE,
    )


def state(folder="/nonexistent", snapshot=None, **settings):
    chosen = {
        "bind": ("127.0.0.1",), "ssh_port": 0, "dns_ttl": 5, "ssh_authorized_keys": None, "ssh_authorized_keys_file": None,
        "state_dir": Path(folder), "ssh_idle_timeout": 0.0, "cors_origin": None, "expose": "all", "locality": True,
        "https": "on", "balance": "p2c", "timeout": 60.0, "wait": 10.0,
        "told": load({"workers": "2"}).told, **settings,
    }  # fmt: skip
    source = SimpleNamespace(connected=True, error=None, since=1.0, engine=None)
    registry = SimpleNamespace(
        snapshot=snapshot or picture(), sources={"unix:///x": source}, listed=asyncio.Event(), watcher=None, departures=[],
        publishing=Publishing(),
        subscribe=lambda _callback: lambda: None,
    )  # fmt: skip
    registry.listed.set()
    proxy = Proxy()
    return State(
        settings=SimpleNamespace(**chosen),
        registry=registry,
        responder=Responder(),
        proxy=proxy,
        traces=TraceHub(),
        operator=SimpleNamespace(overrides=NONE),
        started=time.time(),
        rates=Rates(proxy.traffic),
    )
