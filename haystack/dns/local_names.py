"""What the zone says of a name that a nameserver's CNAME leads to, as the client who asks would be told it.

Never does: forward. Between the forwarder and the zone.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

from haystack.dns import wire
from haystack.dns.forward import message
from haystack.dns.lookup import local_octets
from haystack.dns.zone_feed import ZoneFeed

_ANY_PORT = 53
Asker = tuple[int, int]  # what an address may (net/rights.py), and the number of its network


class LocalNames:
    """The forwarder's OwnNames. asker: of an address."""

    def __init__(self, feed: ZoneFeed, asker: Callable[[str], Asker]) -> None:
        self._feed = feed
        self._asker = asker

    def holds(self, name: bytes) -> bool:
        """Whether a name (lower-case wire form) is ours to answer for, whether it is there or not."""
        return self._feed.zone.find(name) is not None

    def answer(self, name: bytes, qtype: int, client: str) -> wire.Packed | None:
        """The answer for this client, REFUSED where it may not have one; None: the name is not ours."""
        packet = wire.question(name, qtype)
        rights, network = self._asker(client)
        reply = self._feed.responder.ask(packet, local_octets(reached_from(client)), tcp=True, rights=rights, network=network)
        if reply is None:
            return None
        return message.packed(message.read(reply, packet[wire.HEADER :]))[0]


def text(client: bytes) -> str:
    """An address of 4 or 16 octets as text; empty: it is neither."""
    return str(ipaddress.ip_address(client)) if len(client) in (4, 16) else ""


def reached_from(client: str) -> str:
    """The local address from which this client is reached, and so on which it reaches us; the unspecified one where there is no way."""
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((client, _ANY_PORT))
            return str(probe.getsockname()[0])
    except OSError:
        return "::" if family == socket.AF_INET6 else "0.0.0.0"
