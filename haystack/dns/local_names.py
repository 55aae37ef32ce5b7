"""What the zone says of a name that a nameserver's CNAME leads to, as the client who asks would be told it.

Never does: forward. Between the forwarder and the responder.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from haystack.dns import wire
from haystack.dns.forward import message
from haystack.dns.responder import Responder

_ANY_PORT = 53


class LocalNames:
    """The forwarder's OwnNames. rights: of an address (net/rights.py)."""

    def __init__(self, responder: Responder, rights: Callable[[str], int]) -> None:
        self._responder = responder
        self._rights = rights

    def holds(self, name: bytes) -> bool:
        """Whether a name (lower-case wire form) is ours to answer for, whether it is there or not."""
        return self._responder.zone.find(name) is not None

    def answer(self, name: bytes, qtype: int, client: str) -> wire.Packed | None:
        """The answer for this client, REFUSED where it may not have one; None: the name is not ours."""
        packet = wire.question(name, qtype)
        reply = self._responder.answer(packet, reached_from(client), tcp=True, rights=self._rights(client))
        if not isinstance(reply, bytes):
            return None
        return message.packed(message.read(reply, packet[wire.HEADER :]))[0]


def reached_from(client: str) -> str:
    """The local address from which this client is reached, and so on which it reaches us; the unspecified one where there is no way."""
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((client, _ANY_PORT))
            return str(probe.getsockname()[0])
    except OSError:
        return "::" if family == socket.AF_INET6 else "0.0.0.0"
