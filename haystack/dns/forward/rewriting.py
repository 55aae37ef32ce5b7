"""Answers made anew, record by record: without what a nameserver says of names that are ours, and with our own records behind a CNAME.

A record can't be taken out of a message as it is, for names in later ones may point into it. Only few answers need this; the others go on
as they came (message.packed). Pure. Between message.py and the forwarder.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple

from haystack.dns import wire
from haystack.dns.forward import message
from haystack.dns.forward.message import Record, Reply

# Longer chains help nobody, and a circle never ends.
HOPS = 16
_FIXED = struct.Struct("!HHIH")
_POINTABLE = 0x4000
_POINTED = 0xC000
# RFC 3597 section 4: types whose names may be compressed. Octets before the names, names, octets behind them.
_NAMES = {
    **dict.fromkeys((2, 3, 4, 5, 7, 8, 9, 12, 39), (0, 1)),  # NS MD MF CNAME MB MG MR PTR DNAME
    **dict.fromkeys((6, 14, 17), (0, 2)),  # SOA MINFO RP
    **dict.fromkeys((15, 18, 21, 36), (2, 1)),  # MX AFSDB RT KX
    33: (6, 1),  # SRV
}


class Plain(NamedTuple):
    """One record that stands for itself: no name in it is compressed."""

    section: int
    owner: bytes
    rtype: int
    rclass: int
    ttl: int
    data: bytes


class Own(NamedTuple):
    """An answer without foreign words about our names. leads: the name of ours that its CNAMEs lead to; empty: none."""

    reply: Reply
    leads: bytes


def own(reply: Reply, key: bytes, qtype: int, holds: Callable[[bytes], bool]) -> Own:
    """What of a reply may be believed. key: the name asked for, in lower case; holds: whether a name is ours to answer for.

    Raises FormatError.
    """
    owners = {record.owner for record in reply.records} - {key}
    claimed = {owner for owner in owners if holds(owner)}
    chain, leads = _chain(reply, key, qtype, holds)
    if leads:
        return Own(rebuilt(key, reply, chain), leads)
    if claimed:
        return Own(rebuilt(key, reply, [record for record in reply.records if record.owner not in claimed]), b"")
    return Own(reply, b"")


def _chain(reply: Reply, key: bytes, qtype: int, holds: Callable[[bytes], bool]) -> tuple[list[Record], bytes]:
    """The CNAMEs from the name asked for to the first one of ours, and that name."""
    found: list[Record] = []
    if qtype in (wire.CNAME, wire.ANY):
        return found, b""
    aliases = {record.owner: record for record in reversed(reply.records) if record.rtype == wire.CNAME and record.section == 0}
    while (record := aliases.pop(key, None)) and len(found) < HOPS:
        found.append(record)
        key = wire.expanded(reply.data, record.data_at)[0].lower()
        if holds(key):
            return found, key
    return found, b""


def rebuilt(key: bytes, reply: Reply, kept: Iterable[Record]) -> Reply:
    """A reply with these of its records alone. Raises FormatError."""
    return composed(key, [plain(reply.data, record) for record in kept], reply.rcode)


def plain(data: bytes, record: Record) -> Plain:
    """The record with its names written out. Raises FormatError."""
    before, names = _NAMES.get(record.rtype, (0, 0))
    at = record.data_at + before
    found = data[record.data_at : at]
    for _ in range(names):
        name, at = wire.expanded(data, at)
        found += name
    if at > record.end:
        raise wire.FormatError("a name is longer than its record")
    return Plain(record.section, record.owner, record.rtype, record.rclass, record.ttl, found + data[at : record.end])


def composed(key: bytes, records: Iterable[Plain], rcode: int) -> Reply:
    """A message of these records, in the order of their sections, behind a question of that name. What no message can hold is left out."""
    data = bytearray(wire.HEADER) + key + bytes(4)
    start, found = len(data), []
    names = {key: wire.HEADER}
    for each in records:
        owner = _pointer(names[each.owner]) if each.owner in names else each.owner
        if len(data) + len(owner) + _FIXED.size + len(each.data) > wire.LONGEST:
            break
        if each.owner not in names and len(data) < _POINTABLE:
            names[each.owner] = len(data)
        data += owner
        ttl_at = len(data) + 4
        data += _FIXED.pack(each.rtype, each.rclass, each.ttl, len(each.data)) + each.data
        found.append(Record(each.section, each.owner, each.rtype, each.rclass, each.ttl, ttl_at, ttl_at + 6, len(data)))
    return Reply(bytes(data), start, rcode, cut=False, records=found)


def _pointer(at: int) -> bytes:
    return struct.pack("!H", _POINTED | at)


def unpacked(packed: wire.Packed, key: bytes) -> Reply:
    """An answer to a question of that name, taken apart. Raises FormatError."""
    data = bytes(wire.HEADER) + key + bytes(4) + packed.body
    start = wire.HEADER + len(key) + 4
    return Reply(data, start, packed.flags & 0x000F, cut=False, records=message.records(data, start, list(packed.counts)))


def joined(chain: wire.Packed, key: bytes, target: bytes, answer: wire.Packed) -> wire.Packed:
    """CNAMEs from one name to another one, and the answer to that: one answer. Raises FormatError."""
    first, second = unpacked(chain, key), unpacked(answer, target)
    records = [plain(reply.data, record) for reply in (first, second) for record in reply.records]
    records.sort(key=lambda record: record.section)
    return message.packed(composed(key, records, second.rcode))[0]


def denial(packed: wire.Packed, key: bytes) -> wire.Packed:
    """What says that a name is not there, for names below it: its SOA alone (RFC 8020). Raises FormatError."""
    reply = unpacked(packed, key)
    soas = [plain(reply.data, record) for record in reply.records if record.rtype == wire.SOA and record.section == 1]
    body, ends, ttls = b"", [], []
    for each in soas:
        ttls.append(len(body) + len(each.owner) + 4)
        body += each.owner + _FIXED.pack(each.rtype, each.rclass, each.ttl, len(each.data)) + each.data
        ends.append(len(body))
    return wire.Packed(packed.flags, body, tuple(ends), (0, len(soas), 0), tuple(ttls))
