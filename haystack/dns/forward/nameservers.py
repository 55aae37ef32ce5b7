"""Addresses of nameservers, as texts and as /etc/resolv.conf has them; never Haystack itself.

Never does: send anything, choose one. Below routes.py.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PORT = 53
LARGEST_PORT = 65535
RESOLV_CONF = Path("/etc/resolv.conf")
# Docker's own resolver in a container is reached by address translation: it is another one even where we hold port 53.
DOCKER_RESOLVER = "127.0.0.11"


class Nameserver(NamedTuple):
    """Where one nameserver listens."""

    address: str
    port: int = PORT


def others(texts: Iterable[str], bind: Iterable[str], port: int) -> tuple[Nameserver, ...]:
    """The nameservers that these texts name, in order, each once. bind and port: where Haystack itself listens (empty: everywhere)."""
    found = (parsed for text in texts if (parsed := parse(text)))
    own = tuple(bind)
    return tuple(dict.fromkeys(server for server in found if not _is_ours(server, own, port)))


def text(server: Nameserver) -> str:
    """``IP:PORT``, IPv6 in brackets."""
    return f"[{server.address}]:{server.port}" if ":" in server.address else f"{server.address}:{server.port}"


def parse(text: str) -> Nameserver | None:
    """``IP``, ``IP:PORT`` or ``[IPv6]:PORT``; None where it is none of these."""
    address, port = text.strip(), str(PORT)
    if address.startswith("["):
        address, _, port = address[1:].partition("]")
        port = port.removeprefix(":") or str(PORT)
    elif address.count(":") == 1:
        address, _, port = address.partition(":")
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return None
    return Nameserver(address, int(port)) if port.isdecimal() and 0 < int(port) <= LARGEST_PORT else None


def resolv_conf(path: Path) -> tuple[str, ...]:
    """The addresses on its ``nameserver`` lines; nothing where it can't be read."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    words = (line.split() for line in lines)
    return tuple(word[1] for word in words if len(word) > 1 and word[0] == "nameserver")


def _is_ours(server: Nameserver, bind: tuple[str, ...], port: int) -> bool:
    if server.port != port or server.address == DOCKER_RESOLVER:
        return False
    everywhere = not bind or any(text in ("0.0.0.0", "::") for text in bind)
    return server.address in bind or (everywhere and _is_local(server.address))


def _is_local(address: str) -> bool:
    """True for an address of this machine: only such a one can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
