"""A rude HTTP/1 client: sends exactly the bytes a test gives it, in the pieces it gives, and reads answers by their framing.

Blocking, with a time limit on every read. Never corrects, completes or checks what it sends.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Self

BODILESS = frozenset({204, 304})


@dataclass
class Response:
    """One answer. complete: False when the connection ended before its framing did."""

    version: str
    status: int
    reason: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    complete: bool = True
    trailers: list[tuple[str, str]] = field(default_factory=list)
    interim: list[Response] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [v for k, v in self.fields if k.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        """The field's values joined as RFC 9110, section 5.3 says; None when absent."""
        values = self.all(name)
        return ", ".join(values) if values else None


class Client:
    """One connection. A context manager; small_window limits what the kernel buffers, for slow readers; source: an address of its own."""

    def __init__(self, port: int, timeout: float = 8, small_window: bool = False, source: str = "", to: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET)
        if small_window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(timeout)
        try:
            if source:
                self.socket.bind((source, 0))
            self.socket.connect((to, port))
        except OSError:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def send(self, *pieces: bytes) -> Self:
        """Each piece in a segment of its own, as far as TCP lets us."""
        for piece in pieces:
            self.socket.sendall(piece)
        return self

    def half_close(self) -> Self:
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def get(self, host: str, target: str = "/", extra: bytes = b"", method: str = "GET") -> Response:
        """A well-formed request and its answer."""
        self.send(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n".encode() + extra + b"\r\n")
        return self.response(method)

    def closed(self) -> bool:
        """True when the other side ends the connection without another byte; raises TimeoutError when it does not."""
        return not self.buffer and not self._fill()

    def rest(self) -> bytes:
        """Every byte until the other side ends the connection."""
        while self._fill():
            pass
        return self.take(len(self.buffer))

    def take(self, size: int) -> bytes:
        """The next `size` bytes as they come, whatever they are: fewer only when the connection ends."""
        return self._exactly(size)

    def response(self, method: str = "GET") -> Response:
        """The next final response, with the informational ones before it.

        Raises ConnectionError when the connection ends before a whole head.
        """
        interim: list[Response] = []
        while True:
            response = self._head()
            if response.status >= 200 or response.status == 101:
                response.interim = interim
                self._body(response, method)
                return response
            interim.append(response)

    def _fill(self) -> bool:
        if self.ended:
            return False
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.buffer += data
        self.ended = not data
        return bool(data)

    def _until(self, mark: bytes) -> bytes | None:
        while (at := self.buffer.find(mark)) < 0:
            if not self._fill():
                return None
        taken = bytes(self.buffer[:at])
        del self.buffer[: at + len(mark)]
        return taken

    def _exactly(self, size: int) -> bytes:
        """Up to `size` bytes: fewer only when the connection ends."""
        while len(self.buffer) < size and self._fill():
            pass
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    def _head(self) -> Response:
        head = self._until(b"\r\n\r\n")
        if head is None:
            raise ConnectionError(f"the connection ended with {bytes(self.buffer[:80])!r} instead of a head")
        lines = head.decode("latin-1").split("\r\n")
        version, status, reason = (lines[0] + "  ").split(" ", 2)
        pairs = (line.partition(":") for line in lines[1:])
        return Response(version, int(status), reason.strip(), [(k, v.strip()) for k, _, v in pairs])

    def _body(self, response: Response, method: str) -> None:
        if method == "HEAD" or response.status in BODILESS or response.status == 101:
            return
        length = response.get("content-length")
        if "chunked" in (response.get("transfer-encoding") or "").lower():
            self._chunks(response)
        elif length is not None:
            response.body = self._exactly(int(length))
            response.complete = len(response.body) == int(length)
        else:
            while self._fill():
                pass
            response.body = self._exactly(len(self.buffer))

    def _chunks(self, response: Response) -> None:
        body = bytearray()
        while (line := self._until(b"\r\n")) is not None:
            size = int(line.split(b";")[0], 16)
            if size == 0:
                while line := self._until(b"\r\n"):
                    name, _, value = line.decode("latin-1").partition(":")
                    response.trailers.append((name, value.strip()))
                break
            chunk = self._exactly(size + 2)
            body += chunk[:size]
        response.complete = line is not None
        response.body = bytes(body)


def until_close(client: Client, host: str) -> list[Response]:
    """Ask again and again, until an answer says that it is this connection's last; all the answers."""
    answers = [client.get(host)]
    while answers[-1].get("connection") != "close":
        answers.append(client.get(host))
    return answers
