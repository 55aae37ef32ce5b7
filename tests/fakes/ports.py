"""Ports for who must be told one before it starts, and those for whom no other number will do."""

from __future__ import annotations

import errno
import random
import socket
from contextlib import closing
from pathlib import Path

LOWEST, HIGHEST = 10_000, 65_535
ENOUGH = 1000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")  # of these the kernel gives one to each client that connects
KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
WILDCARDS = ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"))
# By these other processes that run tests see which are given away; the kernel closes them when this one ends.
_leases: dict[int, socket.socket] = {}


def free_port() -> int:
    """A port that nobody uses at any address, for TCP and UDP, and that stays free for who asked until this process ends.

    It is none of those of clients, for one of them may come between now and the use of it; unless nearly all are clients'.
    """
    some = _suitable()
    for port in random.sample(some, len(some)):
        if _leased(port):
            if all(_unused(family, kind, address, port) for family, address in WILDCARDS for kind in KINDS):
                return port
            _leases.pop(port).close()
    raise OSError("every port is in use")


def _suitable() -> range:
    """Ports below those of clients; where there are too few, above; else all."""
    first, last = map(int, EPHEMERAL.read_text().split())
    beside = range(LOWEST, first), range(max(LOWEST, last + 1), HIGHEST + 1)
    return next((some for some in beside if len(some) >= ENOUGH), range(LOWEST, HIGHEST + 1))


def _leased(port: int) -> bool:
    lease = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lease.bind(f"\0haystack-tests-port-{port}")
    except OSError:
        lease.close()
        return False
    _leases[port] = lease
    return True


def _unused(family: int, kind: int, address: str, port: int) -> bool:
    try:
        with closing(socket.socket(family, kind)) as probe:
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, port))
    except OSError as error:  # where IPv6 is off it is another one
        return error.errno != errno.EADDRINUSE
    return True
