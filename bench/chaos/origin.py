"""The origin of the chaos rounds. It runs in a container as `python3 -c`, so it needs nothing but the standard library.

It writes the id of every POST that it has read whole into /processed, before it answers: an id that is there twice was sent
twice. Told to stop (SIGTERM) it goes on for GRACE seconds, ends every connection with its next answer, finishes what it
has and exits. PUT /manner/NAME, asked at its own address, turns it: good, failing (500), sick (500, and its health check
says so too), silent (accepts and never answers), resetting. With CERTIFICATE set (PEM: chain and key) it serves port 443 within TLS too.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import struct
import sys
import zlib
from contextlib import suppress
from pathlib import Path

GRACE = 0.5
LIMIT = 9.0
WORK = 0.002  # seconds that one request takes
SICK = Path("/sick")


class Origin:
    """What all connections share."""

    def __init__(self) -> None:
        self.name = os.uname().nodename.encode()
        self.manner = "good"
        self.log = os.open("/processed", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.stopping = False
        self.busy: set[Connection] = set()
        self.idle: set[Connection] = set()

    def turn(self, manner: str) -> None:
        """Behave like that from now on."""
        self.manner = manner
        if manner == "sick":
            SICK.touch()
        else:
            SICK.unlink(missing_ok=True)

    async def run(self, port: int) -> None:
        """Serve until told to stop."""
        loop = asyncio.get_running_loop()
        told = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, told.set)
        servers = [await loop.create_server(lambda: Connection(self), "0.0.0.0", port, backlog=1024)]
        if pem := os.environ.get("CERTIFICATE"):
            servers.append(await loop.create_server(lambda: Connection(self), "0.0.0.0", 443, backlog=1024, ssl=context_of(pem)))
        await told.wait()
        self.stopping = True
        await asyncio.sleep(GRACE)
        for server in servers:
            server.close()
        for connection in tuple(self.idle):
            connection.transport.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(LIMIT):
                while self.busy:  # noqa: ASYNC110 - it is about to exit
                    await asyncio.sleep(0.01)


class Connection(asyncio.Protocol):
    """One connection: a request at a time, none pipelined."""

    transport: asyncio.Transport

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.buffer = bytearray()
        self.last = False  # the client wants one more answer at most

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client."""
        self.transport = transport  # type: ignore[assignment]
        # within TLS its first request is on the way, and has cost a handshake: it is waited for
        (self.origin.busy if transport.get_extra_info("ssl_object") else self.origin.idle).add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """The client is gone."""
        self.origin.idle.discard(self)
        self.origin.busy.discard(self)

    def data_received(self, data: bytes) -> None:
        """A request, or a part of one."""
        self.buffer += data
        self.origin.idle.discard(self)
        self.origin.busy.add(self)
        end = self.buffer.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        lines = bytes(self.buffer[: end - 4]).split(b"\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
        size = int(fields.get(b"content-length", b"0"))
        self.last = fields.get(b"connection", b"").lower() == b"close"
        if len(self.buffer) >= end + size:
            body = bytes(self.buffer[end : end + size])
            del self.buffer[: end + size]
            self.request(lines[0], fields.get(b"x-request-id", b"-"), body)

    def request(self, line: bytes, name: bytes, body: bytes) -> None:
        """A whole request."""
        method, target, _ = line.split(b" ")
        if method == b"PUT":
            self.origin.turn(target.rpartition(b"/")[2].decode())
            self.answer(b"204 No Content", b"")
            return
        manner = self.origin.manner
        if method == b"POST":
            os.write(self.origin.log, name + b"\n")
        if manner == "resetting":
            self.reset()
        elif manner != "silent":
            status = b"200 OK" if manner == "good" else b"500 Internal Server Error"
            sums = b" %d %d" % (len(body), zlib.crc32(body)) if method == b"POST" else b""
            text = b"%b %b%b\n" % (self.origin.name, name, sums)
            asyncio.get_running_loop().call_later(WORK, self.answer, status, text)

    def answer(self, status: bytes, text: bytes) -> None:
        """Send the answer; the last of this connection where the origin is about to stop."""
        closing = b"Connection: close\r\n" if self.origin.stopping or self.last else b""
        length = b"" if status.startswith(b"204") else b"Content-Length: %d\r\n" % len(text)
        self.transport.write(b"HTTP/1.1 %b\r\n%b%b\r\n%b" % (status, length, closing, text))
        self.origin.busy.discard(self)
        if closing:
            self.transport.close()
        elif not self.transport.is_closing():
            self.origin.idle.add(self)

    def reset(self) -> None:
        """End with RST."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def context_of(pem: str) -> ssl.SSLContext:
    """Of a server that shows this certificate."""
    path = Path("/certificate.pem")
    path.write_text(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


if __name__ == "__main__":
    asyncio.run(Origin().run(int(sys.argv[1])))
