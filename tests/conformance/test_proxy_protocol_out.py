"""The PROXY protocol to endpoints (haystack.proxy_protocol): each connection tells whose it is, and is nobody else's."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

from haystack._fast.net.testing import proxy_header
from tests.fakes.client import Client
from tests.fakes.far_end import FarEnd, reset
from tests.fakes.haproxy import haproxy
from tests.fakes.origin import respond
from tests.fakes.pki import Authority, server_context
from tests.fakes.tls import hello
from tests.fakes.worker import Haystack, Member, host, until

RAW, SERVED = "raw.example.net", "served.example.com"


@dataclass
class Heard:
    """What an endpoint was told of its connections: the headers as they are read, None for one that is none, and what follows."""

    headers: list[tuple[int, str, int, str, int] | int] = field(default_factory=list)
    behind: list[bytes] = field(default_factory=list)
    fails: bool = False

    def web(self, _end: FarEnd, sock: socket.socket) -> None:
        """Answer each request."""
        data = self._header(sock)
        while data or (data := sock.recv(65536)):
            if self.fails:
                reset(sock)
                return
            self.behind.append(data)
            if b"\r\n\r\n" in data:
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            data = b""

    def raw(self, _end: FarEnd, sock: socket.socket) -> None:
        """Say back what follows."""
        data = self._header(sock)
        while data or (data := sock.recv(65536)):
            self.behind.append(data)
            sock.sendall(data)
            data = b""

    def _header(self, sock: socket.socket) -> bytes:
        data = b""
        while (found := proxy_header(data)) == 0:
            more = sock.recv(65536)
            if not more:
                return b""
            data += more
        self.headers.append(found)
        return data[found[0] :] if isinstance(found, tuple) else data

    @property
    def clients(self) -> list[str]:
        """Whom it was told of, Haystack itself aside."""
        return [h[1] for h in self.headers if isinstance(h, tuple) and h[1]]


class Site:
    """Two services: one that speaks HTTP, one whose TLS is passed through, behind the same kind of header."""

    def __init__(self, folder, version: str, **labels: str) -> None:
        authority = Authority(folder)
        (folder / "certs").mkdir()
        authority.write(folder / "certs", "served", SERVED)
        self.heard, self.passed = Heard(), Heard()
        self.web, self.raw = FarEnd(self.heard.web), FarEnd(self.passed.raw)
        own = {"haystack.proxy_protocol": version, "haystack.public": "true"} | labels
        self.members = members = [
            Member("web", self.web.port, own),
            Member("raw", self.raw.port, {"haystack.proxy_protocol": version, "haystack.https": "passthrough", "haystack.host": RAW}),
        ]
        settings = {"HAYSTACK_CERTS": str(folder / "certs"), "HAYSTACK_TRUSTED_PROXIES": "127.0.0.9"}
        self.haystack = Haystack(members, **settings)

    def close(self) -> None:
        self.web.close()
        self.raw.close()


@pytest.fixture(params=["v1", "v2"])
def site(request, tmp_path) -> Iterator[Site]:
    made = Site(tmp_path, request.param)
    with made.haystack:
        yield made
    made.close()


def test_each_connection_tells_its_client_and_carries_nobody_elses_requests(site):
    for source in ("127.0.0.5", "127.0.0.6"):
        with Client(site.haystack.port, source=source) as client:
            port = client.socket.getsockname()[1]
            assert [client.get(host("web")).status for _ in range(2)] == [200, 200]
        told = [h for h in site.heard.headers if isinstance(h, tuple) and h[1] == source]
        assert [h[1:] for h in told] == [(source, port, "127.0.0.1", site.haystack.port)] * 2
    assert all(each.startswith(b"GET / HTTP/1.1\r\n") for each in site.heard.behind)


def test_the_client_of_a_trusted_proxy_is_told(site):
    with Client(site.haystack.port, source="127.0.0.9") as client:
        assert client.get(host("web"), extra=b"X-Forwarded-For: 203.0.113.7\r\n").status == 200
    assert site.heard.clients == ["203.0.113.7"]


def test_bytes_that_are_passed_through_come_behind_it(site):
    data = hello(RAW)
    with Client(int(site.haystack.wait("ready")["https"]), source="127.0.0.5") as client:
        assert client.send(data).take(len(data)) == data
    assert site.passed.clients == ["127.0.0.5"]
    assert b"".join(site.passed.behind) == data


def test_what_looks_whether_it_is_there_says_whose_that_is(site):
    """As HAProxy does: LOCAL or UNKNOWN, which no program takes for a client."""
    late = Heard()
    with FarEnd(late.web) as end:
        site.haystack.show([*site.members, Member("late", end.port, site.members[0].labels)])
        until(lambda: site.haystack.serving("late") == 1, 10, "it is not in")
        until(lambda: late.headers, 10, "no header has come")
    assert {h[1] if isinstance(h, tuple) else h for h in late.headers} == {""}


def unheaded(sock: socket.socket, heard: Heard) -> socket.socket:
    """Read just the header, byte for byte: what follows is TLS's."""
    data = b""
    while (found := proxy_header(data)) == 0:
        more = sock.recv(1)
        if not more:
            raise ConnectionError
        data += more
    heard.headers.append(found)
    return sock


