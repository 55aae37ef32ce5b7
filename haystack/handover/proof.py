"""Shows that a process may read the folder of the control socket: with the question it sends a descriptor of that folder, opened anew.

A worker may be of the control process's user, so that SO_PEERCRED says nothing of who asks; but Landlock lets it open no such folder
(proxy/landlock.py), and nobody would pass it one. O_PATH proves nothing: such a descriptor can be had of any folder (open(2)).
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterable
from pathlib import Path

MOST = 4  # descriptors that are taken with a question: one is wanted


def send(peer: socket.socket, packet: bytes, folder: Path) -> None:
    """Send a packet, and with it the proof, where this process has one. Raises OSError."""
    try:
        proof = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # who listens says what is missing
        peer.sendall(packet)
        return
    try:
        socket.send_fds(peer, [packet], [proof])
    finally:
        os.close(proof)


def received(peer: socket.socket, folder: Path, largest: int) -> tuple[bytes, int, bool]:
    """A packet, the flags of recvmsg(2), and whether a proof came with it. Raises OSError."""
    data, descriptors, flags, _ = socket.recv_fds(peer, largest, MOST, socket.MSG_CMSG_CLOEXEC)
    try:
        return data, flags, _proven(descriptors, folder)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _proven(descriptors: Iterable[int], folder: Path) -> bool:
    own = folder.stat()
    return any(
        not fcntl.fcntl(each, fcntl.F_GETFL) & os.O_PATH and os.path.samestat(os.fstat(each), own)  # in this order: O_PATH is free
        for each in descriptors
    )
