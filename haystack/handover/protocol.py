"""What two Haystacks say to each other at the control socket, and how sockets travel there (SCM_RIGHTS, unix(7)).

    `haystack healthcheck`: Health        Report

    new: Ask, with a proof        old: Offer, then Batch after Batch with their sockets, then Orders after Orders; or Refusal; or Wait
    new, once it could serve: Release        old: Released, and it drains

The proof is a descriptor of the control socket's folder (proof.py), which no worker has. Versions that don't know of it ignore it.

Wait is for one that a restart policy has started again after it was replaced, and for one that waits already: where all replace each other
at every start, two containers that are restarted would do so for ever. It keeps the connection, whose end says that the old one has ended.

Every message is one packet of JSON (SOCK_SEQPACKET). An end of the connection before Release changes nothing for the old one.

After Release exactly one of the two serves on, and Released decides which: the old one drains only when it has sent it, the new one
gives up only when it can't come any more.
- The new one waits, and reads it: it serves, the old one drains. However late the old one is, as long as the other waits.
- The new one has waited for too long: it first shuts its side for reading (SHUT_RD), which the kernel orders with the other's sending,
  and then looks once more. Either Released was sent before, and is there: it serves. Or it can't be sent any more (EPIPE): it
  gives up, and the old one, when it comes to it, serves on.
- The new one has died: EPIPE too, unless it dies after Released came. Then it dies as one that serves.
- The old one dies before it answers, or could not send for another reason: its side ends without a word while the new one waits, which
  serves; and the old one has gone, or drains.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Container, Sequence

import msgspec

from haystack.model.services import Override
from haystack.net.sockets import Held

PROTOCOL = 1
LARGEST = 65536
# the kernel takes 253 descriptors a message (SCM_MAX_FD)
AT_ONCE = 64
ORDERS = 8  # overrides in a message: with the longest texts there are it fits
_CREDENTIALS = struct.Struct("3i")


class ProtocolError(Exception):
    """What came is no message of ours. str() says what it is instead."""


class Message(msgspec.Struct, frozen=True, tag=True):
    """Base of all messages; the class name is the tag."""


class Ask(Message, frozen=True):
    """A new process asks to take over. home: its identity (identity.py); waits: it only takes over when no other process serves.

    orders: it understands Orders.
    """

    protocol: int
    version: str
    pid: int
    home: str = ""
    waits: bool = False
    orders: bool = False


class Left(msgspec.Struct, frozen=True):
    """Whose home one was that was replaced, and how many seconds ago."""

    home: str
    seconds: float


class Health(Message, frozen=True):
    """How is it?"""


class Report(Message, frozen=True):
    """wrong: what is, one line each, and none when all is well; well: a line for then."""

    wrong: tuple[str, ...]
    well: str


class Offer(Message, frozen=True):
    """Who serves, and how many sockets follow. left: who was replaced of late, by it or those before it.

    instance, ticket_keys: its name in Via and its keys of TLS sessions, which the next one takes on: their workers serve side by side for a
    while. ticket_age: seconds since the newest key was made, 0.0 also of one that does not say so. orders: how many Orders follow the
    sockets; None: it does not know of overrides.
    """

    protocol: int
    version: str
    pid: int
    sockets: int
    home: str = ""
    left: tuple[Left, ...] = ()
    instance: str = ""
    orders: int | None = None
    ticket_keys: tuple[bytes, ...] = ()
    ticket_age: float = 0.0

    def __repr__(self) -> str:
        return f"Offer(of process {self.pid})"


class Batch(Message, frozen=True):
    """As many sockets as names, in the same order."""

    names: tuple[str, ...]


class Orders(Message, frozen=True):
    """What operators have decided and holds."""

    overrides: tuple[Override, ...]


class Refusal(Message, frozen=True):
    """Not now, and why."""

    reason: str


class Wait(Message, frozen=True):
    """Whoever asks was replaced a moment ago, or waits. It is told when this one ends, by the end of the connection."""

    version: str
    pid: int


class Release(Message, frozen=True):
    """The new one serves: the old one is to drain."""


class Released(Message, frozen=True):
    """It does."""


Any = Ask | Health | Report | Offer | Batch | Orders | Refusal | Wait | Release | Released
_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)


def send(peer: socket.socket, message: Any, sockets: Sequence[Held] = ()) -> None:
    """Send one message, and what belongs to it. Raises OSError."""
    socket.send_fds(peer, [encoded(message)], [each.sock.fileno() for each in sockets])


def encoded(message: Any) -> bytes:
    """The packet of a message."""
    return msgspec.json.encode(message)


def receive(peer: socket.socket) -> tuple[Any, list[socket.socket]]:
    """The next message and its sockets. Raises OSError (TimeoutError), and ProtocolError: then nothing stays open."""
    data, descriptors, flags, _ = socket.recv_fds(peer, LARGEST, AT_ONCE, socket.MSG_CMSG_CLOEXEC)
    sockets = []
    for number, descriptor in enumerate(descriptors):
        try:
            sockets.append(socket.socket(fileno=descriptor))
        except OSError as error:
            _close(sockets, descriptors[number:])
            raise ProtocolError("it sent something that is no socket") from error
    try:
        return decoded(data, flags), sockets
    except ProtocolError:
        _close(sockets)
        raise


def decoded(data: bytes, flags: int = 0) -> Any:
    """The message of one packet. Raises ProtocolError."""
    if not data:
        raise ProtocolError("it closed the connection")
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        raise ProtocolError("it sent more than fits")
    try:
        return _DECODER.decode(data)
    except msgspec.MsgspecError:
        raise ProtocolError(f"it said {data[:40]!r}") from None


def trusted(peer: socket.socket, users: Container[int] | None = None) -> bool:
    """Whether the other side runs as one of these users; None: as the same user, or as root."""
    return _credentials(peer)[1] in ((0, os.geteuid()) if users is None else users)


def is_first(peer: socket.socket) -> bool:
    """Whether the other side is the first process of this one's PID namespace: its end kills all others there (pid_namespaces(7))."""
    return _credentials(peer)[0] == 1  # the number that it has here; 0 if it is in a namespace beside this one


def _credentials(peer: socket.socket) -> tuple[int, int, int]:
    """Process, user and group of the other side (SO_PEERCRED, unix(7))."""
    process, user, group = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return process, user, group


def _close(sockets: Sequence[socket.socket], descriptors: Sequence[int] = ()) -> None:
    for sock in sockets:
        sock.close()
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
