"""What workers are told of certificates and ticket keys. Travels over their socketpair alone; no key stands in a repr.

A worker imports this: nothing here brings `cryptography`.
"""

from __future__ import annotations

import msgspec

from haystack.routing.rows import Message

PART = 50  # certificates in one message: some hundred KiB


class Pair(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One certificate as PEM, leaf first, with its key. id: of this process's making; proof: for a CA's challenge alone (RFC 8737)."""

    id: str
    names: tuple[str, ...]
    chain: bytes
    key: bytes
    proof: bool = False

    def __repr__(self) -> str:
        return f"Pair({self.id!r}, {self.names!r})"


class TlsPart(Message, frozen=True):
    """What is new: certificates, and the names that they are for. default: its id, empty: unknown names are refused.

    gone: names for which there is none any more; dropped: ids that nothing names any more; challenges: all there are, by name (RFC 8737).
    """

    pairs: tuple[Pair, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    gone: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    default: str = ""
    challenges: tuple[tuple[str, str], ...] = ()


class TicketKeys(Message, frozen=True):
    """Keys of session tickets, 80 bytes each: new tickets have the first one, and those of all are read."""

    keys: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"TicketKeys({len(self.keys)} keys)"


class Authorities(Message, frozen=True):
    """All whose signatures count in certificates of endpoints: (file, certificates as PEM, one by one); file empty: the system's."""

    authorities: tuple[tuple[str, tuple[bytes, ...]], ...] = ()

    def __repr__(self) -> str:
        return f"Authorities({[(file, len(certificates)) for file, certificates in self.authorities]!r})"
