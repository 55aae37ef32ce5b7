"""An endpoint that ends TLS itself, or speaks any bytes: a listening socket with a thread for each connection. Only for tests."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Self

Manner = Callable[["FarEnd", socket.socket], None]


class FarEnd:
    """One of them. manner: what it does with a connection; name: what it answers. It may be told to do otherwise at any time."""

    def __init__(self, manner: Manner, name: str = "end", address: str = "127.0.0.1") -> None:
        self.manner, self.name = manner, name
        self.connections = 0
        self.heard: list[bytes] = []  # by connection, as far as its manner notes it
        self.context: ssl.SSLContext | None = None
        self._server = socket.create_server((address, 0))
        self.port: int = self._server.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            sock.settimeout(10)
            self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.manner(self, sock)
        self._open.discard(sock)
        sock.close()

    def hold(self, sock: socket.socket) -> None:
        """It is the one that is open now: wrapped in TLS, another object has lost it."""
        self._open.add(sock)

    def close(self) -> None:
        """Accept no more, and end what is open: at once, as when its process is killed."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for sock in list(self._open):
            reset(sock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def reset(sock: socket.socket) -> None:
    """End a connection with a reset."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RD)
    with contextlib.suppress(OSError):
        sock.close()


def tls(chain: bytes, key: bytes, folder: object) -> ssl.SSLContext:
    """A context of PEM, by way of a file."""
    path = folder / "far-end.pem"  # type: ignore[operator]
    path.write_bytes(key + chain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    context.set_alpn_protocols(["h2", "http/1.1", "own-protocol"])
    return context


def https(end: FarEnd, sock: socket.socket) -> None:
    """TLS, and an answer with its name to each request."""
    assert end.context is not None
    with end.context.wrap_socket(sock, server_side=True) as within:
        end.hold(within)
        while head := within.recv(65536):
            end.heard.append(head)
            body = end.name.encode()
            within.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def echo(end: FarEnd, sock: socket.socket) -> None:
    """Say back what is said, and note it."""
    number = len(end.heard)
    end.heard.append(b"")
    while data := sock.recv(65536):
        end.heard[number] += data
        sock.sendall(data)


def resets(end: FarEnd, sock: socket.socket) -> None:
    """Read something, and reset."""
    end.heard.append(sock.recv(65536))
    reset(sock)


def ends(end: FarEnd, sock: socket.socket) -> None:
    """Read something, and close without a word."""
    end.heard.append(sock.recv(65536))


def hangs(end: FarEnd, sock: socket.socket) -> None:
    """Read, and say nothing."""
    end.heard.append(sock.recv(65536))
    while sock.recv(65536):
        pass