class Sealed:
    """An endpoint within TLS, in HTTP/1.1 or 2, behind a header. versions: of HTTP, as its clients have chosen."""

    def __init__(self, folder, *protocols: str) -> None:
        authority = Authority(folder)
        self.context = server_context(*authority.issue("db.internal"))
        self.context.set_alpn_protocols(list(protocols))
        self.labels = {"haystack.tls.ca": str(authority.path), "haystack.tls.server_name": "db.internal"}
        self.heard = Heard()
        self.requests: list[str] = []
        self.end = FarEnd(self.serve)

    def serve(self, _end: FarEnd, sock: socket.socket) -> None:
        with self.context.wrap_socket(unheaded(sock, self.heard), server_side=True) as within:
            if within.selected_alpn_protocol() == "h2":
                http2(within, self.requests)
                return
            while head := within.recv(65536):
                self.requests.append(head.split(b" ")[1].decode())
                within.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def http2(sock: socket.socket, requests: list[str]) -> None:
    """Answer each request of a connection in HTTP/2."""
    session = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    session.initiate_connection()
    sock.sendall(session.data_to_send())
    while data := sock.recv(65536):
        for event in session.receive_data(data):
            if isinstance(event, RequestReceived):
                requests.append(dict(event.headers)[":path"])
                session.send_headers(event.stream_id, [(":status", "200"), ("content-length", "2")])
                session.send_data(event.stream_id, b"ok", end_stream=True)
        sock.sendall(session.data_to_send())


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("protocol", ["https", "h2"])
def test_it_comes_before_tls(tmp_path, protocol, version):
    sealed = Sealed(tmp_path, "h2" if protocol == "h2" else "http/1.1")
    labels = sealed.labels | {"haystack.proxy_protocol": version, "haystack.protocol": protocol, "haystack.public": "true"}
    with Haystack([Member("web", sealed.end.port, labels)], HAYSTACK_TRUSTED_PROXIES="127.0.0.9") as haystack, sealed.end:
        for source in ("127.0.0.5", "127.0.0.6", "127.0.0.9"):
            with Client(haystack.port, source=source, timeout=20) as client:
                extra = b"X-Forwarded-For: 203.0.113.7\r\n" if source == "127.0.0.9" else b""
                assert [client.get(host("web"), path, extra).status for path in ("/a", "/b")] == [200, 200]
        assert sealed.heard.clients == ["127.0.0.5"] * 2 + ["127.0.0.6"] * 2 + ["203.0.113.7"] * 2
        assert sealed.requests == ["/a", "/b"] * 3
        assert haystack.serving("web") == 1
        with Client(haystack.port) as client:
            (row,) = json.loads(client.get("localhost", "/api/services").body)
        assert row["problems"] == []


