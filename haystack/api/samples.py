"""An example of each answer for /openapi.json: a small site, shown by what shows the real one."""

from __future__ import annotations

from typing import Any

from haystack.dns.peers import Standing
from haystack.model.records import Attachment, Container, Engine, Network, Port
from haystack.model.services import Endpoint, Service
from haystack.model.snapshot import Snapshot
from haystack.tls.store import Entry
from haystack.views import certificates, live, shapes

ID = "4c01db0b339c" + "0" * 52
ORIGIN, NAME = "haystack", "web.services.haystack"
AT = 1764500000.0  # Unix seconds
BRIDGE = Network(id="7fca4eb8c647", name="bridge", engine="E", driver="bridge", gateway="172.17.0.1", subnet="172.17.0.0/16")
CONTAINER = Container(
    id=ID, name="web-1", engine="E", image="web:1.2", image_name="web", since=AT, network="bridge", address="172.17.0.2",
    address_reason="its only network", attachments=(Attachment(network="bridge", network_id="7fca4eb8c647", ipv4="172.17.0.2"),),
    ports=(Port(number=80, protocol="tcp", name="http"),), services=("web",),
)  # fmt: skip
ENDPOINT = Endpoint(
    id="4c01db0b339c:80/tcp", container=ID, container_name="web-1", target="c4c01db0b339c.containers.haystack", address="172.17.0.2",
    port=80, protocol="tcp", port_name="http", listener="http", since=AT,
)  # fmt: skip


def sample() -> dict[str, Any]:
    """By name: an answer of each kind."""
    service = Service(name=NAME, endpoints=(ENDPOINT,))
    engine = Engine(id="E", name="box", host="", address="172.17.0.1", version="27.0.3")
    snapshot = Snapshot(version=7, created=AT, origin=ORIGIN, containers={ID: CONTAINER}, services={NAME: service}, engines={"E": engine})
    member = shapes.service_shape(shapes.member_of(snapshot, service)(ENDPOINT), 5, AT)
    containers, networks = {ID: shapes.container_shape(ORIGIN, CONTAINER)}, {BRIDGE.id: shapes.network_shape(BRIDGE)}
    return {
        "containers": containers,
        "networks": networks,
        "members": [member],
        "certificates": [certificates.shape(Entry("acme", "www.example.com", error="www.example.com does not lead here"))],
        "info": {
            "version": shapes.version(),
            "origin": ORIGIN,
            "started": AT,
            "snapshot": {"version": snapshot.version, "created": AT},
            "listeners": {"http": 80, "http-alt": 8080, "dns": 53, "ssh": 22},
            "engines": {"E": shapes.engine_shape(engine)},
            "sources": {"box": {"connected": True, "error": None, "since": AT, "engine": "E"}},
            "workers": [{"slot": 0, "pid": 17, "state": "serving"}],
            "peers": [shapes.peer_shape(Standing(name="10.0.0.2", address="10.0.0.2", port=80, up=True, since=AT, answered=AT, names=3))],
            "containers": containers,
            "networks": networks,
            "services": {f"tcp://{NAME}:80": [member]},
            "proxy": {
                "requests": {f"tcp://{NAME}:80": {"tcp://172.17.0.2:80": 3}},
                "endpoints": {f"tcp://{NAME}:80": {ENDPOINT.id: 3}},
            },
            "problems": [{"about": ID, "subject": "label haystack.prot", "message": "no such label; did you mean port? label ignored"}],
        },
        "explain": {
            "host": NAME,
            "path": "/login",
            "service": NAME,
            "rule": {"host": NAME, "path": "/"},
            "endpoints": [live.endpoint_shape(ENDPOINT, "web-1.containers.haystack")],
            "lines": [
                f"service {NAME}, by host {NAME} and path prefix /",
                f"picked: {ENDPOINT.id} (weight 100), the only endpoint that is in",
            ],
        },
        "dns": {
            "name": NAME,
            "type": "A",
            "records": [f"{NAME}. 5 IN A 172.17.0.3"],
            "lines": [";; NOERROR, 1 answer", f"{NAME}. 5 IN A 172.17.0.3", ";; from the zone"],
        },
    }
