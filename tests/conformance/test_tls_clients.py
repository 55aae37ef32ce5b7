"""HAYSTACK_TLS_CLIENT_CA: who gets in over HTTPS, what endpoints hear of them, and what becomes of both when the file changes."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import trustme
from cryptography import x509

from tests.fakes.certified import certified, site
from tests.fakes.client import Client
from tests.fakes.clientele import Clientele
from tests.fakes.http2 import Http2Client
from tests.fakes.origin import Origin, respond
from tests.fakes.pki import Authority, days
from tests.fakes.tls import TlsClient, openssl
from tests.fakes.worker import Haystack, Member, command, environment, host, until

WEB = host("web")
INFO = "X-Forwarded-Tls-Client-Cert-Info"
GET = f"GET / HTTP/1.1\r\nHost: {WEB}\r\n\r\n".encode()
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class Door:
    """A Haystack that asks clients for certificates, the authority that its own is of, and that of its clients."""

    def __init__(self, folder: Path, fakes: Any, **settings: str) -> None:
        (folder / "certs").mkdir()
        self.authority = Authority(folder)
        self.authority.write(folder / "certs", "web", WEB)
        self.clients = Clientele(folder / "clients", self.authority.path)
        self.others = Clientele(folder / "clients", self.authority.path, "others")
        self.alice = self.clients.issue("alice")
        self.origin = Origin(fakes, respond()).start()
        self.file = folder / "client_ca.pem"
        self.file.write_bytes(self.clients.path.read_bytes())
        usual = {"HAYSTACK_CERTS": str(folder / "certs"), "HAYSTACK_TLS_CLIENT_CA": str(self.file)}
        self.haystack = Haystack([Member("web", self.origin.port)], **(usual | settings))

    @property
    def port(self) -> int:
        return int(self.haystack.wait("ready")["https"])

    def ask(self, context: ssl.SSLContext, extra: bytes = b"", session: ssl.SSLSession | None = None) -> TlsClient:
        """A client that has got its answer."""
        client = TlsClient(self.port, context, WEB, session=session)
        try:
            assert client.get(WEB, extra=extra).status == 200
        except BaseException:
            client.socket.close()
            raise
        return client

    def refusal(self, context: ssl.SSLContext) -> str:
        """With what alert a client is sent away, wherever it learns of that; empty: it is not."""
        try:
            with TlsClient(self.port, context, WEB) as client:
                client.socket.sendall(GET)
                client.socket.recv(1)
        except ssl.SSLError as error:
            return str(error).lower().replace("_", " ")
        return ""

    def told(self) -> list[str]:
        """What the endpoint heard last of the client's certificate."""
        return self.origin.requests[-1].fields(INFO)


@pytest.fixture(scope="module")
def door(tmp_path_factory, fakes) -> Iterator[Door]:
    made = Door(tmp_path_factory.mktemp("door"), fakes, HAYSTACK_TRACE="on")
    with made.haystack:
        yield made
    made.origin.stop()


@pytest.fixture
def own_door(tmp_path, fakes) -> Iterator[Door]:
    """One whose file a test may change."""
    made = Door(tmp_path, fakes)
    with made.haystack:
        yield made
    made.origin.stop()


def versioned(version: ssl.TLSVersion) -> dict[str, Any]:
    return {"minimum_version": version, "maximum_version": version}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_with_a_good_certificate_is_let_in_and_the_endpoint_hears_whose(door, version):
    leaf = door.clients.issue('Bob "the" + Ünique; client', "bob@example.com", "bob.example.com", "10.0.0.7", "2001:db8::7")
    door.ask(door.clients.context(leaf, **versioned(version))).socket.close()
    (told,) = door.told()
    assert set(told) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%")
    subject, issuer, serial, begin, end, names = unquote(told).split('";')
    assert subject == 'Subject="CN=Bob \\22the\\22 \\+ Ünique\\; client,OU=' + subject.rpartition("OU=")[2]
    assert subject.endswith(",O=Example\\, Inc.")
    assert issuer.endswith("O=clients")
    assert serial.removeprefix('SerialNumber="').isdigit()
    assert int(begin.removeprefix('NB="')) < time.time() < int(end.removeprefix('NA="'))
    assert sorted(names.removeprefix('SAN="').rstrip('"').split(",")) == sorted(
        ["bob@example.com", "bob.example.com", "10.0.0.7", "2001:db8::7"]
    )


@pytest.mark.parametrize(("version", "alert"), [(VERSIONS[0], "handshake failure"), (VERSIONS[1], "certificate required")])
def test_a_client_without_one_is_refused_and_sees_why(door, version, alert):
    before = len(door.origin.requests)
    for _ in range(20):  # with TLS 1.3 its request is on its way already: a reset would hide the alert
        assert alert in door.refusal(door.clients.context(None, **versioned(version)))
    assert len(door.origin.requests) == before


@pytest.mark.parametrize("version", VERSIONS)
def test_one_of_another_authority_is_refused(door, version):
    assert "unknown ca" in door.refusal(door.clients.context(door.others.issue("alice"), **versioned(version)))


