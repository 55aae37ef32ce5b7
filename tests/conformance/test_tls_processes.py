"""HTTPS while something changes: certificates under load, workers that die, a Haystack that takes over; sessions outlive all of it."""

from __future__ import annotations

import os
import signal
import socket
import ssl
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fakes.client import Client
from tests.fakes.load import Load
from tests.fakes.origin import Origin, respond
from tests.fakes.pki import Authority
from tests.fakes.tls import Memory, TlsClient, failure, trusting
from tests.fakes.worker import Haystack, Member, host, until

WEB = host("web")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    (tmp_path / "certs").mkdir()
    made = Authority(tmp_path)
    made.write(tmp_path / "certs", "web", WEB)
    return made


@pytest.fixture
def start(authority: Authority, tmp_path: Path, origin: Origin):
    """Starts one, of two workers."""

    def begin(**how) -> Haystack:
        return Haystack([Member("web", origin.port)], **({"HAYSTACK_WORKERS": "2", "HAYSTACK_CERTS": str(tmp_path / "certs")} | how))

    return begin


def https(haystack: Haystack) -> int:
    return int(haystack.wait("ready")["https"])


def connecting(haystack: Haystack, authority: Authority):
    port, context = https(haystack), trusting(authority.path)
    return lambda: TlsClient(port, context, WEB)


def shown(haystack: Haystack, authority: Authority) -> str:
    """The serial of the certificate that a new client gets."""
    with TlsClient(https(haystack), trusting(authority.path), WEB) as client:
        return client.tls.getpeercert()["serialNumber"]


def test_a_certificate_is_swapped_under_load_and_no_request_fails(start, authority, tmp_path):
    with start() as haystack, Load().https(connecting(haystack, authority), WEB, b"ok", keep=4, new=2) as load:
        for _ in range(3):
            load.go_on()
            before = shown(haystack, authority)
            authority.write(tmp_path / "certs", "web", WEB)
            until(lambda before=before: shown(haystack, authority) != before, 20, "the new certificate is never shown")
        load.go_on()
    assert load.wrong == []


def test_a_connection_keeps_what_it_was_shown_when_its_certificate_goes(start, authority, tmp_path):
    with start() as haystack, TlsClient(https(haystack), trusting(authority.path), WEB) as client:
        assert client.get(WEB).status == 200
        (tmp_path / "certs" / "web.crt").unlink()
        haystack.wait("certificate.gone")
        until(lambda: failure(https(haystack), trusting(authority.path), WEB), 10, "its certificate is still shown")
        assert client.get(WEB).status == 200


def test_a_bad_file_keeps_the_old_one_and_is_told(start, authority, tmp_path):
    with start() as haystack:
        before = shown(haystack, authority)
        (tmp_path / "certs" / "web.crt").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        assert haystack.wait("certificate.broken")["error"] == "a certificate in it can't be read"
        assert shown(haystack, authority) == before
        authority.write(tmp_path / "certs", "web", WEB)
        until(lambda: shown(haystack, authority) != before, 20, "the good one is never shown")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed_by_every_worker_and_by_the_successor(start, authority, version):
    with ExitStack() as stack:
        old = stack.enter_context(start())
        context = trusting(authority.path, minimum_version=version, maximum_version=version)
        with TlsClient(https(old), context, WEB) as client:
            assert client.get(WEB).status == 200
            session = client.tls.session
        reused = [resumed(old, context, session) for _ in range(12)]
        assert reused == [True] * 12
        (first, _) = old.workers()
        os.kill(first, signal.SIGKILL)
        until(lambda: first not in old.workers() and len(old.workers()) == 2, 20, "the dead worker was not replaced")
        assert [resumed(old, context, session) for _ in range(6)] == [True] * 6
        new = stack.enter_context(start(instead_of=old))
        old.ended(15)
        assert [resumed(new, context, session) for _ in range(6)] == [True] * 6


def resumed(haystack: Haystack, context: ssl.SSLContext, session: ssl.SSLSession) -> bool:
    with TlsClient(https(haystack), context, WEB, session=session) as client:
        assert client.get(WEB).status == 200
        return client.tls.session_reused


