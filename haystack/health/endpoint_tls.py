"""How the control process speaks to endpoints within TLS, and what is the matter where it can't, in words that follow `port N`.

Never decides whom to trust: tls/trust.py makes the contexts.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from haystack.health.failure_texts import Answered

H2 = "h2"
Protocol = TypeVar("Protocol", bound=asyncio.BaseProtocol)


class Seal(NamedTuple):
    """context: verifies as the labels of the container ask for; name: what it asks for, and verifies."""

    context: ssl.SSLContext
    name: str
    protocol: str


class Unsealed(NamedTuple):
    """Why nothing can be asked within TLS now. pending: it will be soon."""

    why: str
    pending: bool = False


Sealer = Callable[[], Seal | Unsealed]


def unsealed(_endpoint: object) -> Unsealed:
    """Nobody knows whom to trust."""
    return Unsealed("nobody says which certificates count")


async def connect(sock: socket.socket, seal: Seal, made: Callable[[], Protocol]) -> tuple[asyncio.Transport, Protocol]:
    """A connection within TLS on a socket that is connected, which is the transport's from here on. Raises OSError."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(made, sock=sock, ssl=seal.context, server_hostname=seal.name)
    chosen = transport.get_extra_info("ssl_object").selected_alpn_protocol()
    if seal.protocol == H2 and chosen != H2:
        transport.abort()
        raise ssl.SSLError(1, "it does not choose h2 by ALPN")
    return transport, protocol


def told(error: OSError) -> Answered | None:
    """What is the matter with the endpoint's TLS; None: it is something else."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Answered(f"has a certificate that is not accepted: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        reason: str | None = getattr(error, "reason", None)  # only those of OpenSSL have one
        why = reason.lower().replace("_", " ") if reason else error.strerror
        return Answered(f"does not speak TLS as it should: {why}")
    return Answered("broke off the TLS handshake") if isinstance(error, ConnectionError) else None
