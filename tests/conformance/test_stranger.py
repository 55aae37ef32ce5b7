"""A stranger with a public address, in a network namespace of its own, and a neighbour with a private one: what each of them sees.

By IPv4 and, where the machine has it, by IPv6.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import dns.message
import dns.query
import dns.rcode
import pytest

from tests.fakes.client import Client, Response
from tests.fakes.engine import FakeEngine, inspected
from tests.fakes.origin import Origin
from tests.fakes.worker import Haystack, Member, host, until

CLONE_NEWNET = 0x40000000
OURS, THEIRS, OUR_PRIVATE, NEIGHBOUR = "203.0.113.1", "203.0.113.5", "10.203.113.1", "10.203.113.5"
OURS6, THEIRS6, OUR_PRIVATE6, NEIGHBOUR6 = "2001:db8:cb00:7105::1", "2001:db8:cb00:7105::5", "fdcb:7105::1", "fdcb:7105::5"
IPV6 = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
LIMIT = 15.0
T = TypeVar("T")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=10)


def possible() -> bool:
    """Whether this process may make network namespaces."""
    name = f"haystack-{os.getpid()}-try"
    try:
        ip("netns", "add", name)
        ip("netns", "delete", name)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


class Namespace(NamedTuple):
    """One with a link to ours. there: our address on that."""

    name: str
    there: str

    def run(self, work: Callable[[], T]) -> T:
        """Do this in a thread that is in there; sockets that it opens stay in there."""
        done: list[Any] = []

        def enter() -> None:
            try:
                with Path(f"/run/netns/{self.name}").open() as handle:
                    assert ctypes.CDLL(None).setns(handle.fileno(), CLONE_NEWNET) == 0
                done.append(work())
            except BaseException as error:  # noqa: BLE001 - it is raised again where somebody waits for it
                done.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if isinstance(done[0], BaseException):
            raise done[0]
        return done[0]  # type: ignore[no-any-return]

    def client(self, port: int) -> Client:
        return self.run(lambda: Client(port, to=self.there))

    def get(self, port: int, name: str, target: str = "/") -> Response:
        with self.client(port) as client:
            return client.get(name, target, b"X-Request-Id: one\r\n")

    def ask(self, port: int, name: str, kind: str = "A", *, tcp: bool = False) -> dns.message.Message:
        by = dns.query.tcp if tcp else dns.query.udp
        return self.run(lambda: by(dns.message.make_query(name, kind), self.there, port=port, timeout=5))


def has_ipv6() -> bool:
    """Whether addresses of that family may be given here."""
    return IPV6.exists() and IPV6.read_text().strip() == "0"


def linked(number: int, ours: str, theirs: str, ours6: str, theirs6: str) -> Namespace:
    made = Namespace(f"haystack-{os.getpid()}-{number}", ours)
    near, far = (f"hs{side}{number}{os.getpid() % 100000}" for side in "ab")
    ip("netns", "add", made.name)
    ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", made.name)
    ip("address", "add", f"{ours}/29", "dev", near)
    ip("link", "set", near, "up")
    ip("-n", made.name, "address", "add", f"{theirs}/29", "dev", far)
    ip("-n", made.name, "link", "set", far, "up")
    if has_ipv6():  # nodad: nobody else can have the address, and it is to be there at once
        ip("-6", "address", "add", f"{ours6}/64", "dev", near, "nodad")
        ip("-6", "-n", made.name, "address", "add", f"{theirs6}/64", "dev", far, "nodad")
    return made


@pytest.fixture(scope="module")
def namespaces() -> Iterator[tuple[Namespace, Namespace]]:
    """The stranger's and the neighbour's."""
    if os.geteuid() != 0 or not possible():
        pytest.skip("only root may make network namespaces, and not everywhere")
    try:
        yield linked(1, OURS, THEIRS, OURS6, THEIRS6), linked(2, OUR_PRIVATE, NEIGHBOUR, OUR_PRIVATE6, NEIGHBOUR6)
    finally:
        for number in (1, 2):
            subprocess.run(["ip", "netns", "delete", f"haystack-{os.getpid()}-{number}"], check=False, capture_output=True, timeout=10)


Both = tuple[Namespace, Namespace]
BIND = f"127.0.0.1,{OURS},{OUR_PRIVATE}"
BIND6 = f",{OURS6},{OUR_PRIVATE6}"


@pytest.fixture(params=["ipv4", "ipv6"])
def both(request: pytest.FixtureRequest, namespaces: Both) -> Both:
    """Stranger and neighbour, by one family of addresses."""
    if request.param == "ipv4":
        return namespaces
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    stranger, neighbour = namespaces
    return stranger._replace(there=OURS6), neighbour._replace(there=OUR_PRIVATE6)


@pytest.fixture(scope="module")
def haystack(namespaces: object, fakes: object) -> Iterator[Haystack]:
    members = [Member("web", 1, {"haystack.host": "web.example"}), Member("other", 1)]
    with Haystack(members, HAYSTACK_BIND=BIND + (BIND6 if has_ipv6() else "")) as made:
        yield made


def alike(response: Response) -> tuple[object, ...]:
    return response.status, [(k, v) for k, v in response.fields if k != "Date"], response.body


PAGES = ("/", "/ui", "/metrics", "/api/info", "/api/containers", "/api/networks", "/api/services", "/api/certificates")


def test_a_stranger_sees_nothing_over_http(haystack: Haystack, both: Both) -> None:
    stranger, neighbour = both
    nothing = alike(stranger.get(haystack.port, "nowhere.example"))
    assert nothing[0] == 404
    for name in (host("web"), host("other"), host("nowhere")):
        assert alike(stranger.get(haystack.port, name)) == nothing
    for name in ("localhost", "haystack", OURS, "127.0.0.1", f"[{OURS6}]", "[::1]"):
        for page in PAGES:
            assert alike(stranger.get(haystack.port, name, page)) == nothing
        assert stranger.get(haystack.port, name, "/healthz").body == b'{"status":"ok"}'
        assert stranger.get(haystack.port, name, "/readyz").body == b'{"status":"ready"}'
    assert neighbour.get(haystack.port, host("web")).status == 502
    assert all(neighbour.get(haystack.port, "localhost", page).status in (200, 307) for page in PAGES)
    public = stranger.get(haystack.port, "web.example")
    assert (public.status, public.get("proxy-status")) == (502, "haystack; error=connection_refused")


def test_a_stranger_may_shout_and_is_told_no_more(haystack: Haystack, both: Both) -> None:
    """What tells things elsewhere: requests that are none, methods, upgrades, CORS, and fields that say that one is somebody else."""
    stranger, _ = both
    says = (
        b"X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n",
        b"Origin: http://localhost\r\nAccess-Control-Request-Method: GET\r\n",
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
        b"X-Forwarded-Host: localhost\r\nX-Original-URL: /ui\r\nX-Rewrite-URL: /ui\r\n",
    )
    for method in ("GET", "POST", "OPTIONS", "TRACE"):
        for more in says:
            with stranger.client(haystack.port) as client:
                nowhere = alike(client.get("nowhere.example", "/ui", b"X-Request-Id: one\r\n" + more, method))
            for name in (host("web"), "localhost", "haystack"):
                with stranger.client(haystack.port) as client:
                    assert alike(client.get(name, "/ui", b"X-Request-Id: one\r\n" + more, method)) == nowhere
    for raw in (
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /" + b"x" * 70000,
    ):
        with stranger.client(haystack.port) as client:
            response = client.send(raw).response()
            told = response.body + b"".join(str(field).encode() for field in response.fields)
        assert response.status in (400, 414, 431)
        assert not any(word in told for word in (b"web", b"other", b"10.203", b"fdcb", b"127.0.0.1"))


@pytest.mark.parametrize("tcp", [False, True])
def test_a_stranger_sees_nothing_in_dns(haystack: Haystack, both: Both, tcp: bool) -> None:
    stranger, neighbour = both
    port = int(haystack.wait("dns.listening")["port"])
    for name in (
        host("web"),
        host("nowhere"),
        "haystack",
        "webx0.containers.haystack",
        "example.com",
        "1.0.0.127.in-addr.arpa",
    ):
        assert stranger.ask(port, name, tcp=tcp).rcode() == dns.rcode.REFUSED
    kind = "AAAA" if ":" in neighbour.there else "A"
    # a haystack.host name is public: it leads to Haystack, as it does over HTTP
    assert stranger.ask(port, "web.example", kind, tcp=tcp).answer[0][0].to_text() == stranger.there
    assert neighbour.ask(port, host("web"), kind, tcp=tcp).answer[0][0].to_text() == neighbour.there


@pytest.fixture
def engine(origin: Origin) -> Iterator[FakeEngine]:
    with FakeEngine() as made:
        raw = inspected(1, "web", "web")
        raw["Config"] |= {"Labels": {"haystack.port": str(origin.port)}}
        raw["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] = "127.0.0.1"
        made.add(raw, event=False)
        yield made


def public_network(gateway: str) -> dict[str, object]:
    config = [{"Subnet": "203.0.113.0/29", "Gateway": gateway}]
    return {"Id": "f" * 64, "Name": "public", "Scope": "local", "Driver": "bridge", "IPAM": {"Config": config}}


def test_an_engines_networks_come_and_go_for_connections_that_come_after(engine: FakeEngine, namespaces: Both) -> None:
    """A public range that an engine gives its containers is inside while it has it; a connection keeps what it came with."""
    stranger, _ = namespaces
    plain = list(engine.networks)
    with Haystack([], HAYSTACK_STATIC="", DOCKER_HOST=engine.host, HAYSTACK_BIND=BIND) as made, stranger.client(made.port) as before:
        assert before.get(host("web")).status == 404
        engine.networks = [*plain, public_network(OURS)]
        engine.emit("create", "f" * 64, kind="network")
        until(lambda: stranger.get(made.port, host("web")).status == 200, LIMIT, "the network never counted")
        with stranger.client(made.port) as between:
            assert between.get(host("web")).status == 200
            assert before.get(host("web")).status == 404
            engine.networks = plain
            engine.emit("destroy", "f" * 64, kind="network")
            until(lambda: stranger.get(made.port, host("web")).status == 404, LIMIT, "the network counts for ever")
            assert between.get(host("web")).status == 200


def problems(haystack: Haystack) -> list[dict[str, Any]]:
    return [line for line in haystack.lines if line.get("subject") == "client addresses"]


def test_clients_that_all_come_from_a_gateway_are_warned_of_once(engine: FakeEngine, namespaces: Both) -> None:
    stranger, neighbour = namespaces
    engine.networks = [*engine.networks, public_network(THEIRS)]
    with Haystack([], HAYSTACK_STATIC="", DOCKER_HOST=engine.host, HAYSTACK_BIND=BIND) as made:
        for _ in range(25):
            assert stranger.get(made.port, host("web")).status == 200
        until(lambda: len(problems(made)) == 1, LIMIT, "nothing was said")
        assert THEIRS in problems(made)[0]["message"]
        assert THEIRS in neighbour.get(made.port, "localhost", "/api/info").body.decode()
        for _ in range(25):
            stranger.get(made.port, host("web"))
        time.sleep(1.5)  # a report of the workers' counts later
        assert len(problems(made)) == 1


def test_where_others_keep_their_addresses_nothing_is_said(engine: FakeEngine, namespaces: Both) -> None:
    stranger, neighbour = namespaces
    engine.networks = [*engine.networks, public_network(THEIRS)]
    with Haystack([], HAYSTACK_STATIC="", DOCKER_HOST=engine.host, HAYSTACK_BIND=BIND) as made:
        neighbour.get(made.port, host("web"))
        for _ in range(25):
            stranger.get(made.port, host("web"))
        time.sleep(1.5)  # as above
        assert not problems(made)
