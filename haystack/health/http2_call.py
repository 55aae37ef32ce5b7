"""One HTTP/2 request on a connection of its own, and the whole answer (RFC 9113).

On h2 (sans-IO, kept up by python-hyper), for frames and HPACK by hand are where small clients go wrong, and grpcio brings threads and an
event loop of its own. Never decides anything, never makes a second request. grpc_check.py asks.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import H2Error

from haystack.health import sealed
from haystack.health.sealed import Seal
from haystack.health.tcp_check import own
from haystack.health.trouble import trouble

LONGEST = 65536  # bytes that are read before an answer is whole: less than what may come without a window's update
DIGITS = 3  # of a status
FRAME_HEAD, TYPE_AT, SETTINGS = 9, 3, 4  # what a server sends first is a frame of this type (RFC 9113, sections 3.4 and 4.1)

_CONFIG = H2Configuration(client_side=True, header_encoding=None)
_OTHERS = {  # how a server begins that speaks something else
    b"HTTP/1.": "speaks HTTP/1, not HTTP/2",
    b"\x15\x03": "speaks TLS, not HTTP/2 in cleartext",
}

Fields = dict[bytes, bytes]


class NotWholeError(OSError):
    """The answer ended before it was whole, or was none of HTTP/2; the text follows `port N`."""


@dataclass
class Answer:
    """fields: header fields, and trailers over them, by name; of several with one name the last."""

    fields: Fields = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)

    @property
    def status(self) -> int:
        """Of HTTP; 0: it is none."""
        return number(self.fields.get(b":status", b""))


def head(method: str, path: str, authority: str, *, within: bool = False) -> list[tuple[str, str]]:
    """Pseudo-header fields (RFC 9113, section 8.3.1), and who asks. within: TLS."""
    pseudo = (":method", method), (":scheme", "https" if within else "http"), (":path", path), (":authority", authority)
    return [*pseudo, ("user-agent", "haystack-health")]


async def call(
    address: str,
    port: int,
    head: Iterable[tuple[str, str]],
    body: bytes,
    timeout: float,  # noqa: ASYNC109 - the caller decides
    seal: Seal | None = None,
    greeting: bytes = b"",
) -> Answer | str:
    """The answer, or what is the matter, in words that follow `port N`.

    head: with the pseudo-header fields; timeout: seconds; seal: it is asked within TLS; greeting: what comes before all.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()
    transport: asyncio.Transport | None = None
    sock: socket.socket | None = None
    try:
        sock = await own(socket.AF_INET6 if ":" in address else socket.AF_INET)
        async with asyncio.timeout(timeout):
            await loop.sock_connect(sock, (address, port))
            if greeting:
                await loop.sock_sendall(sock, greeting)
            transport = await _begin(sock, _Caller(head, body, answer), seal)
            return await answer
    except NotWholeError as error:
        return str(error)
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        told = sealed.told(error) if seal is not None and transport is None and isinstance(error, OSError) else None
        return told or trouble(error)
    finally:
        if answer.done() and not answer.cancelled():
            answer.exception()  # it is known, whoever waits for it
        if transport is not None:
            transport.abort()
        elif sock is not None:
            sock.close()


async def _begin(sock: socket.socket, caller: _Caller, seal: Seal | None) -> asyncio.Transport:
    """Send the request. Raises OSError."""
    if seal is not None:
        return (await sealed.connect(sock, seal, lambda: caller))[0]
    return (await asyncio.get_running_loop().create_connection(lambda: caller, sock=sock))[0]


class _Caller(asyncio.Protocol):
    """Sends the request, and reads until its stream has ended."""

    def __init__(self, head: Iterable[tuple[str, str]], body: bytes, answer: asyncio.Future[Answer]) -> None:
        self._head, self._body = head, body
        self._answer = answer
        self._found = Answer()
        self._read = bytearray()  # the first bytes
        self._size = 0
        self._http = H2Connection(_CONFIG)
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's transports are of no class of asyncio's
        self._http.initiate_connection()
        self._http.send_headers(1, list(self._head), end_stream=not self._body)
        if self._body:
            self._http.send_data(1, self._body, end_stream=True)
        self._transport.write(self._http.data_to_send())

    def data_received(self, data: bytes) -> None:
        if self._answer.done() or self._transport is None:
            return
        self._size += len(data)
        if len(self._read) < FRAME_HEAD:
            self._read += data[:FRAME_HEAD]
            if len(self._read) >= FRAME_HEAD and self._read[TYPE_AT] != SETTINGS:
                self._fail(self._other())
                return
        try:
            events = self._http.receive_data(data)
        except (H2Error, ValueError):  # h2 passes on some of what hpack and hyperframe raise
            self._fail(self._other())
            return
        for event in events:
            self._take(event)
        self._transport.write(self._http.data_to_send())
        if self._size > LONGEST:
            self._fail("answers with too much")

    def _take(self, event: Event) -> None:
        match event:
            case ResponseReceived() | TrailersReceived():
                self._found.fields |= cast("Iterable[tuple[bytes, bytes]]", event.headers or ())
            case DataReceived():
                self._found.body += event.data or b""
            case StreamEnded():
                self._tell()
            case StreamReset() | ConnectionTerminated():
                self._fail(f"breaks off ({_code(event.error_code)})")

    def _other(self) -> str:
        """What is spoken here instead of HTTP/2."""
        return next((words for start, words in _OTHERS.items() if self._read.startswith(start)), "does not speak HTTP/2")

    def connection_lost(self, _exc: Exception | None) -> None:
        if len(self._read) < FRAME_HEAD:
            self._fail(self._other() if self._read else "closes the connection at once: no HTTP/2 here?")
        self._fail("breaks off")

    def _tell(self) -> None:
        if not self._answer.done():
            self._answer.set_result(self._found)

    def _fail(self, why: str) -> None:
        if not self._answer.done():
            self._answer.set_exception(NotWholeError(why))


def number(text: bytes) -> int:
    """A status or code of at most three digits; 0: it is none."""
    return int(text) if text.isdigit() and len(text) <= DIGITS else 0


def _code(code: ErrorCodes | int | None) -> str:
    """An error code by its name (RFC 9113, section 7)."""
    try:
        return ErrorCodes(code or 0).name
    except ValueError:
        return str(code)
