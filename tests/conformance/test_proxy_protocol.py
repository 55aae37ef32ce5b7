"""The PROXY protocol as Haystack hears it (haproxy.org, proxy-protocol.txt): who a client is, and whom that is believed of."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.client import Client
from tests.fakes.haproxy import haproxy
from tests.fakes.origin import Origin, respond
from tests.fakes.pki import Authority
from tests.fakes.tls import Memory, trusting
from tests.fakes.worker import Haystack, Member, host, until

SENDER, STRANGER = "127.0.0.2", "127.0.0.3"
WWW, WEB = "www.example.com", host("web")
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
OUTSIDE, OUTSIDE6 = "203.0.113.9", "2001:db8::9"


def line(client: str = OUTSIDE, kind: str = "TCP4", place: str = "192.0.2.1") -> bytes:
    return f"PROXY {kind} {client} {place} 40000 443\r\n".encode()


def binary(client: str = OUTSIDE, command: int = 0x21, more: bytes = b"", family: int | None = None) -> bytes:
    """Version 2. more: TLVs."""
    address = ip_address(client).packed
    body = address + bytes(len(address) - 1) + b"\x01" + struct.pack("!HH", 40000, 443) + more
    of = family if family is not None else 0x11 if len(address) == 4 else 0x21
    return SIGNATURE + bytes([command, of]) + struct.pack("!H", len(body)) + body


class Door:
    """A Haystack that believes one address, its origin and its access log."""

    def __init__(self, folder: Path, origin: Origin, **settings: str) -> None:
        self.origin = origin
        self.authority = Authority(folder)
        self.certs = folder / "certs"
        self.certs.mkdir()
        self.authority.write(self.certs, "www", WWW)
        self.log = (folder / "access.log").open("w+b")
        chosen = {
            "HAYSTACK_CERTS": str(self.certs),
            "HAYSTACK_PROXY_PROTOCOL": SENDER,
            "HAYSTACK_ACCESS_LOG": "json",
            "HAYSTACK_HEAD_TIMEOUT": "1s",
            "HAYSTACK_ALLOW": "private",
        }
        self.haystack = Haystack([Member("web", origin.port, {"haystack.host": WWW})], out=self.log, **(chosen | settings))

    def client(self, source: str = SENDER, **how: Any) -> Client:
        return Client(self.haystack.port, source=source, **how)

    def ask(self, header: bytes, name: str = WWW, extra: bytes = b"") -> tuple[int, list[str], list[str]]:
        """The status of a request behind this header, and whom the origin was told of."""
        with self.client() as client:
            status = client.send(header).get(name, extra=extra).status
        if status != 200:
            return status, [], []
        request = self.origin.requests[-1]
        return status, request.fields("X-Forwarded-For"), request.fields("X-Real-IP")

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(each) for each in Path(self.log.name).read_text().splitlines()]


@pytest.fixture(scope="module")
def door(tmp_path_factory, fakes) -> Iterator[Door]:
    origin = Origin(fakes, respond()).start()
    made = Door(tmp_path_factory.mktemp("door"), origin)
    with made.haystack:
        yield made
    origin.stop()
    made.log.close()


@contextmanager
def another(tmp_path: Path, origin: Origin, **settings: str) -> Iterator[Door]:
    made = Door(tmp_path, origin, **settings)
    with made.haystack:
        yield made
    made.log.close()


# Who is believed.


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (line(), OUTSIDE),
        (line(OUTSIDE6, "TCP6", "2001:db8::1"), OUTSIDE6),
        (line("::ffff:203.0.113.9", "TCP6", "::1"), OUTSIDE),
        (binary(), OUTSIDE),
        (binary(OUTSIDE6), OUTSIDE6),
        (binary(more=b"\x02\x00\x0bexample.com" + b"\x04\x0b\xb8" + bytes(3000)), OUTSIDE),
        (b"PROXY UNKNOWN\r\n", SENDER),
        (b"PROXY UNKNOWN ffff:f::1 ffff::2 1 2\r\n", SENDER),
        (binary(command=0x20), SENDER),
        (SIGNATURE + b"\x20\x00\x00\x00", SENDER),
        (SIGNATURE + b"\x21\x00\x00\x04abcd", SENDER),
        (SIGNATURE + b"\x21\x31\x00\xd8" + bytes(216), SENDER),
    ],
    ids=["v1", "v1-6", "v1-mapped", "v2", "v2-6", "v2-tlvs", "unknown", "unknown-more", "local", "local-empty", "unspec", "unix"],
)
def test_the_client_is_the_one_that_the_header_tells(door, header, client):
    assert door.ask(header) == (200, [client], [client])
    until(lambda: [each["client"] for each in door.lines()[-1:]] == [client], 3, "no line")


def test_what_the_client_may_goes_by_that_address(door):
    assert door.ask(line(), WEB)[0] == 404
    assert door.ask(line(), "localhost")[0] == 404
    assert door.ask(line("10.1.2.3"), WEB)[0] == 200
    assert door.ask(b"PROXY UNKNOWN\r\n", WEB)[0] == 200


def test_the_ports_are_the_listeners_own(door):
    door.ask(line())
    assert door.origin.requests[-1].fields("X-Forwarded-Port") == [str(door.haystack.port)]


def test_others_are_not_believed_and_their_header_is_a_bad_request(door):
    for header in (line(), binary()):
        with door.client(STRANGER) as client:
            assert client.send(header).response().status == 400
    with door.client(STRANGER) as client:
        assert client.get(WWW).status == 200
        assert door.origin.requests[-1].fields("X-Real-IP") == [STRANGER]


def test_the_named_client_is_not_believed_its_own_fields(door):
    assert door.ask(line(), extra=b"X-Forwarded-For: 10.0.0.1\r\n") == (200, [OUTSIDE], [OUTSIDE])


def test_a_named_proxy_that_is_trusted_is_believed(tmp_path, origin):
    with another(tmp_path, origin, HAYSTACK_TRUSTED_PROXIES="198.51.100.0/24") as door:
        told = door.ask(line("198.51.100.7"), extra=b"X-Forwarded-For: 203.0.113.77\r\n")
        assert told == (200, ["203.0.113.77, 198.51.100.7"], ["203.0.113.77"])
        assert door.ask(line(), extra=b"X-Forwarded-For: 203.0.113.77\r\n") == (200, [OUTSIDE], [OUTSIDE])


def test_connections_are_counted_for_the_named_client(tmp_path, origin):
    with another(tmp_path, origin, HAYSTACK_MAX_CLIENT_CONNECTIONS="1") as door, door.client() as first:
        assert first.send(line()).get(WWW).status == 200
        with door.client() as second:
            assert second.send(line()).response().status == 429
        with door.client() as third:
            assert third.send(line("203.0.113.10")).get(WWW).status == 200


# How it comes.


@pytest.mark.parametrize("header", [line(), binary(more=b"\x04\x00\x20" + bytes(32))], ids=["v1", "v2"])
def test_byte_by_byte_and_with_the_request_behind_it(door, header):
    request = f"GET / HTTP/1.1\r\nHost: {WWW}\r\n\r\n".encode()
    with door.client() as client:
        client.send(*(header[i : i + 1] for i in range(len(header)))).send(request)
        assert client.response().status == 200
    with door.client() as client:
        assert client.send(header + request + request).response().status == 200
        assert client.response().status == 200


@pytest.mark.parametrize("header", [line(), binary()], ids=["v1", "v2"])
@pytest.mark.parametrize("together", [True, False])
def test_tls_follows_it(door, header, together):
    port = int(door.haystack.wait("ready")["https"])
    memory = Memory(port, trusting(door.authority.path), WWW)
    memory.sock.close()
    memory.sock = socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(SENDER, 0))
    hello = memory.bytes_of(memory.tls.do_handshake)
    memory.sock.sendall(header + hello if together else header)
    if not together:
        memory.sock.sendall(hello)
    memory.hear()
    memory.handshake()
    memory.say(f"GET / HTTP/1.1\r\nHost: {WWW}\r\nConnection: close\r\n\r\n".encode())
    assert b" 200 OK" in memory.rest()
    memory.sock.close()
    assert door.origin.requests[-1].fields("X-Real-IP") == [OUTSIDE]


BAD = {
    "none": b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
    "tls": b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03",
    "lf": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
    "family": b"PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n",
    "crossed": b"PROXY TCP4 ::1 ::1 1 2\r\n",
    "short": b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
    "more": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
    "blanks": b"PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
    "port": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
    "zeros": b"PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
    "octal": b"PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n",
    "nul": b"PROXY TCP4 1.2.3.4\x00 5.6.7.8 1 2\r\n",
    "case": b"proxy tcp4 1.2.3.4 5.6.7.8 1 2\r\n",
    "endless": b"PROXY UNKNOWN " + b"x" * 200,
    "unknown-word": b"PROXY UNKNOWNX\r\n",
    "version": SIGNATURE + b"\x31\x11\x00\x0c" + bytes(12),
    "command": SIGNATURE + b"\x22\x11\x00\x0c" + bytes(12),
    "datagrams": SIGNATURE + b"\x21\x12\x00\x0c" + bytes(12),
    "no-transport": SIGNATURE + b"\x21\x10\x00\x0c" + bytes(12),
    "too-short": SIGNATURE + b"\x21\x11\x00\x0b" + bytes(11),
    "too-short-6": SIGNATURE + b"\x21\x21\x00\x23" + bytes(35),
    "huge": SIGNATURE + b"\x21\x11\xff\xff" + bytes(64),
    "signature": SIGNATURE[:-1] + b"\r\x21\x11\x00\x0c" + bytes(12),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_header_ends_the_connection(door, bad):
    with door.client() as client:
        client.send(BAD[bad])
        assert client.rest() == b""


def test_half_a_header_has_the_time_of_a_head(door):
    for half in (b"", line()[:20], binary()[:20]):
        with door.client() as client:
            assert client.send(half).closed()
        with door.client() as client:
            assert client.send(half).half_close().closed()


def test_it_is_counted_and_told(tmp_path, origin):
    with another(tmp_path, origin) as door:
        for _ in range(3):
            with door.client() as client:
                assert client.send(b"GET / HTTP/1.1\r\n\r\n").rest() == b""
        told = door.haystack.wait("client.unintroduced")
        assert (told["peer"], told["reason"]) == (SENDER, "it does not begin with a header of the PROXY protocol")
        with door.client(STRANGER) as client:
            page = client.get("localhost", "/metrics").body.decode()
        (row,) = (each for each in page.splitlines() if "proxy_protocol_error" in each)
        assert float(row.split()[-1]) == 3
        lines = [each for each in door.haystack.lines if each.get("event") == "client.unintroduced"]
        assert len(lines) == 1


def test_a_drain_ends_who_has_not_said_anything(tmp_path, origin):
    with another(tmp_path, origin, HAYSTACK_HEAD_TIMEOUT="60s", HAYSTACK_DRAIN="20s") as door, door.client() as client:
        with door.client(STRANGER) as other:
            other.get(WWW)
        door.haystack.terminate()
        assert client.closed()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_curl(door, scheme):
    port = int(door.haystack.wait("ready")[scheme])
    words = ["curl", "-sS", "--haproxy-protocol", "--interface", SENDER, "--cacert", door.authority.path]
    ended = subprocess.run([*words, "--resolve", f"{WWW}:{port}:127.0.0.1", f"{scheme}://{WWW}:{port}/"], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, b"ok"), ended.stderr


@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl"])
def test_haproxy_introduces_its_clients(door, tmp_path, version):
    server = f"server haystack 127.0.0.1:{door.haystack.port} source {SENDER} {version}"
    with haproxy(tmp_path, server, "mode tcp") as port, Client(port, source="127.0.0.77") as client:
        assert client.get(WWW).status == 200
    assert door.origin.requests[-1].fields("X-Real-IP") == ["127.0.0.77"]
