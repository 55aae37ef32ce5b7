"""One connection at a time within TLS: for what is proved before a figure is taken, and for those that stay open and quiet."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Self

import h2.config
import h2.connection
import h2.events

from bench.tls.certificate import HOST

LIMIT = 10.0


def trusting(ca: Path, *protocols: str) -> ssl.SSLContext:
    """A context for TLS 1.3 that verifies by this CA, and offers these protocols (ALPN)."""
    context = ssl.create_default_context(cafile=str(ca))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # trustme's have no key identifiers
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


class Client:
    """One connection of HTTP/1.1. context: where there is one already, for a session belongs to one."""

    protocols = ("http/1.1",)

    def __init__(self, port: int, ca: Path, context: ssl.SSLContext | None = None) -> None:
        context = context or trusting(ca, *self.protocols)
        plain = socket.create_connection(("127.0.0.1", port), LIMIT)
        try:
            self.socket = context.wrap_socket(plain, server_hostname=HOST)
        except BaseException:
            plain.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def get(self, path: str) -> bytes:
        """The body of a 200 that keeps the connection. Raises RuntimeError for any other answer."""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        with self.socket.makefile("rb") as stream:
            head = b"".join(iter(stream.readline, b"\r\n"))
            fields = {k.lower(): v.strip() for k, _, v in (line.partition(b":") for line in head.split(b"\r\n")[1:])}
            if not head.startswith(b"HTTP/1.1 200") or fields.get(b"connection", b"").lower() == b"close":
                raise RuntimeError(f"not an answer that keeps the connection: {head!r}")
            return stream.read(int(fields[b"content-length"]))


class H2Client(Client):
    """One connection of HTTP/2. Raises RuntimeError where the server does not choose it: nothing else is measured by mistake."""

    protocols = ("h2",)

    def __init__(self, port: int, ca: Path) -> None:
        try:
            super().__init__(port, ca)
        except ssl.SSLError as error:
            raise RuntimeError(f"no HTTP/2: offered h2 alone (ALPN), and the handshake ended with {error.reason or error}") from error
        if self.socket.selected_alpn_protocol() != "h2":
            chosen = self.socket.selected_alpn_protocol()
            self.socket.close()
            raise RuntimeError(f"no HTTP/2: of h2 (ALPN) the server chose {chosen}")
        self.codec = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.codec.initiate_connection()

    def get(self, path: str) -> bytes:
        """The body of a 200. Raises RuntimeError for any other answer."""
        return self.ask([(":method", "GET"), (":path", path)])

    def call(self, path: str, message: bytes) -> bytes:
        """What gRPC answers. Raises RuntimeError where its status is not 0."""
        fields = [(":method", "POST"), (":path", path), ("content-type", "application/grpc"), ("te", "trailers")]
        return self.ask(fields, message, trailer=("grpc-status", "0"))

    def ask(self, fields: list[tuple[str, str]], body: bytes = b"", trailer: tuple[str, str] | None = None) -> bytes:
        """The body of the answer to one request."""
        stream = self.codec.get_next_available_stream_id()
        pseudo, rest = fields[:2], fields[2:]
        self.codec.send_headers(stream, [*pseudo, (":scheme", "https"), (":authority", HOST), *rest], end_stream=not body)
        if body:
            self.codec.send_data(stream, body, end_stream=True)
        found, status, last = b"", "", None
        for event in self._events(stream):
            if isinstance(event, h2.events.ResponseReceived):
                status = dict(event.headers)[":status"]
            elif isinstance(event, h2.events.TrailersReceived):
                last = event.headers
            elif isinstance(event, h2.events.DataReceived):
                found += event.data
                self.codec.acknowledge_received_data(event.flow_controlled_length, stream)
        if status != "200" or (trailer and trailer not in (last or ())):
            raise RuntimeError(f"not an answer to measure: status {status}, trailers {last}, {found[:100]!r}")
        return found

    def _events(self, stream: int):  # noqa: ANN202 - events of h2 have no common type
        """What comes, to the end of that stream."""
        while True:
            self.socket.sendall(self.codec.data_to_send())
            data = self.socket.recv(65536)
            if not data:
                raise RuntimeError("the server ended the connection")
            for event in self.codec.receive_data(data):
                if isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                    raise RuntimeError(f"the server ended it: {event}")
                if isinstance(event, h2.events.StreamEnded) and event.stream_id == stream:
                    self.socket.sendall(self.codec.data_to_send())
                    return
                yield event
