"""What the control process and a worker say to each other about DNS; proxy/ipc.py carries it."""

from __future__ import annotations

import msgspec

from haystack.dns.rows import Row
from haystack.routing.rows import Message


class DnsSetup(msgspec.Struct, frozen=True, array_like=True):
    """What a worker answers as. origin: in wire form; ttl: seconds.

    own4, own6: Haystack's addresses where they are set, one behind the other;
    early: it answers from its first zone on, and not from Open on: nobody else does.
    """

    origin: bytes
    ttl: int
    own4: bytes = b""
    own6: bytes = b""
    early: bool = True


class ZonePart(Message, frozen=True):
    """Rows that are new or other, and names that are gone. last: with this part the version is complete."""

    version: int
    rows: tuple[Row, ...]
    removed: tuple[bytes, ...] = ()
    last: bool = True


class Subnets(Message, frozen=True):
    """The numbers of the networks that addresses lie in, as access.Table has rights; HostRow names networks by these."""

    v4: bytes
    v6: bytes


class DnsOpen(Message, frozen=True):
    """All is known that there is: a name that is not known does not exist."""


class DnsForget(Message, frozen=True):
    """Kept answers of other nameservers are of no use any more: others are asked now."""


class Question(msgspec.Struct, frozen=True, array_like=True):
    """A query for other nameservers. packet: as it came; client: the asker's address, 4 or 16 octets.

    hot: the worker has its answer still.
    """

    number: int
    packet: bytes
    client: bytes
    hot: bool


class Questions(Message, frozen=True):
    """What a worker can't answer by itself."""

    questions: tuple[Question, ...]


class Resolved(Message, frozen=True):
    """The answer to one of these, as wire.Packed has it; ends, ages: 16 bits each; lifetime: seconds, 0: for those who wait alone."""

    number: int
    flags: int
    body: bytes
    ends: bytes
    ages: bytes
    counts: tuple[int, int, int]
    options: bytes
    lifetime: int
