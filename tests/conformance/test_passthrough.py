"""TLS that is passed through by the name in its hello (haystack.https=passthrough): bytes unread, to an endpoint that ends it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.client import Client
from tests.fakes.far_end import FarEnd, echo
from tests.fakes.passing import OWN, PASSED, RAW, SERVED, WILD, Edge, passing
from tests.fakes.pki import Authority
from tests.fakes.tls import Memory, failure, hello, openssl
from tests.fakes.worker import Haystack, Member, host, resident, until


@pytest.fixture(scope="module")
def edge(tmp_path_factory, fakes) -> Iterator[Edge]:
    with passing(tmp_path_factory.mktemp("edge"), fakes) as made:
        yield made


@pytest.fixture
def fresh(tmp_path, fakes) -> Iterator[Edge]:
    """One that a test may break."""
    with passing(tmp_path, fakes) as made:
        yield made


# Where it goes.


@pytest.mark.parametrize("name", [OWN, OWN.upper(), "a.wild.example.com"])
def test_the_endpoint_ends_the_tls(edge, name):
    with edge.client(name) as client:
        assert client.tls.getpeercert()["subjectAltName"] == (("DNS", OWN), ("DNS", WILD))
        assert [client.get(name).body[:3] for _ in range(3)] == [b"end"] * 3


def test_what_the_endpoint_offers_is_its_own_affair(edge):
    context = edge.context()
    context.set_alpn_protocols(["own-protocol"])
    with edge.client(context=context) as client:
        assert client.tls.selected_alpn_protocol() == "own-protocol"


def test_other_names_are_served_as_ever(edge):
    for name in (SERVED, "other.wild.example.com"):  # a name of its own comes before a wildcard
        with edge.client(name) as client:
            assert client.get(name).body == b"ok"
    for name in ("unknown.example.com", "raw.example.com", None):
        assert failure(edge.port, edge.context(), name).startswith("[ssl: tlsv1 unrecognized name]")


def test_the_bytes_are_the_clients_own(edge):
    data = hello(RAW) + os.urandom(100_000)
    with Client(edge.port) as client:
        client.send(data)
        assert client.take(len(data)) == data
    assert edge.raw.heard[-1] == data


def test_both_endpoints_have_their_share(edge):
    names = set()
    for _ in range(30):
        with edge.client() as client:
            names.add(client.get(OWN).body)
    assert names == {b"end0", b"end1"}


def test_curl_and_openssl(edge):
    ended = subprocess.run(
        [
            "curl",
            "-sS",
            "--http1.1",
            "--cacert",
            edge.authority.path,
            "--resolve",
            f"{OWN}:{edge.port}:127.0.0.1",
            f"https://{OWN}:{edge.port}/",
        ],
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout[:3]) == (0, b"end"), ended.stderr
    for version in ("-tls1_2", "-tls1_3"):
        told = openssl("-connect", f"127.0.0.1:{edge.port}", "-servername", OWN, "-CAfile", str(edge.authority.path), version)
        assert "Verify return code: 0 (ok)" in told


# How a hello comes.


@pytest.mark.parametrize("pieces", [1, 7, 100])
def test_a_hello_in_pieces(edge, pieces):
    memory = Memory(edge.port, edge.context(), OWN)
    memory.handshake(pieces)
    memory.say(f"GET / HTTP/1.1\r\nHost: {OWN}\r\n\r\n".encode())
    assert memory.read().startswith(b"HTTP/1.1 200")
    memory.sock.close()


def test_a_hello_in_small_records(edge):
    data = hello(RAW)
    cut = b"".join(b"\x16\x03\x01\x00" + bytes([len(part)]) + part for part in (data[5:][i : i + 9] for i in range(0, len(data) - 5, 9)))
    with Client(edge.port) as client:
        client.send(cut[:50], cut[50:])
        assert client.take(len(cut)) == cut


def test_an_own_name_in_pieces_is_ended_here(edge):
    memory = Memory(edge.port, edge.context(), SERVED)
    memory.handshake(3)
    memory.say(f"GET / HTTP/1.1\r\nHost: {SERVED}\r\n\r\n".encode())
    assert memory.read().startswith(b"HTTP/1.1 200")
    memory.sock.close()


def test_half_a_hello_has_the_time_of_a_head(edge):
    for half in (hello(OWN)[:60], b"\x16", hello(SERVED)[:100]):
        with Client(edge.port) as client:
            began = time.monotonic()
            assert client.send(half).closed()
            assert time.monotonic() - began > 0.5
        with Client(edge.port) as client:
            client.send(half).half_close().rest()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: own.example.com\r\n\r\n",
        os.urandom(3000),
        b"\x16\x03\x01\xff\xff" + bytes(2000),
        b"\x16\x03\x01\x00\x00" * 400,
    ],
    ids=["http", "random", "long", "empty"],
)
def test_what_is_no_hello_is_refused_as_ever(edge, data):
    with Client(edge.port) as client:
        client.send(data)
        said = client.rest()
        assert said == b"" or said[0] == 21 or said.startswith(b"HTTP/1.1 400")
    with edge.client() as client:
        assert client.get(OWN).status == 200


def test_names_of_odd_bytes_are_nobodys(edge):
    good = hello("a" * 60 + ".wild.example.com")
    name = b"a" * 60 + b".wild.example.com"
    for odd in (b"\x00" + name[1:], name[:59] + b"\x00" + name[60:], b" " + name[1:]):
        with Client(edge.port) as client:
            client.send(good.replace(name, odd))
            assert client.rest()[:1] in (b"\x15", b"")


# HTTP for such a name.


@pytest.mark.parametrize("name", [OWN, "a.wild.example.com"])
def test_http_is_sent_to_https(edge, name):
    with Client(edge.haystack.port) as client:
        answer = client.get(name, "/x?y=1")
        assert (answer.status, answer.get("location")) == (308, f"https://{name}:{edge.port}/x?y=1")
        assert client.get(name, "/.well-known/acme-challenge/x").status == 404, "no port of it speaks HTTP"


def test_its_http_port_has_what_an_authority_looks_for(fresh):
    port = fresh.ends[0].port
    web = Member("own", port, PASSED | {"haystack.host": OWN})
    text = web.toml(1).replace(f'ports = ["{port}/tcp"]', f'ports = ["{port}/tcp", "80/tcp"]')
    assert "80/tcp" in text  # the containers' own port 80 is nobody's here, so that it is asked shows as a 502 or 503
    static = Path(fresh.haystack.folder.name) / "static.toml"
    static.write_text(text)

    def asked() -> int:
        with Client(fresh.haystack.port, timeout=20) as client:
            return client.get(OWN, "/.well-known/acme-challenge/x").status

    until(lambda: asked() in (502, 503), 20, "port 80 is not asked")
    with Client(fresh.haystack.port) as client:
        assert client.get(OWN, "/").status == 308


def test_within_tls_that_is_ended_here_such_a_name_is_misdirected(edge):
    with edge.client(SERVED) as client:
        assert client.get(OWN).status == 421


# What becomes of it.


def test_large_data_both_ways_in_bounded_memory(edge):
    (worker,) = edge.haystack.workers()
    large = os.urandom(1 << 20) * 16
    with Client(edge.port, timeout=20) as client:
        before = resident(worker)
        sender = threading.Thread(target=lambda: client.send(hello(RAW), large).half_close())
        sender.start()
        back = client.rest()
        sender.join(10)
        assert resident(worker) - before < 8_000_000
    assert hashlib.sha256(back[-len(large) :]).digest() == hashlib.sha256(large).digest()


def test_it_is_logged_and_counted_as_a_tunnel(edge):
    data = hello(RAW) + os.urandom(1234)  # of a size that no other tunnel of this room has: their lines may come late

    def written() -> list[dict[str, Any]]:
        return [line for line in edge.lines() if line["received"] == len(data)]

    with Client(edge.port) as client:
        client.send(data).take(len(data))
        client.half_close().rest()
    until(written, 9, "no line")
    (line,) = written()
    assert (line["host"], line["service"], line["status"], line["method"], line["target"]) == (RAW, host("raw"), 101, "", "")
    assert (line["sent"], line["error"], line["client"]) == (len(data), "", "127.0.0.1")
    assert line["listener"] == f"https:{edge.port}"
    assert line["endpoint"] == f"127.0.0.1:{edge.raw.port}"

    def told() -> bool:
        with Client(edge.haystack.port) as client:
            page = client.get("localhost", "/metrics").body.decode()
        return any("1xx" in row and host("raw") in row and row.startswith("haystack_service_requests_total") for row in page.splitlines())

    until(told, 9, "it is not in /metrics")


def test_explain_and_the_claims_tell_of_it(edge):
    with Client(edge.haystack.port) as client:
        told = json.loads(client.get("localhost", f"/api/explain?url=https://{OWN}/x").body)
        assert told["service"] == host("own")
        assert any("unread" in line for line in told["lines"])
        assert {each["port"] for each in told["endpoints"]} == {each.port for each in edge.ends}
        told = json.loads(client.get("localhost", f"/api/explain?url=http://{OWN}/x").body)
        assert any("308" in line for line in told["lines"])
        told = json.loads(client.get("localhost", "/api/explain?url=https://other.wild.example.com/").body)
        assert told["service"] == host("served")


# Who may have it.


def test_names_for_the_inside_alone_are_unknown_to_others(tmp_path, fakes):
    end = FarEnd(echo)
    authority = Authority(tmp_path)
    (tmp_path / "certs").mkdir()
    authority.write(tmp_path / "certs", "served", SERVED)
    labels = PASSED | {"haystack.host": RAW, "haystack.public": "false"}
    settings = {"HAYSTACK_CERTS": str(tmp_path / "certs"), "HAYSTACK_ALLOW": "127.0.0.9"}
    with Haystack([Member("raw", end.port, labels)], **settings) as haystack, end:
        port, data = int(haystack.wait("ready")["https"]), hello(RAW)
        with Client(port, source="127.0.0.9") as client:
            assert client.send(data).take(len(data)) == data
        with Client(port) as client:
            assert client.send(data).rest()[:1] == b"\x15", "an alert of OpenSSL's, as for any unknown name"
        assert end.connections >= 1


def test_one_name_can_not_be_both(fresh):
    mixed = Member("zeta", fresh.origin.port, {"haystack.host": OWN})
    fresh.haystack.show([*fresh.members, mixed])
    until(lambda: fresh.haystack.serving("zeta") == 1, 10, "it is not there")
    with Client(fresh.haystack.port) as client:
        rows = json.loads(client.get("localhost", "/api/services").body)
    told = {p["message"] for row in rows if row["name"] == host("zeta") for p in row["problems"]}
    assert told == {f"https://{OWN} is passed through to {host('own')} (haystack.https=passthrough), and can't be served by others too"}
    with fresh.client() as client:
        assert client.get(OWN).body[:3] == b"end"


def test_a_label_that_leads_nowhere_is_told(fresh):
    unnamed = Member("lost", fresh.origin.port, PASSED)
    fresh.haystack.show([*fresh.members, unnamed])
    until(lambda: fresh.haystack.serving("lost") == 1, 10, "it is not there")
    with Client(fresh.haystack.port) as client:
        rows = json.loads(client.get("localhost", "/api/services").body)
    (told,) = {p["message"] for row in rows if row["name"] == host("lost") for p in row["problems"]}
    assert "there is none" in told
