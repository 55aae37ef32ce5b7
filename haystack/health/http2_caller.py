"""A client's side of one HTTP/2 connection with one request (RFC 9113).

On h2 (sans-IO, kept up by python-hyper), for frames and HPACK by hand are where small clients go wrong, and grpcio brings threads and an
event loop of its own. http2_call.py loads it when somebody is asked so first: most Haystacks need none of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
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

from haystack.health.http2_call import Answer, NotWholeError

LONGEST = 65536  # bytes that are read before an answer is whole: less than what may come without a window's update
FRAME_HEAD, TYPE_AT, SETTINGS = 9, 3, 4  # what a server sends first is a frame of this type (RFC 9113, sections 3.4 and 4.1)

_CONFIG = H2Configuration(client_side=True, header_encoding=None)
_OTHERS = {  # how a server begins that speaks something else
    b"HTTP/1.": "speaks HTTP/1, not HTTP/2",
    b"\x15\x03": "speaks TLS, not HTTP/2 in cleartext",
}


class Caller(asyncio.Protocol):
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
        """Send the request."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's transports are of no class of asyncio's
        self._http.initiate_connection()
        self._http.send_headers(1, list(self._head), end_stream=not self._body)
        if self._body:
            self._http.send_data(1, self._body, end_stream=True)
        self._transport.write(self._http.data_to_send())

    def data_received(self, data: bytes) -> None:
        """Take in what the server says."""
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
        """The protocol that the endpoint speaks instead of HTTP/2, for people."""
        return next((words for start, words in _OTHERS.items() if self._read.startswith(start)), "does not speak HTTP/2")

    def connection_lost(self, _exc: Exception | None) -> None:
        """It has ended; before the answer was whole, perhaps."""
        if len(self._read) < FRAME_HEAD:
            self._fail(self._other() if self._read else "closes the connection at once: no HTTP/2 here?")
        self._fail("breaks off")

    def _tell(self) -> None:
        if not self._answer.done():
            self._answer.set_result(self._found)

    def _fail(self, why: str) -> None:
        if not self._answer.done():
            self._answer.set_exception(NotWholeError(why))


def _code(code: ErrorCodes | int | None) -> str:
    """An error code by its name (RFC 9113, section 7)."""
    try:
        return ErrorCodes(code or 0).name
    except ValueError:
        return str(code)
