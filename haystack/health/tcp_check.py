"""Asking an endpoint whether it is there: one TCP connection, opened and closed.

Never decides anything. The monitor asks; what it makes of the answer is in admission_times.py. A connection of its own for each look, for
whether one can be had is the question.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket

from haystack.net import descriptors

TIMEOUT = 1.0  # seconds
REFUSED = "does not accept"  # somebody is at the address, and nobody at the port
PAUSE = 0.2  # seconds between two tries to get a descriptor

# By version: that the connection is Haystack's own (haystack.proxy_protocol; haproxy.org, proxy-protocol.txt)
GREETINGS = {0: b"", 1: b"PROXY UNKNOWN\r\n", 2: b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"}
_GONE = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED})


async def accepts(address: str, port: int, timeout: float = TIMEOUT, greeting: bytes = b"") -> str:  # noqa: ASYNC109 - the caller decides
    """Empty when `address` (IPv4 or IPv6) takes a connection on TCP `port`; else what is the matter, to be put behind `port N`.

    greeting: what it is sent, if anything.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
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


def trouble(error: Exception) -> str:
    """What went wrong, in words that follow `port N` or an endpoint's name."""
    if isinstance(error, TimeoutError):
        return "does not answer"
    number = getattr(error, "errno", None)
    if number in _GONE:
        return REFUSED
    return f"can't be reached ({os.strerror(number) if number else error})"
