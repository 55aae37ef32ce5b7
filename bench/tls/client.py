"""One connection at a time within TLS: for what is proved before a figure is taken, and for those that stay open and quiet."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import h2.config
import h2.connection
import h2.events

from bench.tls.certificate import HOST
from bench.tls.h2load import H2Load

LIMIT = 120.0
Fields = tuple[tuple[str, ...], ...]
GRPC_FIELDS: Fields = (("content-type", "application/grpc"), ("te", "trailers"))


@dataclass
class Answer:
    """What has come on a stream of HTTP/2."""

    status: str = ""
    body: bytes = b""
    trailer: Fields = ()
    whole: bool = False


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

    def __init__(self, port: int, ca: Path, context: ssl.SSLContext | None = None, session: ssl.SSLSession | None = None) -> None:
        context = context or trusting(ca, *self.protocols)
        plain = socket.create_connection(("127.0.0.1", port), LIMIT)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else its request waits for the ACK of its handshake, 40 ms
        try:
            self.socket = context.wrap_socket(plain, server_hostname=HOST, session=session)
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
        self.answers: dict[int, Answer] = {}

    def get(self, path: str) -> bytes:
        """The body of a 200. Raises RuntimeError for any other answer."""
        return self.answer(self.ask("GET", path))

    def call(self, path: str, message: bytes) -> bytes:
        """What gRPC answers. Raises RuntimeError where its status is not 0."""
        return self.answer(self.ask("POST", path, GRPC_FIELDS, message), trailer=("grpc-status", "0"))

    def many(self, load: H2Load, streams: int) -> int:
        """So many requests at once, and all their answers: how many."""
        fields = tuple(tuple(line.split(": ", 1)) for line in load.headers)
        asked = [self.ask("POST" if load.body else "GET", load.path, fields, load.body) for _ in range(streams)]
        for stream in asked:
            self.answer(stream)
        return streams

    def ask(self, method: str, path: str, fields: Fields = (), body: bytes = b"") -> int:
        """One request, to go out with what is read next: its stream."""
        stream = int(self.codec.get_next_available_stream_id())
        pseudo = ((":method", method), (":scheme", "https"), (":authority", HOST), (":path", path))
        self.codec.send_headers(stream, [*pseudo, *((name.lower(), text) for name, text in fields)], end_stream=not body)
        if body:
            self.codec.send_data(stream, body, end_stream=True)
        self.answers[stream] = Answer()
        return stream

    def answer(self, stream: int, trailer: tuple[str, str] | None = None) -> bytes:
        """The body of its answer. Raises RuntimeError where that is not a 200 with this trailer."""
        while not self.answers[stream].whole:
            self.socket.sendall(self.codec.data_to_send())
            data = self.socket.recv(65536)
            if not data:
                raise RuntimeError("the server ended the connection")
            for event in self.codec.receive_data(data):
                self.note(event)
        self.socket.sendall(self.codec.data_to_send())
        found = self.answers.pop(stream)
        if found.status != "200" or (trailer and trailer not in found.trailer):
            raise RuntimeError(f"not an answer to measure: {found}")
        return found.body

    def note(self, event: h2.events.Event) -> None:
        """Something has come. Raises RuntimeError where it is the end of a stream before its time."""
        if isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
            raise RuntimeError(f"the server ended it: {event}")  # noqa: TRY004 - it is no wrong type
        if isinstance(event, h2.events.ResponseReceived):
            self.answers[event.stream_id].status = str({str(name): str(text) for name, text in event.headers}[":status"])
        elif isinstance(event, h2.events.DataReceived):
            self.answers[event.stream_id].body += event.data
            self.codec.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            self.answers[event.stream_id].trailer = tuple((str(name), str(text)) for name, text in event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            self.answers[event.stream_id].whole = True
