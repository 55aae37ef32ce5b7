"""The sockets of port 53: bound before anything starts, UDP and TCP on the same number, one set a worker (SO_REUSEPORT).

UDP sockets tell to which address a datagram came, so that the answer leaves from there (RFC 2181 section 4.1). Never reads one.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Iterator
from itertools import cycle
from typing import NamedTuple

from haystack.net.sockets import EVERYWHERE, Sockets

NAME = "dns"
BACKLOG = 512
_TRIES = 20
_RECEIVE_BUFFER = 4 << 20  # a second's worth of queries, for when a worker is replaced; the kernel may give less
_SEND_BUFFER = 1 << 20
# Linux's number: Python 3.11 has no name for it (ip(7)).
_IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)


class Listeners(NamedTuple):
    """The port, and each worker's sockets."""

    port: int
    udp: list[list[socket.socket]]
    tcp: list[list[socket.socket]]


def opened(addresses: Iterable[object], port: int, workers: int, sockets: Sockets) -> Listeners:
    """Bind each address for UDP and TCP, for each worker. Port 0: one that is free for both.

    Raises OSError, its text naming the address.
    """
    wanted = tuple(str(address) for address in addresses)
    for tries in range(_TRIES):
        try:
            return _opened(sockets, wanted, port, workers)
        except OSError as error:
            sockets.close(NAME)
            if port or error.errno != errno.EADDRINUSE or tries == _TRIES - 1:
                raise
    raise AssertionError("not reached")


def _opened(sockets: Sockets, addresses: tuple[str, ...], port: int, workers: int) -> Listeners:
    def both(address: str) -> tuple[socket.socket, socket.socket]:
        nonlocal port
        tcp = sockets.tcp(NAME, address, port, BACKLOG, shared=True)
        port = tcp.getsockname()[1]
        return sockets.udp(NAME, address, port, _ask_for_destination), tcp

    pairs = [sockets.on_each(addresses, both) for _ in range(workers)]
    found = Listeners(port, [[udp for udp, _ in each] for each in pairs], [[tcp for _, tcp in each] for each in pairs])
    for of_workers, kind in ((found.udp, socket.SOCK_DGRAM), (found.tcp, socket.SOCK_STREAM)):
        for sock, of_worker in zip(_surplus(sockets, addresses, port, kind), cycle(of_workers), strict=False):
            of_worker.append(sock)
    return found


def _ask_for_destination(udp: socket.socket) -> None:
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    if udp.family == socket.AF_INET6:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        udp.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)


def _surplus(sockets: Sockets, addresses: tuple[str, ...], port: int, kind: int) -> Iterator[socket.socket]:
    """Those of more workers than there are now."""
    for address in addresses or EVERYWHERE:
        yield from sockets.surplus(NAME, address, port, kind)
