"""What is told of an exchange does not depend on how its client asked: log, traces and metrics, by HTTP/1.1 and 2, with TLS and without."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.differential.messages import Ask
from tests.differential.protocols import WAYS, Way, ask_http1, ask_http2
from tests.fakes.client import Client
from tests.fakes.http2 import Http2Client
from tests.fakes.origin import Loop, Origin, respond, respond_and_close
from tests.fakes.pki import Authority
from tests.fakes.tls import TlsClient, trusting
from tests.fakes.worker import Haystack, Member, host, until

UP, DOWN = b"u" * 100_000, b"d" * 70_000
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(DOWN) + DOWN
TIMES = {
    "time",
    "route_ms",
    "connect_ms",
    "first_byte_ms",
    "total_ms",
    "reused",
    "version",
    "listener",
}  # what may differ
ASKED = {
    "a GET": (Ask("GET", "/get?x=1", fields=(("x-request-id", "7"), ("user-agent", "it"), ("referer", "there"))), respond(LONG)),
    "a HEAD": (Ask("HEAD", "/head", fields=(("x-request-id", "7"),)), respond(b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n")),
    "a POST": (Ask("POST", "/post", fields=(("x-request-id", "7"),), parts=(UP,)), respond()),
    "a POST in chunks": (Ask("POST", "/chunks", fields=(("x-request-id", "7"),), parts=(UP,), counted=False), respond(LONG)),
    "no service": (Ask("GET", "/none", "nobody.services.haystack", fields=(("x-request-id", "7"),)), respond()),
    "an error": (Ask("POST", "/bad", fields=(("x-request-id", "7"),), parts=(b"once",)), respond_and_close(b"nonsense\r\n\r\n")),
    "a body that breaks off": (
        Ask("GET", "/cut", fields=(("x-request-id", "7"),)),
        respond_and_close(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 50_000),
    ),
}


class Edge:
    """A Haystack that writes down all there is."""

    def __init__(self, folder: Path, loop: Loop) -> None:
        self.authority = Authority(folder)
        (folder / "certs").mkdir()
        self.authority.write(folder / "certs", "inside", "*.services.haystack")
        self.origin = Origin(loop, respond()).start()
        self.log = folder / "access.log"
        members = [Member(f"way{number}", self.origin.port) for number in range(len(WAYS))]
        own = {"HAYSTACK_CERTS": str(folder / "certs"), "HAYSTACK_H2C": "on", "HAYSTACK_ACCESS_LOG": "json", "HAYSTACK_TRACE": "on"}
        with self.log.open("wb") as out:
            self.haystack = Haystack(members, out=out, **own)

    def name(self, way: Way) -> str:
        """Of the service that only this way asks for: its metrics are its own."""
        return host(f"way{WAYS.index(way)}")

    def client(self, way: Way, name: str) -> Client | Http2Client:
        if not way.secure:
            return Client(self.haystack.port) if way.version == 1 else Http2Client(self.haystack.port)
        context = trusting(self.authority.path)
        context.set_alpn_protocols(["http/1.1" if way.version == 1 else "h2"])
        port = int(self.haystack.wait("ready")["https"])
        return TlsClient(port, context, name) if way.version == 1 else Http2Client(port, context, name)

    def lines(self, target: str) -> list[dict[str, Any]]:
        return [line for line in map(json.loads, self.log.read_text().splitlines()) if line["target"] == target]

    def traces(self, target: str) -> list[dict[str, Any]]:
        return [line for line in self.haystack.lines if line.get("event") == "exchange.traced" and line.get("target") == target]

    def figures(self, service: str) -> dict[str, float]:
        """Samples of a service, but for times."""
        with Client(self.haystack.port) as client:
            page = client.get("localhost", "/metrics").body.decode().splitlines()
        rows = [row for row in page if f'service="{service}"' in row and not row.startswith("#")]
        told = (row.rpartition(" ") for row in rows if "seconds" not in row or "seconds_count" in row)
        return {name.replace(service, "it"): float(value) for name, _, value in told}


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, fakes: Loop) -> Iterator[Edge]:
    made = Edge(tmp_path_factory.mktemp("told"), fakes)
    with made.haystack:
        yield made
    made.origin.stop()


def even(line: dict[str, Any], name: str) -> dict[str, Any]:
    """Without what may differ, and with one name for all services."""
    text = json.dumps({key: value for key, value in line.items() if key not in TIMES | {"timestamp"}}, sort_keys=True)
    found: dict[str, Any] = json.loads(text.replace(name, "it"))
    return found


@pytest.mark.parametrize("what", ASKED)
def test_log_trace_and_metrics_are_the_same_on_all_ways(edge: Edge, what: str) -> None:
    ask, edge.origin.script = ASKED[what]
    before = {way: edge.figures(edge.name(way)) for way in WAYS}
    for way in WAYS:
        with edge.client(way, edge.name(way)) as client:
            authority = ask.authority.format(edge.name(way))
            ask_http1(client, ask, authority) if isinstance(client, Client) else ask_http2(client, ask, authority)
    until(lambda: len(edge.lines(ask.target)) == len(edge.traces(ask.target)) == len(WAYS), 10, "not all are told of")
    for told in (edge.lines(ask.target), edge.traces(ask.target)):
        assert [line["version"] for line in told] == ["1.1", "1.1", "2", "2"]
        first, *others = [even(line, edge.name(way)) for way, line in zip(WAYS, told, strict=True)]
        assert others == [first] * 3
    if ask.authority == "{}":
        until(lambda: all(edge.figures(edge.name(way)) != before[way] for way in WAYS), 10, "it is counted nowhere")
    first, *others = [differing(before[way], edge.figures(edge.name(way))) for way in WAYS]
    assert others == [first] * 3


def differing(old: dict[str, float], new: dict[str, float]) -> dict[str, float]:
    return {name: value - old.get(name, 0) for name, value in new.items() if value != old.get(name, 0)}
