"""Asking an endpoint whether it is there: one TCP connection, opened and closed; where it speaks TLS, with a handshake.

Never decides anything. The monitor asks; what it makes of the answer is in admission_times.py. A connection of its own for each look, for
whether one can be had is the question.
"""

from __future__ import annotations

import asyncio
import socket

from haystack.health import endpoint_tls
from haystack.health.endpoint_tls import Sealer, Unsealed
from haystack.health.failure_texts import trouble
from haystack.net import descriptors

TIMEOUT = 1.0  # seconds
PAUSE = 0.2  # seconds between two tries to get a descriptor

# By version: that the connection is Haystack's own (haystack.proxy_protocol; haproxy.org, proxy-protocol.txt)
GREETINGS = {0: b"", 1: b"PROXY UNKNOWN\r\n", 2: b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"}


async def accepts(
    address: str,
    port: int,
    timeout: float = TIMEOUT,  # noqa: ASYNC109 - it is what the caller decides
    sealer: Sealer | None = None,
    greeting: bytes = b"",
) -> str:
    """Empty when `address` (IPv4 or IPv6) takes a connection on TCP `port`; else what is the matter, to be put behind `port N`.

    sealer: it has to shake hands within TLS, too; greeting: what it is sent, if anything.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    seal = sealer() if sealer is not None else None
    if isinstance(seal, Unsealed):
        return seal.why
    try:
        sock = await own(family)
    except OSError as error:
        return trouble(error)
    with sock:
        try:
            async with asyncio.timeout(timeout):
                await asyncio.get_running_loop().sock_connect(sock, (address, port))
                if greeting:
                    await asyncio.get_running_loop().sock_sendall(sock, greeting)
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            return trouble(error)
        return await _shakes(sock, seal, timeout) if seal is not None else ""


async def _shakes(sock: socket.socket, seal: endpoint_tls.Seal, timeout: float) -> str:  # noqa: ASYNC109 - as above
    """The same of its handshake, on a connection that is made."""
    try:
        async with asyncio.timeout(timeout):
            transport, _ = await endpoint_tls.connect(sock, seal, asyncio.Protocol)
    except OSError as error:
        return endpoint_tls.told(error) or trouble(error)
    transport.abort()
    return ""


async def own(family: socket.AddressFamily) -> socket.socket:
    """A socket, as soon as this process can have one: that it has none says nothing of an endpoint. Raises OSError for other reasons."""
    while True:
        try:
            return socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            if error.errno not in descriptors.SHORTAGES:
                raise
        await asyncio.sleep(PAUSE)
