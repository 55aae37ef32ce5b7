"""The zone as it travels to the workers: a row for each name, packed once.

A row is an octet of marks and the msgpack of a NodeRow: a worker keeps it as it came until somebody asks for the name.
"""

from __future__ import annotations

import enum

import msgspec


class Mark(enum.IntFlag):
    """What a name is; the numbers are those of _fast/dns/zone.pxd.

    APEX: names below are ours too, and answers that deny bear its SOA; OWN: has Haystack's own address; PUBLIC: anybody may ask for it;
    EMPTY: is there for the names below it alone (RFC 8020); OPENED: it and the names below are others' to answer, but for those that
    are there; NEAREST: of its hosts those alone that share a network with the asker, where there are any.
    """

    APEX = 1
    OWN = 2
    PUBLIC = 4
    EMPTY = 8
    OPENED = 16
    NEAREST = 32


class HostRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A container's addresses, 4 and 16 octets or none: the usual ones, and those on networks by their numbers (subnets.py)."""

    v4: bytes = b""
    v6: bytes = b""
    near: tuple[tuple[int, bytes, bytes], ...] = ()


class TargetRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An SRV record: weight, port, the container's name in wire form, and its addresses for the additional section."""

    weight: int
    port: int
    name: bytes
    host: HostRow


class NodeRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What stands at a name. pointers: names in wire form, of PTR records.

    records: type, TTL in seconds, and data in wire form without compression, of the records' file; a CNAME is alone.
    """

    hosts: tuple[HostRow, ...] = ()
    targets: tuple[TargetRow, ...] = ()
    pointers: tuple[bytes, ...] = ()
    records: tuple[tuple[int, int, bytes], ...] = ()


_ENCODER = msgspec.msgpack.Encoder()
Row = tuple[bytes, bytes]  # the name in lower-case wire form, and its packed row


def packed(marks: Mark, node: NodeRow) -> bytes:
    """A row as it travels."""
    return bytes((marks,)) + _ENCODER.encode(node)
