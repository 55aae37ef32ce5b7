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

EVERYWHERE = ("0.0.0.0", "::")
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


def bind(addresses: Iterable[str], port: int) -> Bound:
    """Bind each address for UDP and TCP. Port 0: one that is free for both. Raises OSError, its text naming the address."""
    wanted = tuple(str(address) for address in addresses)
    everywhere = not wanted
    for tries in range(_TRIES):
        try:
            return _bind(wanted or EVERYWHERE, port, everywhere)
        except OSError as error:
            if port or error.errno != errno.EADDRINUSE or tries == _TRIES - 1:
                raise
    raise AssertionError("not reached")


def _bind(addresses: tuple[str, ...], port: int, everywhere: bool) -> Bound:
    udp: list[socket.socket] = []
    tcp: list[socket.socket] = []
    try:
        for address in addresses:
            try:
                tcp.append(_socket(address, port, socket.SOCK_STREAM))
                port = port or tcp[-1].getsockname()[1]
                udp.append(_socket(address, port, socket.SOCK_DGRAM))
            except OSError as error:
                # A machine without IPv6 has no "::": that is no reason not to serve IPv4.
                if not (everywhere and address == "::" and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)):
                    raise
    except OSError:
        Bound(port, tuple(udp), tuple(tcp)).close()
        raise
    return Bound(port, tuple(udp), tuple(tcp))


def _socket(address: str, port: int, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    protocol = "tcp" if kind == socket.SOCK_STREAM else "udp"
    try:
        made = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    except OSError as error:
        raise OSError(error.errno, f"{protocol} {address} port {port}: {error.strerror}") from error
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            _ask_for_destination(made)
        made.bind((address, port))
        if kind == socket.SOCK_STREAM:
            made.listen(128)
    except OSError as error:
        made.close()
        raise OSError(error.errno, f"{protocol} {address} port {port}: {error.strerror}") from error
    return made


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
