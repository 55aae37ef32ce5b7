"""What the control process and a worker say to each other about DNS; proxy/ipc.py carries it."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from haystack.dns.rows import HostRow, Row
from haystack.routing.rows import Message


class Meeting(Protocol):
    """A responder."""

    def meet(self, hosts: list[Any], own: Any = None) -> None:
        """As Responder.meet."""


class DnsSetup(msgspec.Struct, frozen=True, array_like=True):
    """What a worker answers as. origin: in wire form; ttl: seconds.

    own4, own6: Haystack's addresses where they are set, one behind the other;
    early: it answers from its first zone on, and not from Open on: nobody else does; log: each answer is told.
    """

    origin: bytes
    ttl: int
    own4: bytes = b""
    own6: bytes = b""
    early: bool = True
    log: bool = False


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


class DnsPeers(Message, frozen=True):
    """Other Haystacks that live, whose addresses stand beside this one's; own: this one as it is reached from outside, if that is known."""

    hosts: tuple[HostRow, ...] = ()
    own: HostRow | None = None

    def meet(self, responder: Meeting) -> None:
        """Have these answered for."""
        responder.meet([msgspec.structs.astuple(host) for host in self.hosts], msgspec.structs.astuple(self.own) if self.own else None)


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


Spans = tuple[tuple[int, ...], float]  # answers by the bucket of their time (_fast/dns/times.pyx), and the sum of their times in seconds


class DnsCounts(Message, frozen=True):
    """What a worker's DNS has done since its start, and how it stands.

    answers: (type, rcode, source, count) rows, as Responder.counted has them; at_once: of those given at once; waited: of those for
    which the control process was asked; truncated, dropped: by the rate limit; lost: answers that a socket did not take.
    waiting: queries now; entries, bytes: of the cache now.
    """

    answers: tuple[tuple[str, int, str, int], ...] = ()
    at_once: Spans = ((), 0.0)
    waited: Spans = ((), 0.0)
    waiting: int = 0
    entries: int = 0
    bytes: int = 0
    truncated: int = 0
    dropped: int = 0
    lost: int = 0


class Who(Message, frozen=True):
    """Ask which clients asked for a name last (lower-case wire form), or what these clients (4 or 16 octets each) asked for; None: any."""

    number: int
    name: bytes | None = None
    clients: tuple[bytes, ...] | None = None


class AskerRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A name in lower-case wire form, a client's address, the types that it asked for, how many seconds ago, and how often.

    The type HTTP stands alone: the client called the service of that name, on so many connections.
    """

    name: bytes
    client: bytes
    types: tuple[str, ...]
    ago: float
    times: int


class Askers(Message, frozen=True):
    """The answer to Who."""

    number: int
    rows: tuple[AskerRow, ...]


class DnsRows(Message, frozen=True):
    """The DNS log of one tick, as octets (_fast/dns/query_log.pxd): how many rows, and how many more there was no room for."""

    worker: int
    rows: bytes
    count: int
    dropped: int