def test_one_that_has_expired_is_refused(door):
    late = door.clients.issue("alice", not_before=days(-9), not_after=days(-1))
    assert "certificate expired" in door.refusal(door.clients.context(late))


def test_an_authority_of_the_same_name_is_another_one(door):
    forged = trustme.CA(organization_name="clients", organization_unit_name=unit(door), key_type=trustme.KeyType.ECDSA)
    leaf = forged.issue_cert("alice@example.com", common_name="alice")
    assert door.refusal(door.clients.context(leaf)) != ""


def unit(door: Door) -> str:
    """What trustme has made up for the authority's name."""
    subject = x509.load_pem_x509_certificate(door.clients.ca.cert_pem.bytes()).subject
    return str(subject.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)[0].value)


def test_curl_and_openssl_are_let_in_with_one_and_told_without(door):
    chain, key = door.clients.files(door.alice, "alice")
    words = ["curl", "-sS", "--cacert", door.authority.path, "--resolve", f"{WEB}:{door.port}:127.0.0.1", f"https://{WEB}:{door.port}/"]
    good = subprocess.run([*words, "--cert", chain, "--key", key], capture_output=True, check=False)
    assert (good.returncode, good.stdout) == (0, b"ok"), good.stderr
    bad = subprocess.run(words, capture_output=True, check=False)
    assert bad.returncode in (55, 56)  # it could not send, or not receive: by the version
    assert b"alert" in bad.stderr
    told = openssl("-connect", f"127.0.0.1:{door.port}", "-servername", WEB, typed="Q\n")
    asked = told.partition("Acceptable client certificate CA names")[2].partition("Requested Signature")[0]
    assert "O=clients" in asked.replace(" = ", "=")


def test_what_clients_say_of_certificates_themselves_is_dropped(door):
    spoofed = f"{INFO}: Subject%3D%22CN%3Droot%22\r\nX-Forwarded-Tls-Client-Cert: MIIB\r\nX_Forwarded_Tls_Client_Cert_Info: x\r\n".encode()
    door.ask(door.clients.context(door.alice), spoofed).socket.close()
    (told,) = door.told()
    assert "CN%3Dalice" in told
    assert door.origin.requests[-1].fields("X-Forwarded-Tls-Client-Cert") == []
    with Client(door.haystack.port) as client:
        assert client.get(WEB, extra=spoofed).status == 200
    assert door.told() == []
    assert b"Tls_Client" not in door.origin.requests[-1].head


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_resumed_with_its_identity(door, version):
    context = door.clients.context(door.alice, **versioned(version))
    with door.ask(context) as first:
        session = first.tls.session
    with door.ask(context, session=session) as again:
        assert again.tls.session_reused
    assert "CN%3Dalice" in door.told()[0]


def test_over_http2_the_endpoint_hears_the_same(door):
    context = door.clients.context(door.alice)
    context.set_alpn_protocols(["h2"])
    with Http2Client(door.port, context, WEB) as client:
        numbers = [client.begin(WEB, fields=[(INFO.lower(), "forged")]) for _ in range(3)]
        assert [client.answer(number).status for number in numbers] == [200] * 3
    over_h2 = [request.fields(INFO) for request in door.origin.requests[-3:]]
    door.ask(door.clients.context(door.alice)).socket.close()
    assert over_h2 == [door.told()] * 3
    assert "CN%3Dalice" in door.told()[0]


def test_the_trace_names_the_client(door):
    door.ask(door.clients.context(door.clients.issue("traced"))).socket.close()
    until(lambda: any("CN=traced," in line.get("client_subject", "") for line in door.haystack.lines), 10, "no trace names it")


def test_a_probe_and_garbage_are_no_trouble(door):
    for data in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", door.port)) as sock:
            sock.sendall(data)
    door.ask(door.clients.context(door.alice)).socket.close()


# Changes.


def resumes(door: Door, context: ssl.SSLContext, session: ssl.SSLSession) -> bool:
    with door.ask(context, session=session) as client:
        return client.tls.session_reused


@pytest.mark.parametrize("version", VERSIONS)
def test_another_authority_counts_at_once_and_sessions_of_before_do_not(own_door, version):
    door, old = own_door, own_door.clients.context(own_door.alice, **versioned(version))
    with door.ask(old) as client:
        session = client.tls.session
        both = door.clients.path.read_bytes() + door.others.path.read_bytes()
        door.file.write_bytes(both)
        new = door.clients.context(door.others.issue("carol"))
        until(lambda: not door.refusal(new), 20, "the new authority never counts")
        assert not resumes(door, old, session)  # who is let in may have changed: it shows its certificate again
        door.file.write_bytes(door.others.path.read_bytes())
        until(lambda: "unknown ca" in door.refusal(old), 20, "the old authority counts still")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            door.ask(old, session=session)
        assert client.get(WEB).status == 200  # open connections stay


