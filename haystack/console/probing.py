"""One request through Haystack's own proxy, for `probe`: sent to a listener of this Haystack and to nothing else, whatever the URL says.

So it reaches what any client of that listener reaches: the services that Haystack serves. Never follows a redirect.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from time import perf_counter
from urllib.parse import quote, urlsplit

from haystack import __version__
from haystack.routing.rows import LISTENERS
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


@dataclass
class Answer:
    """What came back. Times in seconds since the request began; 0.0: it did not come to that. error: why not."""

    status: int = 0
    reason: str = ""
    fields: Sequence[tuple[str, str]] = ()
    octets: int = 0
    whole: bool = False
    connected: float = 0.0
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


def listener(state: State, asked: Asked) -> tuple[str, int, str]:
    """Address, port and name of the listener of this Haystack that is asked: the one on the URL's port, else the first."""
    ports = state.proxy.ports
    name = next((name for name in LISTENERS if asked.port is not None and ports.get(name) == asked.port), LISTENERS[0])
    address = next(iter(state.settings.bind), "127.0.0.1")
    if ip_address(address).is_unspecified:
        address = "::1" if ":" in address else "127.0.0.1"
    return address, ports.get(name, 0), name


def identity() -> str:
    """The request's id, by which its trace is found."""
    return f"probe-{secrets.token_hex(8)}"


async def ask(address: str, port: int, target: Target, identity: str) -> Answer:
    """Send it, and read what comes. Says in the answer what went wrong."""
    answer, began = Answer(), perf_counter()
    try:
        async with asyncio.timeout(SECONDS):
            await _exchange(answer, began, (address, port), target, identity)
    except TimeoutError:
        answer.error = answer.error or f"no whole answer within {SECONDS:.0f} s"
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        answer.error = getattr(error, "strerror", None) or str(error)
    answer.total = perf_counter() - began
    return answer


async def _exchange(answer: Answer, began: float, where: tuple[str, int], target: Target, identity: str) -> None:
    reader, writer = await asyncio.open_connection(*where, limit=HEAD)
    try:
        answer.connected = perf_counter() - began
        head = (
            f"GET {target.target} HTTP/1.1", f"Host: {target.host}", f"User-Agent: haystack-probe/{__version__}", "Accept: */*",
            f"X-Request-Id: {identity}", "Connection: close", "", "",
        )  # fmt: skip
        writer.write("\r\n".join(head).encode("ascii"))
        await _head(answer, began, reader)
        await _body(answer, reader)
    finally:
        writer.close()


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
