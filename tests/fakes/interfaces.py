"""Whether networks of this machine come or go, as other tests have them do: browsers give up their connections then."""

from __future__ import annotations

import socket
from collections.abc import Callable

LINKS, IPV4_ADDRESSES, IPV6_ADDRESSES = 0x1, 0x10, 0x100  # groups of rtnetlink(7)


def undisturbed(what: Callable[[], None]) -> int:
    """Do it once more for as long as links or addresses have changed meanwhile. How often it was done."""
    done = 0
    while True:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE) as changes:
            changes.bind((0, LINKS | IPV4_ADDRESSES | IPV6_ADDRESSES))
            what()
            done += 1
            if not _any(changes):
                return done


def _any(changes: socket.socket) -> bool:
    try:
        return bool(changes.recv(65536))
    except BlockingIOError:
        return False
    except OSError:  # ENOBUFS: more than there is room for
        return True
