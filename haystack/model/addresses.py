"""The addresses by which a container is known as a client: on each of its networks. Pure."""

from __future__ import annotations

import ipaddress

from haystack.model.records import Container

HOST = "host"  # the network of the engine itself: its address is no container's own


def of(container: Container) -> frozenset[bytes]:
    """4 or 16 octets each."""
    texts = [text for place in container.attachments if place.network != HOST for text in (place.ipv4, place.ipv6)]
    if container.network != HOST:
        texts += [container.address, container.address6]
    return frozenset(octets(text) for text in texts if text) - {b""}


def octets(text: str) -> bytes:
    """An address as a datagram has it, IPv4 in IPv6's clothes as IPv4; empty: it is none."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return b""
    return (getattr(found, "ipv4_mapped", None) or found).packed


def text(client: bytes) -> str:
    """4 or 16 octets as text; empty: it is neither."""
    return str(ipaddress.ip_address(client)) if len(client) in (4, 16) else ""


def place(address: str, port: int) -> str:
    """``IP:PORT``, and ``[IP]:PORT`` of IPv6."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
