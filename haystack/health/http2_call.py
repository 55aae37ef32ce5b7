"""One HTTP/2 request on a connection of its own, and the whole answer (RFC 9113).

Never decides anything, never makes a second request. grpc_check.py and asking.py ask. What speaks on the connection is http2_caller.py,
which is loaded when somebody is asked so first.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field

from haystack.health import endpoint_tls
from haystack.health.endpoint_tls import Seal
from haystack.health.failure_texts import trouble
from haystack.health.tcp_check import own
from haystack.loop import on_demand

DIGITS = 3  # of a status

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
    try:
        spoken = await on_demand.module("haystack.health.http2_caller")
    except (ImportError, RuntimeError, OSError) as error:  # no descriptor, no thread
        return f"can't be asked: {error}"
    answer: asyncio.Future[Answer] = loop.create_future()
    transport: asyncio.Transport | None = None
    sock: socket.socket | None = None
    try:
        sock = await own(socket.AF_INET6 if ":" in address else socket.AF_INET)
        async with asyncio.timeout(timeout):
            await loop.sock_connect(sock, (address, port))
            if greeting:
                await loop.sock_sendall(sock, greeting)
            transport = await _begin(sock, spoken.Caller(head, body, answer), seal)
            return await answer
    except NotWholeError as error:
        return str(error)
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        told = endpoint_tls.told(error) if seal is not None and transport is None and isinstance(error, OSError) else None
        return told or trouble(error)
    finally:
        if answer.done() and not answer.cancelled():
            answer.exception()  # it is known, whoever waits for it
        if transport is not None:
            transport.abort()
        elif sock is not None:
            sock.close()


async def _begin(sock: socket.socket, caller: asyncio.Protocol, seal: Seal | None) -> asyncio.Transport:
    """Send the request. Raises OSError."""
    if seal is not None:
        return (await endpoint_tls.connect(sock, seal, lambda: caller))[0]
    return (await asyncio.get_running_loop().create_connection(lambda: caller, sock=sock))[0]


def number(text: bytes) -> int:
    """A status or code of at most three digits; 0: it is none."""
    return int(text) if text.isdigit() and len(text) <= DIGITS else 0
