"""Sockets that systemd has opened for Haystack, and telling systemd how it is: protocols of sd_listen_fds(3) and sd_notify(3).

With them Haystack needs no right to any port, and clients wait in the kernel's queues while it is started again. Each has the name of a
listener, which a unit's FileDescriptorName= says.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haystack.net.sockets import Held

FIRST = 3  # descriptor (SD_LISTEN_FDS_START)
SEE = "see docs/systemd.md for names, ports and addresses"
NAMES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


def count(environment: Mapping[str, str]) -> int:
    """How many descriptors this very process was given."""
    number = environment.get("LISTEN_FDS", "")
    return int(number) if environment.get("LISTEN_PID", "") == str(os.getpid()) and number.isdecimal() else 0


def flaw(environment: Mapping[str, str]) -> str:
    """The line that refuses these descriptors; empty: all are sockets. To be asked first: a file opened before could have such a number."""
    number = count(environment)
    for descriptor in range(FIRST, FIRST + number):
        try:
            is_socket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
        except OSError:  # there is no such descriptor
            is_socket = False
        if not is_socket:
            return f"LISTEN_FDS={number}, but descriptor {descriptor} is no socket: {SEE}"
    return ""


def handed(environment: MutableMapping[str, str]) -> list[Held]:
    """The sockets, each with its name; none where nobody has opened any. The variables are dropped: they are for this process alone."""
    from haystack.net.sockets import Held  # noqa: PLC0415 - the keeper counts, and needs nothing of that

    number, names = count(environment), environment.get("LISTEN_FDNAMES", "").split(":")
    for name in NAMES:
        environment.pop(name, None)
    found = []
    for descriptor in range(FIRST, FIRST + number):
        os.set_inheritable(descriptor, False)
        at = descriptor - FIRST
        found.append(Held(names[at] if at < len(names) else "", socket.socket(fileno=descriptor)))
    return found


def notify(environment: Mapping[str, str], state: str) -> None:
    """Tell the service manager, where there is one that wants to know: READY=1 or STOPPING=1."""
    address = environment.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return
    place = "\0" + address[1:] if address[0] == "@" else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.connect(place)
        sock.send(state.encode())
