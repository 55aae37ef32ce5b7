"""One HTTP request on a connection of its own, for the status alone.

A plain asyncio protocol: a probe needs one line of an answer, no pool, no redirects and no body, and thousands of them are to cost
little. Never decides anything. The prober asks.
"""

from __future__ import annotations

import asyncio
import re
import socket
from typing import cast

from haystack.health import endpoint_tls
from haystack.health.endpoint_tls import Seal, Sealer, Unsealed
from haystack.health.failure_texts import trouble
from haystack.health.tcp_check import own

LONGEST = 65536  # bytes before a final status
_STATUS = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9][0-9])(?:[ \r\n])")


async def ask(
    address: str,
    port: int,
    request: bytes,
    timeout: float,  # noqa: ASYNC109 - the caller decides
    sealer: Sealer | None = None,
    greeting: bytes = b"",
) -> tuple[int, str]:
    """Status, or 0 and what is the matter, in words that follow `port N`. sealer: asked within TLS; greeting: what comes before all."""
    loop = asyncio.get_running_loop()
    status: asyncio.Future[int] = loop.create_future()
    transport: asyncio.Transport | None = None
    sock: socket.socket | None = None
    seal = sealer() if sealer is not None else None
    if isinstance(seal, Unsealed):
        return 0, seal.why
    try:
        sock = await own(socket.AF_INET6 if ":" in address else socket.AF_INET)
        async with asyncio.timeout(timeout):
            await loop.sock_connect(sock, (address, port))
            if greeting:
                await loop.sock_sendall(sock, greeting)
            transport = await _begin(sock, _Asker(request, status), seal)
            found = await status
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        told = endpoint_tls.told(error) if seal is not None and transport is None and isinstance(error, OSError) else None
        return 0, told or trouble(error)
    finally:
        if transport is not None:
            transport.abort()
        elif sock is not None:
            sock.close()
    return (found, "") if found else (0, "does not speak HTTP")


async def _begin(sock: socket.socket, asker: _Asker, seal: Seal | None) -> asyncio.Transport:
    """Send the request. Raises OSError."""
    if seal is not None:
        return (await endpoint_tls.connect(sock, seal, lambda: asker))[0]
    return (await asyncio.get_running_loop().create_connection(lambda: asker, sock=sock))[0]


class _Asker(asyncio.Protocol):
    """Sends the request, and reads until the first status that is final; 0 where none comes."""

    def __init__(self, request: bytes, status: asyncio.Future[int]) -> None:
        self._request = request
        self._status = status
        self._read = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.WriteTransport", transport).write(self._request)  # uvloop's transports are of no class of asyncio's

    def data_received(self, data: bytes) -> None:
        self._read += data
        while b"\n" in self._read:
            match = _STATUS.match(self._read)
            status = int(match[1]) if match else 0
            if status >= 200 or not match:  # noqa: PLR2004 - 1xx come before the answer (RFC 9110, section 15.2)
                self._tell(status)
                return
            _, end, rest = self._read.partition(b"\r\n\r\n")
            if not end:
                break
            self._read = rest
        if len(self._read) > LONGEST:
            self._tell(0)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._status.done():
            if exc is not None:
                self._status.set_exception(exc)
            else:
                self._status.set_result(0)

    def _tell(self, status: int) -> None:
        if not self._status.done():
            self._status.set_result(status)
