"""The listening sockets' way from the supervisor to a worker that waits for them: messages on its channel, before any other.

Never opens a socket, and says nothing of what is to be done with one. A module of its own, for a worker needs nothing else of spawn.py.
"""

from __future__ import annotations

import array
import socket
import struct
from collections.abc import Sequence
from typing import Protocol

AT_ONCE = 64  # descriptors in one message: the kernel takes 253 (SCM_MAX_FD)
_HEAD = struct.Struct("!HH")  # descriptors in all, descriptors here; then the listener's index of each, a byte

DNS_UDP, DNS_TCP, ROTATION = 200, 201, 202  # in place of a listener's index: sockets of port 53, and what _fast/dns/rotation.pyx maps


class Descriptor(Protocol):
    """Something that is open."""

    def fileno(self) -> int:
        """Its number here."""

    def close(self) -> None:
        """Close it here."""


Lent = Sequence[tuple[int, Descriptor]]


def lend(channel: socket.socket, sockets: Lent) -> None:
    """Send the sockets, each with the index of its listener. Raises OSError where the worker has gone."""
    for at in range(0, len(sockets), AT_ONCE) or (0,):
        part = sockets[at : at + AT_ONCE]
        head = _HEAD.pack(len(sockets), len(part)) + bytes(index for index, _ in part)
        socket.send_fds(channel, [head], [each.fileno() for _, each in part])


def borrowed(channel: socket.socket) -> list[tuple[int, int]] | None:
    """In the worker: wait, however long, for the descriptors; None where the supervisor has gone instead. Blocks."""
    found: list[tuple[int, int]] = []
    while True:
        head, fds = _received(channel, _HEAD.size)
        if len(head) < _HEAD.size:
            return None
        total, here = _HEAD.unpack(head)
        indexes, more = _received(channel, here) if here else (b"", [])
        found += zip(indexes, [*fds, *more], strict=True)
        if len(found) >= total:
            return found


def _received(channel: socket.socket, size: int) -> tuple[bytes, list[int]]:
    """So many bytes, and the descriptors that came with them; fewer where the peer is gone. Descriptors come with the first byte sent."""
    read, fds = b"", array.array("i")
    while len(read) < size:
        data, ancillary, _, _ = channel.recvmsg(size - len(read), socket.CMSG_SPACE(AT_ONCE * fds.itemsize))
        if not data:
            break
        read += data
        for level, kind, raw in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(raw[: len(raw) - len(raw) % fds.itemsize])
    return read, list(fds)
