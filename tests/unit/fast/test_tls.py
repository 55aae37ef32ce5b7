"""TLS of a worker, turned by hand: what one client can take of a turn, what counts as a failed handshake, and how a connection ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import ssl
import struct
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from haystack._fast.exchange.listener import Listener
from haystack._fast.net.client_certificates import ClientAuthorities
from haystack._fast.net.poller import Poller
from haystack._fast.net.tls_server import Credential, TlsServer
from haystack._fast.routing.router import Router
from haystack._fast.worker.worker_state import WorkerState
from haystack.proxy import limits
from haystack.settings.settings import Settings
from tests.fakes.pki import Authority
from tests.fakes.tls import trusting
from tests.fakes.worker import until
from tests.unit.fast.test_listener import Hand

NAME = "www.example.com"
REQUEST = f"GET / HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode()
LAST = f"GET / HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode()


def unread(sock: socket.socket) -> int:
    """Bytes that the other side of a unix socket has not taken, with what the kernel needs to hold them."""
    return int(struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0])


class Edge:
    """A worker with one certificate and no service, on a socket of this kind. Its loop turns when a test says so."""

    def __init__(self, folder: Path, kind: socket.AddressFamily) -> None:
        authority = Authority(folder)
        self.trust = authority.path
        self.errors: list[Exception] = []
        self.loop = Hand()
        self.poller = Poller(self.loop, self.errors.append)
        self.worker = WorkerState(self.poller, Router(), [443])
        self.worker.limits.set(limits.of(Settings()))
        self.tls = TlsServer("1.2", self.errors.append)
        self.tls.show({NAME: Credential(*authority.issue(NAME), [NAME])}, (), None)
        self.tls.set_keys([os.urandom(80)])
        self.socket = socket.socket(kind)
        self.socket.bind(str(folder / "socket") if kind == socket.AF_UNIX else ("127.0.0.1", 0))
        self.socket.listen()
        self.socket.setblocking(False)
        self.listener = Listener(self.worker, self.socket.fileno(), 0, None, self.tls)

    def connect(self) -> socket.socket:
        sock = socket.socket(self.socket.family)
        sock.connect(self.socket.getsockname())
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is sent is there at once
        sock.settimeout(5)
        return sock

    def client(self) -> Client:
        made = Client(self.connect(), trusting(self.trust))
        self.beside(made.handshake)
        self.settle()
        return made

    def beside(self, work: Callable[[], object]) -> None:
        """Turn while this goes on in a thread."""
        failed: list[BaseException] = []

        def tries() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - whatever it is, the test has it
                failed.append(error)

        thread = threading.Thread(target=tries)
        thread.start()
        while thread.is_alive():
            if self.loop.ready(0.005):
                self.turn()
        thread.join()
        if failed:
            raise failed[0]

    def turn(self) -> None:
        self.loop.soon.clear()
        self.loop.callback()

    def settle(self) -> None:
        """Turn until there is nothing to do."""
        while self.loop.ready(0.005):
            self.turn()

    def close(self) -> None:
        self.listener.stop()
        self.poller.stop()
        self.socket.close()
        assert self.errors == []


class Client:
    """TLS on a socket whose bytes are read when the test wants it."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> None:
        self.sock = sock
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_hostname=NAME, session=session)

    def begin(self) -> None:
        """Send the hello."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        self.sock.sendall(self._out.read())

    def handshake(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.sock.sendall(self._out.read())
                self._in.write(self.sock.recv(65536))
            else:
                return self.sock.sendall(self._out.read())

    def sealed(self, data: bytes, size: int) -> bytes:
        """The data in records of this size."""
        for at in range(0, len(data), size):
            self.tls.write(data[at : at + size])
        return self._out.read()

    def say(self, data: bytes) -> None:
        self.sock.sendall(self.sealed(data, 16384))

    def waiting(self) -> int:
        """Records that have come and were not read yet."""
        data = self.sock.recv(1 << 20)
        self.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                data += self.sock.recv(1 << 20)
        at = count = 0
        while at < len(data):
            at += 5 + int.from_bytes(data[at + 3 : at + 5], "big")
            count += 1
        return count

    def so_far(self) -> bytes:
        """What has come within TLS and was not read yet."""
        self.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while data := self.sock.recv(65536):
                self._in.write(data)
        self.sock.settimeout(5)
        try:
            return self.tls.read(65536)
        except ssl.SSLWantReadError:
            return b""

    def rest(self) -> bytes:
        """All that comes until an end within TLS. Raises EOFError for another one."""
        found = b""
        while True:
            try:
                data = self.tls.read(65536)
            except ssl.SSLWantReadError:
                if not (heard := self.sock.recv(65536)):
                    raise EOFError(f"after {len(found)} bytes") from None
                self._in.write(heard)
                continue
            except ssl.SSLZeroReturnError:
                return found
            if not data:
                return found
            found += data


@pytest.fixture
def edge(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Edge]:
    made = Edge(tmp_path, getattr(request, "param", socket.AF_INET))
    yield made
    made.close()


@pytest.mark.parametrize("edge", [socket.AF_UNIX], indirect=True)
def test_one_byte_in_each_record_does_not_hold_a_worker(edge):
    """Each costs a microsecond or two, and a head may have 65,536 of them: others have their turn meanwhile."""
    client = edge.client()
    client.sock.setblocking(False)
    sent = client.sock.send(client.sealed(b"GET / HTTP/1.1\r\nX: " + b"x" * 60_000, 1))
    assert sent > 100_000
    edge.turn()
    assert unread(client.sock) > sent // 2
    client.sock.close()
    edge.settle()


@pytest.mark.parametrize("ends", [socket.SHUT_WR, None])
def test_who_comes_and_goes_without_a_byte_has_failed_at_nothing(edge, ends):
    """As health checks of load balancers do."""
    probe = edge.connect()
    if ends is None:
        probe.close()
    else:
        probe.shutdown(ends)
    edge.settle()
    assert (edge.tls.handshakes, edge.tls.failed, edge.worker.clients.count) == (0, 0, 0)
    probe.close()


def test_who_goes_within_the_hello_has_failed(edge):
    with edge.connect() as probe:
        probe.sendall(b"\x16\x03\x01\x02\x00\x01")
    edge.settle()
    assert (edge.tls.handshakes, edge.tls.failed, edge.worker.clients.count) == (0, 1, 0)


@pytest.mark.parametrize("edge", [socket.AF_UNIX], indirect=True)
def test_an_end_is_said_within_tls_also_where_the_socket_is_just_full(edge):
    """A unix socket takes whole writes until it is full: for one number of answers, the last one fills it."""
    first = edge.client()
    first.say(REQUEST * 1000)
    edge.settle()
    full = first.waiting()
    first.sock.close()
    edge.settle()
    lost = []
    for number in range(full - 8, full + 8):
        client = edge.client()
        client.say(REQUEST * number + LAST)
        edge.settle()
        try:
            edge.beside(client.rest)
        except EOFError:
            lost.append(number)
        client.sock.close()
        edge.settle()
    assert lost == []


def test_where_it_is_not_known_whose_certificates_are_asked_for_all_are_refused(edge):
    edge.tls.require(None)
    client = Client(edge.connect(), trusting(edge.trust))
    with pytest.raises(ssl.SSLError, match=r"(?i)internal.error"):
        edge.beside(client.handshake)
    client.sock.close()
    edge.settle()
    assert (edge.tls.handshakes, edge.tls.failed, edge.worker.clients.count) == (0, 1, 0)


def test_one_that_was_refused_is_let_go_after_a_while_though_it_stays(edge):
    edge.tls.require(None)
    client = Client(edge.connect(), trusting(edge.trust))
    with pytest.raises(ssl.SSLError):
        edge.beside(client.handshake)
    client.sock.sendall(b"x" * 1000)  # on its way already
    edge.settle()
    assert edge.worker.clients.count == 1
    until(lambda: edge.poller.sweep() and edge.worker.clients.count == 0, 10, "it is never let go")
    client.sock.close()


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_authorities_that_can_not_be_read_are_none(pem):
    with pytest.raises(ValueError, match="OpenSSL does not take"):
        ClientAuthorities(pem, b"mark")


def test_a_revocation_list_that_can_not_be_read_is_not_left_out(edge):
    broken = b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
    with pytest.raises(ValueError, match="revocation list"):
        ClientAuthorities(edge.trust.read_bytes() + broken, b"mark")
