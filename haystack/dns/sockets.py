"""The sockets of port 53: bound before anything starts, UDP and TCP on the same number.

UDP sockets tell to which address a datagram came, so that the answer leaves from there (RFC 2181 section 4.1). Never does: read a query.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections.abc import Iterable
from typing import NamedTuple

from haystack.net.sockets import Sockets

NAME = "dns"
BACKLOG = 128
LARGEST_QUERY = 4096
_ANCILLARY = 128
_TRIES = 20
_RECEIVE_BUFFER = 1 << 20
# Linux's numbers: Python 3.11 has no name for the first (ip(7), ipv6(7)).
_IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)
_V4 = struct.Struct("=I4s4s")
_V6 = struct.Struct("=16sI")


class Datagram(NamedTuple):
    """One query as it came. local: our address that it was sent to; info: what makes the answer leave from there."""

    data: bytes
    local: str
    peer: tuple[object, ...]
    info: list[tuple[int, int, bytes]]


class Bound(NamedTuple):
    """Sockets on one port."""

    port: int
    udp: tuple[socket.socket, ...]
    tcp: tuple[socket.socket, ...]

    def close(self) -> None:
        """Give the port back."""
        for each in (*self.udp, *self.tcp):
            each.close()


def bind(addresses: Iterable[str], port: int, sockets: Sockets | None = None) -> Bound:
    """Bind each address for UDP and TCP. Port 0: one that is free for both. Raises OSError, its text naming the address.

    sockets: where they are counted, and where those of the Haystack before come from.
    """
    sockets = sockets or Sockets()
    wanted = tuple(str(address) for address in addresses)
    for tries in range(_TRIES):
        try:
            return _bind(sockets, wanted, port)
        except OSError as error:
            sockets.close(NAME)
            if port or error.errno != errno.EADDRINUSE or tries == _TRIES - 1:
                raise
    raise AssertionError("not reached")


def _bind(sockets: Sockets, addresses: tuple[str, ...], port: int) -> Bound:
    def both(address: str) -> tuple[socket.socket, socket.socket]:
        nonlocal port
        tcp = sockets.tcp(NAME, address, port, BACKLOG)
        port = tcp.getsockname()[1]
        return sockets.udp(NAME, address, port, _ask_for_destination), tcp

    pairs = sockets.on_each(addresses, both)
    return Bound(port, tuple(udp for udp, _ in pairs), tuple(tcp for _, tcp in pairs))


def _ask_for_destination(udp: socket.socket) -> None:
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    if udp.family == socket.AF_INET6:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        udp.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)


def receive(udp: socket.socket) -> Datagram:
    """The next datagram. Raises BlockingIOError when there is none, OSError for an error that an earlier one left."""
    data, ancillary, _, peer = udp.recvmsg(LARGEST_QUERY, _ANCILLARY)
    for level, kind, value in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO and len(value) >= _V4.size:
            _, source, _ = _V4.unpack_from(value)
            info = _V4.pack(0, source, bytes(4))
            return Datagram(data, socket.inet_ntoa(source), peer, [(level, kind, info)])
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO and len(value) >= _V6.size:
            address, interface = _V6.unpack_from(value)
            # Only a link-local address needs its interface; otherwise the routing table knows better.
            scoped = ipaddress.IPv6Address(address).is_link_local
            info = _V6.pack(address, interface if scoped else 0)
            return Datagram(data, socket.inet_ntop(socket.AF_INET6, address), peer, [(level, kind, info)])
    return Datagram(data, udp.getsockname()[0], peer, [])


def send(udp: socket.socket, reply: bytes, to: Datagram) -> None:
    """Answer from the address that was asked. Raises OSError."""
    udp.sendmsg([reply], to.info, 0, to.peer)
