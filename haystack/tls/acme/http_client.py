"""HTTPS for asking a certificate authority: asyncio's streams and TLS, llhttp to read what comes back.

Some requests a day to one host need no more, and both are there already: an HTTP library would be several packages for what is one page
here. The authority's certificate and name are always verified. Each request is bounded in time, each answer in size. Never does: follow a
redirect, keep a cookie, use a proxy, ask over plain HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httptools

from haystack.net.certificate_rules import usual
from haystack.tls.acme.errors import UnreachableError

SECONDS = 30.0  # for one request: authorities answer within some
MOST = 1 << 20  # bytes of an answer: a chain of certificates has some KiB
READ = 65536
HTTPS = 443


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. headers: by their names in lower case; fields of the same name are joined by commas."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Reader:
    """llhttp's callbacks."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.ended = self.begun = False
        self.parser = httptools.HttpResponseParser(self)
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Raises UnreachableError where this is no answer, or too long a one."""
        self._size += len(data)
        if self._size > MOST:
            raise UnreachableError("its answer is too long")
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise UnreachableError(f"its answer is not HTTP: {error}") from None

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field."""
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self.begun = True

    def on_body(self, data: bytes) -> None:
        """Part of its body."""
        self.body += data

    def on_message_complete(self) -> None:
        """All of it is there, but for that of an interim answer (RFC 9110, section 15.2)."""
        if self.parser.get_status_code() >= 200:  # noqa: PLR2004 - the first final one
            self.ended = True
        else:
            self.headers.clear()
            self.begun = False

    def end(self) -> None:
        """The other side has closed: a body without a length ends so (RFC 9112, section 6.3)."""
        if not self.begun or {"content-length", "transfer-encoding"} & self.headers.keys():
            raise UnreachableError("it closed the connection before it had answered")
        self.ended = True


def trusting(ca: Path | None) -> ssl.SSLContext:
    """By what the authority's certificate is verified: this file alone, else what the system trusts. Blocks. Raises OSError, SSLError."""
    context = usual(ssl.create_default_context(cafile=str(ca) if ca is not None else None))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class HttpClient:
    """Requests over TLS, each on a connection of its own, several at once.

    context: gives what the other side is verified by; agent: what we are called; seconds: for one request.
    """

    def __init__(self, context: Callable[[], Awaitable[ssl.SSLContext]], agent: str, seconds: float = SECONDS) -> None:
        self._context = context
        self._agent = agent
        self._seconds = seconds

    async def request(self, method: str, url: str, body: bytes = b"", kind: str = "") -> Answer:
        """Ask, and have the answer, whatever its status. kind: of the body. Raises UnreachableError."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or HTTPS
            host.encode("idna")
        except ValueError as error:
            raise UnreachableError(f"{url!r} is no URL: {error}") from None
        if parts.scheme != "https" or not host:
            raise UnreachableError(f"{url!r} is not an https URL")
        try:
            async with asyncio.timeout(self._seconds):
                return await self._exchange(host, port, self._head(method, url, body, kind) + body)
        except TimeoutError:
            raise UnreachableError(f"{parts.netloc} has not answered within {self._seconds:g} s") from None
        except ssl.SSLCertVerificationError as error:
            raise UnreachableError(f"the certificate of {parts.netloc} can't be trusted: {error.verify_message}") from None
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError) as error:
            raise UnreachableError(f"{parts.netloc} can't be reached: {getattr(error, 'strerror', None) or error}") from None

    def _head(self, method: str, url: str, body: bytes, kind: str) -> bytes:
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", f"User-Agent: {self._agent}", "Accept-Language: en"]
        lines += ["Connection: close"]  # an order has pauses in it that are longer than authorities keep a connection
        if body:
            lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
        text = "\r\n".join([*lines, "", ""])
        if not text.isascii() or text.count("\r\n") != len(lines) + 1 or " " in target:
            raise UnreachableError("it gives a URL that is none")
        return text.encode()

    async def _exchange(self, host: str, port: int, request: bytes) -> Answer:
        context = await self._context()
        stream, out = await asyncio.open_connection(host, port, ssl=context, server_hostname=host, limit=READ)
        read = _Reader()
        try:
            out.write(request)
            await out.drain()
            while not read.ended:
                data = await stream.read(READ)
                if data:
                    read.feed(data)
                else:
                    read.end()
            return Answer(read.parser.get_status_code(), read.headers, bytes(read.body))
        finally:
            out.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                out.transport.abort()