def test_a_takeover_under_load_loses_no_request(start, authority):
    with ExitStack() as stack:
        old = stack.enter_context(start())
        with Load().https(connecting(old, authority), WEB, b"ok", keep=4, new=2) as load:
            load.go_on()
            new = stack.enter_context(start(instead_of=old))
            old.ended(15)
            load.go_on()
        assert load.wrong == []
        assert https(new) == https(old)


def test_a_worker_that_is_killed_takes_only_what_it_had(start, authority):
    with start() as haystack, Load().https(connecting(haystack, authority), WEB, b"ok", keep=2, new=2) as load:
        load.go_on()
        os.kill(haystack.workers()[0], signal.SIGKILL)
        haystack.wait("worker.died")
        load.forgive()
        load.go_on()
    assert load.wrong == []


def test_a_stop_lets_an_answer_end_within_tls(start, authority):
    with start(HAYSTACK_WORKERS="1") as haystack:
        client = Memory(https(haystack), trusting(authority.path), WEB)
        client.handshake()
        client.say(f"GET / HTTP/1.1\r\nHost: {WEB}\r\n\r\n".encode())
        assert client.read().startswith(b"HTTP/1.1 200")
        haystack.terminate()
        client.rest()  # close_notify, not a bare end
        client.sock.close()


def test_without_a_source_of_certificates_the_port_is_closed(origin):
    with Haystack([Member("web", origin.port)]) as haystack:
        assert "https" not in haystack.wait("ready")


def test_a_default_is_shown_to_all_others(start, authority, tmp_path):
    authority.write(tmp_path / "certs", "default", "fallback.example.com")
    context = trusting(authority.path, check_hostname=False)
    with start() as haystack:
        for name in ("unknown.example.com", None):
            with TlsClient(https(haystack), context, name) as client:
                assert ("DNS", "fallback.example.com") in client.tls.getpeercert()["subjectAltName"]
                assert client.get(WEB).status == (421 if name else 200)


def test_tls_1_3_alone(start, authority):
    with start(HAYSTACK_TLS_MIN="1.3") as haystack:
        context = trusting(authority.path, maximum_version=ssl.TLSVersion.TLSv1_2)
        assert "protocol version" in failure(https(haystack), context, WEB)
        assert shown(haystack, authority)


@pytest.mark.parametrize(("label", "at_http", "at_https"), [("on", 200, 200), ("off", 200, 404), ("redirect", 308, 200)])
def test_the_label_says_what_is_served_where(authority, tmp_path, origin, label, at_http, at_https):
    member = Member("web", origin.port, {"haystack.https": label, "haystack.hsts_max_age": "1h"})
    with Haystack([member], HAYSTACK_CERTS=str(tmp_path / "certs")) as haystack:
        with Client(haystack.port) as client:
            plain = client.get(WEB, "/a/b?c=d%20e")
            proof = client.get(WEB, "/.well-known/acme-challenge/x")
        with TlsClient(https(haystack), trusting(authority.path), WEB) as client:
            secure = client.get(WEB)
        assert (plain.status, secure.status, proof.status) == (at_http, at_https, 200)
        where = f"https://{WEB}:{https(haystack)}/a/b?c=d%20e"
        assert plain.get("location") == (where if label == "redirect" else None)
        assert plain.get("strict-transport-security") is None
        assert secure.get("strict-transport-security") == (None if label == "off" else "max-age=3600")


def test_a_host_without_a_certificate_is_not_redirected(authority, tmp_path, origin):
    member = Member("web", origin.port, {"haystack.host": "www.example.com", "haystack.weight": "1"})
    with Haystack([member], HAYSTACK_CERTS=str(tmp_path / "certs"), HAYSTACK_HTTPS="redirect") as haystack, Client(haystack.port) as client:
        assert client.get("www.example.com").status == 200
        assert client.get(WEB).status == 308
        authority.write(tmp_path / "certs", "www", "www.example.com")
        until(lambda: client.get("www.example.com").status == 308, 20, "it is never redirected")