def test_a_handshake_that_fails_behind_it_is_told(tmp_path):
    sealed = Sealed(tmp_path, "http/1.1")
    labels = sealed.labels | {"haystack.proxy_protocol": "v1", "haystack.protocol": "h2", "haystack.wait": "off"}
    with Haystack([Member("web", sealed.end.port, labels)]) as haystack, sealed.end, Client(haystack.port, timeout=20) as client:
        answer = client.get(host("web"))
        assert (answer.status, "tls_protocol_error" in (answer.get("proxy-status") or "")) == (502, True)


class H2c:
    """An endpoint in HTTP/2 without TLS, behind a header."""

    def __init__(self) -> None:
        self.heard = Heard()
        self.requests: list[str] = []
        self.fails = False
        self.end = FarEnd(self.serve)

    def serve(self, _end: FarEnd, sock: socket.socket) -> None:
        unheaded(sock, self.heard)
        if self.fails:
            reset(sock)
            return
        http2(sock, self.requests)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_it_comes_before_http2_and_each_client_has_connections_of_its_own(tmp_path, version):
    plain = H2c()
    labels = {"haystack.proxy_protocol": version, "haystack.protocol": "h2c"}

    def ask(number: int) -> None:
        for _ in range(5):
            with Client(haystack.port, source=f"127.0.1.{number}", timeout=20) as client:
                assert client.get(host("web"), f"/{number}").status == 200

    with Haystack([Member("web", plain.end.port, labels)]) as haystack, plain.end:
        threads = [threading.Thread(target=ask, args=(n,)) for n in range(1, 9)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert sorted(plain.heard.clients) == sorted(f"127.0.1.{n}" for n in range(1, 9) for _ in range(5))
        assert sorted(plain.requests) == sorted(f"/{n}" for n in range(1, 9) for _ in range(5))
        assert plain.end.connections >= len(plain.requests)  # none of them is kept for another request


def test_another_endpoint_of_http2_is_told_as_well(tmp_path):
    ends = H2c(), H2c()
    labels = {"haystack.proxy_protocol": "v2", "haystack.protocol": "h2c"}
    with Haystack([Member("web", each.end.port, labels) for each in ends]) as haystack:
        ends[0].fails = True
        for _ in range(6):
            with Client(haystack.port, source="127.0.0.5", timeout=20) as client:
                assert client.get(host("web")).status == 200
        assert ends[1].heard.clients == ["127.0.0.5"] * 6
    for each in ends:
        each.end.close()


def test_a_health_check_comes_behind_one(tmp_path):
    made = Site(tmp_path, "v2", **{"haystack.health.path": "/up", "haystack.health.interval": "100ms"})
    with made.haystack:
        until(lambda: any(each.startswith(b"GET /up ") for each in made.heard.behind), 10, "no check")
        assert made.haystack.serving("web") == 1
    made.close()


def test_another_endpoint_is_told_as_well(tmp_path):
    first, second = Heard(), Heard()
    ends = FarEnd(first.web), FarEnd(second.web)
    members = [Member("web", each.port, {"haystack.proxy_protocol": "v1"}) for each in ends]
    with Haystack(members) as haystack:
        first.fails = True
        for _ in range(6):
            with Client(haystack.port, source="127.0.0.5") as client:
                assert client.get(host("web")).status == 200
        assert set(second.clients) == {"127.0.0.5"}
        assert len(second.clients) == 6
    for each in ends:
        each.close()


def test_many_at_once(site):
    def ask(number: int) -> None:
        for _ in range(10):
            with Client(site.haystack.port, source=f"127.0.1.{number}") as client:
                assert client.get(host("web")).status == 200

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(1, 9)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(site.heard.clients) == sorted(f"127.0.1.{n}" for n in range(1, 9) for _ in range(10))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_haproxy_takes_it(tmp_path, origin, version):
    origin.script = respond()
    server = f"server origin 127.0.0.1:{origin.port}"
    with (
        haproxy(tmp_path, server, "mode http", "option forwardfor header X-Told", bind="accept-proxy") as port,
        Haystack([Member("web", port, {"haystack.proxy_protocol": version})]) as haystack,
    ):
        with Client(haystack.port, source="127.0.0.5") as client:
            assert [client.get(host("web")).status for _ in range(2)] == [200, 200]
        assert origin.requests[-1].fields("X-Told") == ["127.0.0.5"]
