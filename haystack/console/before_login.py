"""What a client may send before it has logged in: as much as a login takes, so that strangers get little work done by the control process.

login_limits.py bounds how many begin; one that has begun could still ask for one key exchange after another, or try keys and names for as
long as it may stay. Never decides who is let in.
"""

from __future__ import annotations

from collections.abc import Awaitable

import asyncssh
from asyncssh.packet import SSHPacket

KEXINIT = 20  # RFC 4250, section 4.1.2: asks for a key exchange
# Any kind but KEXINIT: some open the conversation, and each key of an agent takes one or two.
MESSAGES = 64
# Of those that asyncssh offers, the ones that cost no more than a few milliseconds: to make an RSA key for each client takes a hundred.
KEY_EXCHANGES = "-diffie-hellman-*,rsa*"


def limit(connection: asyncssh.SSHServerConnection) -> None:
    """Apply the limits to this connection. A client that exceeds them is disconnected with a reason."""
    process = connection.process_packet
    exchanges = messages = 0

    def counted(kind: int, number: int, packet: SSHPacket) -> bool | Awaitable[None]:
        nonlocal exchanges, messages
        if kind == KEXINIT:
            exchanges += 1
        else:
            messages += 1
        if exchanges > 1:
            raise asyncssh.ProtocolError("there is one key exchange before the login")
        if messages > MESSAGES:
            raise asyncssh.ProtocolError(f"no login after {MESSAGES} messages")
        return process(kind, number, packet)

    connection.process_packet = counted  # type: ignore[method-assign, assignment]  # asyncssh has no hook


def lift(connection: asyncssh.SSHServerConnection) -> None:
    """It has logged in: new keys may be exchanged as often as the client wants (RFC 4253, section 9)."""
    del connection.process_packet
