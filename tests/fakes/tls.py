"""Clients within TLS: Python's ssl beneath the rude client, what a test wants to see of it, and handshakes in pieces."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

from tests.fakes.client import Client


def trusting(ca: Path, **more: Any) -> ssl.SSLContext:
    """A context that verifies by this CA. more: its attributes."""
    context = ssl.create_default_context(cafile=str(ca))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # trustme's have no key identifiers
    for name, value in more.items():
        setattr(context, name, value)
    return context


def hello(name: str, **more: Any) -> bytes:
    """What OpenSSL says first. more: attributes of its context."""
    context = ssl.create_default_context()
    for key, value in more.items():
        setattr(context, key, value)
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = context.wrap_bio(into, out, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        asking.do_handshake()
    return out.read()


class TlsClient(Client):
    """One connection within TLS. name: what it asks for, and verifies; None: nothing; session: one to resume."""

    def __init__(self, port: int, context: ssl.SSLContext, name: str | None, *, session: ssl.SSLSession | None = None, **how: Any) -> None:
        super().__init__(port, **how)
        if name is None:
            context.check_hostname = False
        plain = self.socket
        try:
            self.socket = context.wrap_socket(plain, server_hostname=name, session=session)
        except BaseException:
            plain.close()
            raise
        self.tls: ssl.SSLSocket = self.socket


def failure(port: int, context: ssl.SSLContext, name: str | None) -> str:
    """With what words of OpenSSL's a handshake fails; empty: it does not."""
    try:
        TlsClient(port, context, name).socket.close()
    except ssl.SSLError as error:
        return str(error).lower().replace("_", " ")
    except ConnectionError:
        return "reset"
    return ""


class Memory:
    """A client whose bytes go through the test's hands. sock: where they are to go."""

    def __init__(self, port: int, context: ssl.SSLContext, name: str) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_hostname=name)

    def bytes_of(self, step: Any) -> bytes:
        """What a step (do_handshake, or write) would send now; a handshake that waits is no error."""
        with contextlib.suppress(ssl.SSLWantReadError):
            step()
        return self._out.read()

    def hear(self) -> None:
        """Take in what has come; raises EOFError at the end."""
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self._in.write(data)

    def read(self, size: int = 65536) -> bytes:
        """What the server says next; empty: close_notify."""
        while True:
            try:
                return self.tls.read(size)
            except ssl.SSLWantReadError:
                self.hear()
            except ssl.SSLZeroReturnError:
                return b""

    def rest(self) -> bytes:
        """All that the server still says until it ends within TLS; raises EOFError, ConnectionError or SSLError for another end."""
        found = b""
        while data := self.read():
            found += data
        return found

    def gone(self) -> None:
        """Wait for the end of the connection, however it comes, and whatever comes before it."""
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                self.hear()

    def handshake(self, pieces: int | None = None) -> None:
        """The whole of it. pieces: bytes in one segment."""
        while True:
            try:
                self.tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            self.send(self._out.read(), pieces)
            if done:
                return
            self.hear()

    def send(self, data: bytes, pieces: int | None = None) -> None:
        for at in range(0, len(data), pieces or max(1, len(data))):
            self.sock.sendall(data[at : at + (pieces or len(data))])

    def say(self, data: bytes) -> None:
        """Encrypt and send."""
        self.send(self.bytes_of(lambda: self.tls.write(data)))


def openssl(*words: str, typed: str = "", seconds: int = 20) -> str:
    """What `openssl s_client` prints."""
    ended = subprocess.run(
        ["openssl", "s_client", *words], input=typed, capture_output=True, text=True, timeout=seconds, check=False, errors="replace"
    )
    return ended.stdout + ended.stderr