def test_behind_a_proxy_that_ends_tls_nothing_is_redirected(authority, tmp_path, origin):
    member = Member("web", origin.port, {"haystack.https": "redirect"})
    settings = {"HAYSTACK_CERTS": str(tmp_path / "certs"), "HAYSTACK_TRUSTED_PROXIES": "127.0.0.0/8"}
    with Haystack([member], **settings) as haystack, Client(haystack.port) as client:
        assert client.get(WEB, extra=b"X-Forwarded-Proto: https\r\n").status == 200
        assert client.get(WEB, extra=b"X-Forwarded-Proto: http\r\n").status == 308


def test_a_default_certificate_is_for_no_host_but_its_own(authority, tmp_path, origin):
    """A 308 is remembered by browsers: to a name that the certificate is not for it would lock them out."""
    authority.write(tmp_path / "certs", "default", "example.org")
    member = Member("web", origin.port, {"haystack.host": "www.example.com,example.org", "haystack.https": "redirect"})
    with Haystack([member], HAYSTACK_CERTS=str(tmp_path / "certs")) as haystack, Client(haystack.port) as client:
        assert client.get("www.example.com").status == 200
        assert client.get("example.org").status == 308


def test_what_has_no_path_is_not_redirected_nor_what_an_authority_asks_for(authority, tmp_path, origin):
    member = Member("web", origin.port, {"haystack.https": "redirect"})
    with Haystack([member], HAYSTACK_CERTS=str(tmp_path / "certs")) as haystack, Client(haystack.port) as client:
        client.send(f"OPTIONS * HTTP/1.1\r\nHost: {WEB}\r\n\r\n".encode())
        assert client.response().status == 200
        client.send(f"GET http://{WEB}/.well-known/acme-challenge/x HTTP/1.1\r\nHost: {WEB}\r\n\r\n".encode())
        assert client.response().status == 200
        client.send(f"GET http://{WEB}?q HTTP/1.1\r\nHost: {WEB}\r\n\r\n".encode())
        assert client.response().get("location") == f"https://{WEB}:{https(haystack)}?q"


def test_an_endpoint_that_says_hsts_itself_has_the_only_word(authority, tmp_path, fakes):
    said = b"HTTP/1.1 200 OK\r\nstrict-Transport-security: max-age=1\r\nContent-Length: 0\r\n\r\n"
    behind = Origin(fakes, respond(said)).start()
    member = Member("web", behind.port, {"haystack.hsts_max_age": "1h"})
    with (
        Haystack([member], HAYSTACK_CERTS=str(tmp_path / "certs")) as haystack,
        TlsClient(https(haystack), trusting(authority.path), WEB) as client,
    ):
        answer = client.get(WEB)
    behind.stop()
    assert answer.all("strict-transport-security") == ["max-age=1"]


def test_half_a_record_is_a_request_that_has_begun(authority, tmp_path, origin):
    """OpenSSL has taken it from the socket, where nothing is left to be seen: a drain must not take its client for one at rest."""
    with Haystack([Member("web", origin.port)], HAYSTACK_CERTS=str(tmp_path / "certs"), HAYSTACK_WORKERS="1") as haystack:
        client = Memory(https(haystack), trusting(authority.path), WEB)
        client.handshake()
        client.say(f"GET / HTTP/1.1\r\nHost: {WEB}\r\n\r\n".encode())
        assert client.read().startswith(b"HTTP/1.1 200")
        whole = client.bytes_of(lambda: client.tls.write(f"GET /last HTTP/1.1\r\nHost: {WEB}\r\n\r\n".encode()))
        client.send(whole[:20])
        until(lambda: unread(client.sock) == 0, 10, "it is never read")
        haystack.terminate()
        until(lambda: refused(https(haystack)), 10, "it goes on to accept")
        client.send(whole[20:])
        assert client.read().startswith(b"HTTP/1.1 200")
        client.sock.close()


def unread(sock: socket.socket) -> int:
    """Bytes that the other end's kernel has not handed over: /proc/net/tcp has them as the receive queue of its side."""
    here, there = sock.getsockname()[1], sock.getpeername()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, remote, _, queues = line.split()[1:5]
        if (int(local.split(":")[1], 16), int(remote.split(":")[1], 16)) == (there, here):
            return int(queues.split(":")[1], 16)
    return -1


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False