def test_a_bad_file_keeps_the_authorities_of_before_and_is_told(own_door):
    door = own_door
    door.file.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    told = door.haystack.wait("authorities.broken")
    assert (told["path"], told["kept"]) == (str(door.file), "the authorities that were read last")
    assert "can't be read" in told["error"]
    door.ask(door.clients.context(door.alice)).socket.close()
    assert "certificate required" in door.refusal(door.clients.context(None))
    door.file.write_bytes(door.others.path.read_bytes())
    until(lambda: "unknown ca" in door.refusal(door.clients.context(door.alice)), 20, "the good file never counts")


def test_revoked_clients_are_refused_and_so_are_their_sessions(own_door):
    door, bob = own_door, own_door.clients.issue("bob")
    alice, revoked = door.clients.context(door.alice), door.clients.context(bob)
    with door.ask(revoked) as client:
        session = client.tls.session
    door.file.write_bytes(door.clients.path.read_bytes() + door.clients.revoking(bob))
    until(lambda: "certificate revoked" in door.refusal(revoked), 20, "it is let in still")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        door.ask(revoked, session=session)
    door.ask(alice).socket.close()
    door.file.write_bytes(door.clients.path.read_bytes() + door.clients.revoking(bob, until=days(-1)))
    assert "was to be replaced by" in door.haystack.wait("authorities.broken")["error"]
    door.ask(alice).socket.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_ends_with_the_certificate(own_door, version):
    end = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=4)
    context = own_door.clients.context(own_door.clients.issue("short", not_after=end), **versioned(version))
    with own_door.ask(context) as client:
        session = client.tls.session
    assert resumes(own_door, context, session)
    until(lambda: dt.datetime.now(dt.UTC) > end + dt.timedelta(seconds=1), 10, "time stands still")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        own_door.ask(context, session=session)


def test_a_new_worker_asks_from_its_first_client_on(own_door):
    door = own_door
    (worker,) = door.haystack.workers()
    os.kill(worker, 9)
    until(lambda: door.haystack.workers() not in ([], [worker]), 20, "the dead worker was not replaced")
    assert "certificate required" in door.refusal(door.clients.context(None))
    door.ask(door.clients.context(door.alice)).socket.close()


# Behind another proxy.


def test_a_trusted_proxy_is_believed_and_its_own_certificate_is_not_taken_for_its_clients(tmp_path, fakes):
    door = Door(tmp_path, fakes, HAYSTACK_TRUSTED_PROXIES="127.0.0.0/8")
    with door.haystack:
        context = door.clients.context(door.alice)
        door.ask(context).socket.close()
        assert "CN%3Dalice" in door.told()[0]  # it speaks for itself
        door.ask(context, b"X-Forwarded-For: 10.0.0.9\r\n").socket.close()
        assert door.told() == []
        door.ask(context, f"X-Forwarded-For: 10.0.0.9\r\n{INFO}: Subject%3D%22CN%3Dbob%22\r\n".encode()).socket.close()
        assert door.told() == ["Subject%3D%22CN%3Dbob%22"]
    door.origin.stop()


# The start.


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file or directory"),
        (b"", "there is no certificate in it"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "can't be read"),
        ("leaf", "is not one of an authority"),
    ],
)
def test_a_bad_file_stops_the_start_with_one_line(tmp_path, content, why):
    clients = Clientele(tmp_path, tmp_path)
    file = tmp_path / "file.pem"
    if content is not None:
        file.write_bytes(clients.issue("alice").cert_chain_pems[0].bytes() if content == "leaf" else content)
    static = tmp_path / "static.toml"
    static.write_text("")
    ended = subprocess.run(
        command(),
        env=environment(static, tmp_path, {"HAYSTACK_TLS_CLIENT_CA": str(file)}),
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    (line,) = ended.stderr.splitlines()
    assert ended.returncode != 0
    assert line.startswith(f"haystack: HAYSTACK_TLS_CLIENT_CA: '{file}' can't be used")
    assert why in line


@pytest.mark.skipif(shutil.which("pebble") is None, reason="pebble is not installed")
def test_an_authority_that_looks_for_a_proof_needs_no_certificate(tmp_path):
    name = "www.example.net"
    clients = Clientele(tmp_path / "clients", tmp_path)
    with site(tmp_path) as made:
        settings = {"HAYSTACK_ACME_CHALLENGES": "tls-alpn-01", "HAYSTACK_HTTPS_PORT": str(made.https)}
        with made.haystack(name, HAYSTACK_TLS_CLIENT_CA=str(clients.path), **settings) as haystack:
            certified(haystack, name)
            told = openssl("-connect", f"127.0.0.1:{made.https}", "-servername", name, "-alpn", "acme-tls/1", typed="Q\n")
            assert "unrecognized name" in told  # nothing is looked for any more
            context = ssl.create_default_context(cadata=made.pebble.root().decode())
            with pytest.raises(ssl.SSLError, match=r"(?i)certificate.required"), TlsClient(made.https, context, name) as client:
                client.socket.recv(1)
