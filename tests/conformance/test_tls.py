"""HTTPS as clients see it: which certificate, which protocol, which answers; and what becomes of those that do it wrong."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import Loop, Origin, respond
from tests.fakes.pki import Authority
from tests.fakes.tls import Memory, TlsClient, failure, openssl, trusting
from tests.fakes.worker import Haystack, Member, host, resident

BROKEN = (ssl.SSLError, EOFError, ConnectionError)
LATER = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
WWW, OTHER, WEB = "www.example.com", "other.example.com", host("web")


class Edge:
    """A Haystack with certificates, one origin behind it, and the CA that clients trust."""

    def __init__(self, folder: Path, loop: Loop, **settings: str) -> None:
        self.authority = Authority(folder)
        self.certs = folder / "certs"
        self.certs.mkdir()
        self.authority.write(self.certs, "www", WWW, OTHER)
        self.authority.write(self.certs, "inside", "*.services.haystack")
        self.origin = Origin(loop, respond()).start()
        hosts = {"haystack.host": f"{WWW},{OTHER},alone.example.org"}
        self.haystack = Haystack([Member("web", self.origin.port, hosts)], **({"HAYSTACK_CERTS": str(self.certs)} | settings))

    @property
    def port(self) -> int:
        return int(self.haystack.wait("ready")["https"])

    def context(self, **more) -> ssl.SSLContext:
        return trusting(self.authority.path, **more)

    def client(self, name: str | None = WWW, **how) -> TlsClient:
        return TlsClient(self.port, how.pop("context", None) or self.context(), name, **how)


@pytest.fixture(scope="module")
def edge(tmp_path_factory, fakes) -> Iterator[Edge]:
    made = Edge(tmp_path_factory.mktemp("edge"), fakes, HAYSTACK_HEAD_TIMEOUT="1s", HAYSTACK_ACCESS_LOG="json")
    with made.haystack:
        yield made
    made.origin.stop()


@pytest.fixture(autouse=True)
def plain_answer(edge: Edge) -> None:
    edge.origin.script = respond()


# Which certificate.


@pytest.mark.parametrize(("name", "serial"), [(WWW, "www"), (WWW.upper(), "www"), (OTHER, "www"), (WEB, "inside")])
def test_the_certificate_is_that_of_the_name(edge, name, serial):
    with edge.client(name) as client:
        names = {value for _, value in client.tls.getpeercert()["subjectAltName"]}
        assert names == ({WWW, OTHER} if serial == "www" else {"*.services.haystack"})
        assert client.get(name).status == 200


def test_curl_is_answered_and_the_endpoint_knows_how(edge):
    ended = subprocess.run(
        ["curl", "-sS", "--cacert", edge.authority.path, "--resolve", f"{WWW}:{edge.port}:127.0.0.1", f"https://{WWW}:{edge.port}/x"],
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, b"ok"), ended.stderr
    request = edge.origin.requests[-1]
    assert request.fields("X-Forwarded-Proto") == ["https"]
    assert request.fields("X-Forwarded-Port") == [str(edge.port)]


@pytest.mark.parametrize("name", ["unknown.example.com", "a.b.services.haystack", "example.com", None])
def test_for_an_unknown_name_and_for_none_the_handshake_is_refused(edge, name):
    assert failure(edge.port, edge.context(), name).startswith("[ssl: tlsv1 unrecognized name]")


def test_a_host_of_another_certificate_gets_421_and_one_of_the_same_does_not(edge):
    with edge.client() as client:
        assert client.get(OTHER).status == 200
        assert client.get(f"{WWW}:{edge.port}").status == 200
        assert client.get(WEB).status == 421
    with edge.client(WEB) as client:
        assert client.get(WEB).status == 200
        assert client.get(host("other")).status == 404
        assert client.get(WWW).status == 421


# Which protocol.


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_are_spoken(edge, version):
    context = edge.context(minimum_version=version, maximum_version=version)
    with edge.client(context=context) as client:
        assert client.tls.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
        assert [client.get(WWW).status for _ in range(3)] == [200] * 3


def test_older_ones_are_refused(edge):
    told = openssl("-connect", f"127.0.0.1:{edge.port}", "-servername", WWW, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    assert "alert protocol version" in told
    assert "New, (NONE), Cipher is (NONE)" in told


@pytest.mark.parametrize(("offered", "chosen"), [(["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"), (["http/1.0"], "http/1.0"), ([], None)])
def test_alpn_chooses_what_is_spoken(edge, offered, chosen):
    context = edge.context()
    if offered:
        context.set_alpn_protocols(offered)
    with edge.client(context=context) as client:
        assert client.tls.selected_alpn_protocol() == chosen


@pytest.mark.parametrize("offered", [["h3"], ["acme-tls/1"], ["smtp", "h3"]])
def test_who_speaks_nothing_that_is_spoken_here_is_refused(edge, offered):
    context = edge.context()
    context.set_alpn_protocols(offered)
    told = failure(edge.port, context, WWW)
    assert "no application protocol" in told or "unrecognized name" in told


def test_renegotiation_is_refused(edge):
    told = openssl("-connect", f"127.0.0.1:{edge.port}", "-servername", WWW, "-tls1_2", "-legacy_renegotiation", typed="R\n")
    assert "no renegotiation" in told


def test_early_data_is_not_taken(edge):
    told = openssl("-connect", f"127.0.0.1:{edge.port}", "-servername", WWW, "-tls1_3", typed="Q\n")
    assert "Max Early Data: 0" in told or "Early data was not sent" in told


def test_plain_http_is_told_what_is_spoken_here(edge):
    with Client(edge.port) as client:
        answer = client.get(WWW)
    assert (answer.status, answer.complete) == (400, True)
    assert b"https" in answer.body


# Handshakes that are slow, half, or none.


def test_a_handshake_byte_by_byte_is_one(edge):
    client = Memory(edge.port, edge.context(), WWW)
    client.handshake(pieces=1)
    client.say(f"GET / HTTP/1.1\r\nHost: {WWW}\r\n\r\n".encode())
    assert client.read().startswith(b"HTTP/1.1 200")
    client.sock.close()


def test_a_request_byte_by_byte_each_in_a_record_of_its_own_is_one(edge):
    with edge.client() as client:
        for byte in f"GET / HTTP/1.1\r\nHost: {WWW}\r\n\r\n".encode():
            client.socket.send(bytes((byte,)))
        assert client.response().status == 200


def test_a_request_that_comes_with_the_end_of_the_handshake_is_read(edge):
    client = Memory(edge.port, edge.context(), WWW)
    client.send(client.bytes_of(client.tls.do_handshake))
    last = b""
    while not last:
        client.hear()
        last = client.bytes_of(client.tls.do_handshake)
    client.send(last + client.bytes_of(lambda: client.tls.write(f"GET / HTTP/1.1\r\nHost: {WWW}\r\n\r\n".encode())))
    assert client.read().startswith(b"HTTP/1.1 200")
    client.sock.close()


@pytest.mark.parametrize("said", [1, 5, 100])
def test_half_a_handshake_has_the_time_of_a_head(edge, said):
    client = Memory(edge.port, edge.context(), WWW)
    client.send(client.bytes_of(client.tls.do_handshake)[:said])
    client.gone()
    client.sock.close()


@pytest.mark.parametrize("garbage", [b"\x00" * 100, b"\xff" * 20000, b"SSH-2.0-x\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 70000])
def test_garbage_ends_its_connection_alone(edge, garbage):
    with Client(edge.port) as client:
        with contextlib.suppress(ConnectionError):
            client.socket.sendall(garbage)
        with contextlib.suppress(ConnectionError):
            while client.socket.recv(65536):
                pass
    with edge.client() as client:
        assert client.get(WWW).status == 200


def test_a_record_that_was_changed_on_its_way_ends_the_connection(edge):
    client = Memory(edge.port, edge.context(), WWW)
    client.handshake()
    sealed = bytearray(client.bytes_of(lambda: client.tls.write(f"GET / HTTP/1.1\r\nHost: {WWW}\r\n\r\n".encode())))
    sealed[-1] ^= 1
    before = len(edge.origin.requests)
    client.send(bytes(sealed))
    with pytest.raises(BROKEN):
        client.rest()
    assert len(edge.origin.requests) == before
    client.sock.close()


# Ends.


def test_the_end_is_said_within_tls(edge):
    client = Memory(edge.port, edge.context(), WWW)
    client.handshake()
    client.say(f"GET / HTTP/1.1\r\nHost: {WWW}\r\nConnection: close\r\n\r\n".encode())
    assert client.read().startswith(b"HTTP/1.1 200")
    client.rest()  # an end without close_notify would be an EOFError
    client.sock.close()


def test_a_body_that_is_cut_off_is_not_ended_within_tls(edge):
    """To an HTTP/1.0 client the end of the connection is the end of the body: it must see that somebody cut it."""
    edge.origin.script = cut
    client = Memory(edge.port, edge.context(), WWW)
    client.handshake()
    client.say(f"GET / HTTP/1.0\r\nHost: {WWW}\r\n\r\n".encode())
    with pytest.raises(BROKEN):
        client.rest()
    client.sock.close()


async def cut(call):
    await call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    call.reset()


@pytest.mark.parametrize("notify", [True, False])
def test_a_client_that_ends_is_let_go(edge, notify):
    client = Memory(edge.port, edge.context(), WWW)
    client.handshake()
    client.say(f"GET / HTTP/1.1\r\nHost: {WWW}\r\n\r\n".encode())
    assert client.read().startswith(b"HTTP/1.1 200")
    if notify:
        client.send(client.bytes_of(client.tls.unwrap))
    client.sock.shutdown(socket.SHUT_WR)
    client.gone()
    client.sock.close()


# Large bodies, slow readers.

SIZE = 100 * 1024 * 1024


def test_a_hundred_megabytes_up(edge):
    edge.origin.script = sink
    with edge.client(timeout=30) as client:
        client.send(f"POST / HTTP/1.1\r\nHost: {WWW}\r\nContent-Length: {SIZE}\r\n\r\n".encode())
        block = bytes(1 << 20)
        for _ in range(SIZE >> 20):
            client.socket.sendall(block)
        answer = client.response()
    assert (answer.status, answer.body) == (200, str(SIZE).encode())


async def sink(call):
    left = SIZE
    while left:
        left -= len(await call.reader.read(1 << 20))
    body = str(SIZE).encode()
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_hundred_megabytes_down_to_one_that_reads_slowly_at_first(edge, chunked):
    async def flood(call):
        await call.send(b"HTTP/1.1 200 OK\r\n" + (b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % SIZE) + b"\r\n\r\n")
        block = bytes(range(256)) * 4096
        for _ in range(SIZE >> 20):
            await call.send(b"100000\r\n" + block + b"\r\n" if chunked else block)
        if chunked:
            await call.send(b"0\r\n\r\n")

    edge.origin.script = flood
    (worker,) = edge.haystack.workers()
    before = resident(worker)
    with edge.client(timeout=30, small_window=True) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {WWW}\r\n\r\n".encode())
        first = b"".join(client.socket.recv(100) for _ in range(200))
        assert b"200 OK" in first
        assert resident(worker) - before < 32 * 1024 * 1024
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        got = len(first)
        while got < SIZE:
            got += len(client.socket.recv(1 << 20))
    assert got >= SIZE


def test_both_ways_at_once_through_a_tunnel(edge):
    """Each side sends before it reads: what is written waits for what is read in neither direction."""
    edge.origin.script = echo
    size = 4 << 20
    with edge.client(timeout=30) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {WWW}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.socket.recv(1)
        assert b" 101 " in head
        sent = got = 0
        client.socket.setblocking(False)
        while got < size:
            with contextlib.suppress(*LATER):
                sent += client.socket.send(bytes(min(65536, size - sent))) if sent < size else 0
            with contextlib.suppress(*LATER):
                got += len(client.socket.recv(65536))
    assert got == size


async def echo(call):
    await call.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    while data := await call.reader.read(65536):
        await call.send(data)
    call.keep = False


def test_a_flood_of_key_updates_ends_the_connection(edge):
    """OpenSSL would go on with them within one read for as long as they come."""
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", "-servername", WWW, "-tls1_3"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0) as client:
        told = b""
        while b"Verify return code" not in told:
            told += client.stdout.read(65536)
        for _ in range(200):
            with contextlib.suppress(BrokenPipeError):
                client.stdin.write(b"k\n")
            told = b""
            while b"KEYUPDATE" not in told and (data := client.stdout.read(65536)):
                told += data
        client.wait(20)  # it ends because its connection has ended; else it would go on for a minute


def test_no_key_is_in_the_log_nor_on_a_page(edge):
    with Client(edge.haystack.port) as client:
        pages = b"".join(client.get("localhost", path).body for path in ("/api/info", "/metrics", "/api/services"))
    assert "PRIVATE" not in json.dumps(edge.haystack.lines)
    assert b"PRIVATE" not in pages


def test_a_connection_that_says_nothing_costs_nothing_and_a_reset_is_none(edge):
    for _ in range(50):
        sock = socket.create_connection(("127.0.0.1", edge.port))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    with edge.client() as client:
        assert client.get(WWW).status == 200
