"""One request through Haystack's own proxy, for `probe`: sent to a listener of this Haystack and to nothing else, whatever the URL says.

So it reaches what any client of that listener reaches: the services that Haystack serves. Never follows a redirect.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from time import perf_counter
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from haystack import __version__
from haystack.routing.rows import HTTPS
from haystack.tls import certificates
from haystack.tls.certificate import Certificate
from haystack.views import explanation
from haystack.views.explanation import Asked
from haystack.views.state import State

SECONDS = 120.0  # for the whole of it: longer than any time limit of the proxy's usual ones
BODY_SECONDS, BODY = 10.0, 1 << 20  # of a body are read at most: one may never end
HEAD = 65536  # octets
SAFE = "/%:@!$&'()*+,;=~?-._"  # of a target, beside letters and digits (RFC 3986)
_HOST = re.compile(r"[a-z0-9._:-]+")
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: ([^\r\n]*))?")


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for. asked: as `explain` has it."""

    asked: Asked
    target: str

    @property
    def host(self) -> str:
        """The value of Host."""
        name = f"[{self.asked.host}]" if ":" in self.asked.host else self.asked.host
        return f"{name}:{self.asked.port}" if self.asked.port is not None else name


class Door(NamedTuple):
    """The listener that is asked: where it is, and its name."""

    address: str
    port: int
    name: str

    @property
    def sealed(self) -> bool:
        """Whether requests come to it within TLS."""
        return self.name == HTTPS


@dataclass
class Answer:
    """What came back. Times in seconds since the request began; 0.0: it did not come to that. error: why not.

    sealed: when the handshake of TLS was over; version: of TLS; certificate: that was shown, None: none, or it can't be read.
    """

    status: int = 0
    reason: str = ""
    fields: Sequence[tuple[str, str]] = ()
    octets: int = 0
    whole: bool = False
    connected: float = 0.0
    sealed: float = 0.0
    version: str = ""
    certificate: Certificate | None = None
    first: float = 0.0
    total: float = 0.0
    error: str = ""

    def field(self, name: str) -> str:
        """The values of a field (name in lower case) with commas between; empty: there is none."""
        return ", ".join(value for each, value in self.fields if each == name)


def read(url: str) -> Target:
    """A URL, or a host name with a path. Raises ValueError."""
    asked = explanation.read(url)
    try:
        host = asked.host if asked.host.isascii() else asked.host.encode("idna").decode()
    except UnicodeError:
        raise ValueError("no host name in it") from None
    if not _HOST.fullmatch(host):
        raise ValueError("no host name in it")
    parts = urlsplit(url if "://" in url else f"http://{url}")
    target = quote(parts.path or "/", SAFE) + (f"?{quote(parts.query, SAFE)}" if parts.query else "")
    return Target(asked._replace(host=host), target)


def door(state: State, asked: Asked) -> Door:
    """The listener of this Haystack that a client with this URL comes to: for https:// that of HTTPS, where there is one."""
    port, name = explanation.listener(state, asked.port, tls=asked.tls)
    address = next(iter(state.settings.bind), "127.0.0.1")
    if ip_address(address).is_unspecified:
        address = "::1" if ":" in address else "127.0.0.1"
    return Door(address, port, name)


def identity() -> str:
    """The request's id, by which its trace is found."""
    return f"probe-{secrets.token_hex(8)}"


async def ask(door: Door, target: Target, identity: str) -> Answer:
    """Send it, and read what comes. Says in the answer what went wrong."""
    answer, began = Answer(), perf_counter()
    try:
        async with asyncio.timeout(SECONDS):
            await _exchange(answer, began, door, target, identity)
    except TimeoutError:
        answer.error = answer.error or f"no whole answer within {SECONDS:.0f} s"
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        answer.error = _why(error)
    answer.total = perf_counter() - began
    return answer


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"TLS: {error.reason.lower().replace('_', ' ')}"
    return getattr(error, "strerror", None) or str(error) or "the connection was closed"


async def _exchange(answer: Answer, began: float, door: Door, target: Target, identity: str) -> None:
    sock = await _connected(door)
    answer.connected = perf_counter() - began
    try:
        reader, writer = await _opened(sock, target.asked.host if door.sealed else None)
    except BaseException:
        sock.close()
        raise
    try:
        if door.sealed:
            answer.sealed = perf_counter() - began
            _look(answer, writer.get_extra_info("ssl_object"))
        head = (
            f"GET {target.target} HTTP/1.1", f"Host: {target.host}", f"User-Agent: haystack-probe/{__version__}", "Accept: */*",
            f"X-Request-Id: {identity}", "Connection: close", "", "",
        )  # fmt: skip
        writer.write("\r\n".join(head).encode("ascii"))
        await _head(answer, began, reader)
        await _body(answer, reader)
    finally:
        writer.close()


async def _connected(door: Door) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in door.address else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (door.address, door.port))
    except BaseException:
        sock.close()
        raise
    return sock


async def _opened(sock: socket.socket, host: str | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """host: whose certificate is asked for; None: without TLS. Any will do: it is this Haystack that is asked, and what it has is told."""
    if host is None:
        return await asyncio.open_connection(sock=sock, limit=HEAD)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return await asyncio.open_connection(sock=sock, limit=HEAD, ssl=context, server_hostname=host)


def _look(answer: Answer, sealed: ssl.SSLObject) -> None:
    """Which TLS it is, and whose certificate."""
    answer.version = sealed.version() or ""
    try:
        answer.certificate = certificates.shown(sealed.getpeercert(binary_form=True) or b"")
    except certificates.CertificateError:
        answer.certificate = None


async def _head(answer: Answer, began: float, reader: asyncio.StreamReader) -> None:
    """The answer's head, behind those of 1xx. Raises ValueError: it is none."""
    while answer.status < 200:  # noqa: PLR2004 - RFC 9110, section 15.2
        lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        answer.first = answer.first or perf_counter() - began
        if (match := _STATUS.match(lines[0])) is None:
            raise ValueError("the answer is no HTTP")
        answer.status, answer.reason = int(match[1]), (match[2] or b"").decode("latin-1")
        pairs = (line.decode("latin-1").partition(":") for line in lines[1:])
        answer.fields = [(name.lower(), value.strip()) for name, _, value in pairs]
        if answer.status == 101:  # noqa: PLR2004 - nobody asked for another protocol
            return


async def _body(answer: Answer, reader: asyncio.StreamReader) -> None:
    """What follows, to its end or as much of it as is enough."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while answer.octets < BODY:
                data = await reader.read(HEAD)
                answer.octets += len(data)
                if not data:
                    answer.whole = True
                    return
    except TimeoutError:
        return
