"""A name's node and a question's type → the records of the answer, packed once.

Packed by hand: a service may have thousands of endpoints, and an object for each record would hold the loop for a tenth of a second.
What no message can hold is not packed. Never does: look a name up, know a transport, keep anything. Between the zone and the responder.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable

from haystack.dns import wire
from haystack.dns.zone import OWN, PRIORITY, Node, Zone

_POINTABLE = 0x4000  # RFC 1035 section 4.1.4: a pointer holds 14 bits
_HINFO = b"\x07RFC8482\x00"
_FIXED = struct.Struct("!HHIH")
_SRV = struct.Struct("!3H")
_POINTER = struct.Struct("!H")
_POINTED = 0xC000
CHAIN = 8  # names that lead to one another
Owns = tuple[tuple[str, ...], tuple[str, ...]]


class Message:
    """The records behind a question of that name. full: there are more than a message can hold."""

    def __init__(self, key: bytes, ttl: int) -> None:
        self._data = bytearray(wire.HEADER)
        self._names: dict[bytes, int] = {}
        self._ttl = ttl
        self._write_name(key)
        self._data += bytes(4)
        self._start = len(self._data)
        self._ends: list[int] = []
        self._counts = [0, 0, 0]

    @property
    def full(self) -> bool:
        """Whether it is longer than any message may be."""
        return len(self._data) > wire.LONGEST

    @property
    def empty(self) -> bool:
        """Whether it has no record."""
        return not self._ends

    def add(self, section: int, owner: bytes, rtype: int, data: bytes, *names: bytes, more: bytes = b"", ttl: int | None = None) -> None:
        """One record more of ANSWER, AUTHORITY or ADDITIONAL, in this order: its data, the names in them, and what follows these.

        Of what has no room any more it counts that it is there: whoever asks is told that there is more.
        """
        self._counts[section] += 1
        if self.full:
            return
        self._write_name(owner)
        at = len(self._data)
        self._data += _FIXED.pack(rtype, wire.CLASS_IN, self._ttl if ttl is None else ttl, 0)
        self._data += data
        for name in names:
            self._write_name(name)
        self._data += more
        _POINTER.pack_into(self._data, at + _FIXED.size - 2, len(self._data) - at - _FIXED.size)
        self._ends.append(len(self._data) - self._start)

    def _write_name(self, name: bytes) -> None:
        """With a pointer to what has been written of it already."""
        for above in wire.parents(name):
            at = self._names.get(above)
            if at is not None:
                self._data += _POINTER.pack(_POINTED | at)
                return
            if len(self._data) < _POINTABLE:
                self._names[above] = len(self._data)
            self._data += above[: above[0] + 1]
        self._data += b"\0"

    def packed(self, flags: int) -> wire.Packed:
        """All of it, with the offset after each record."""
        answers, authorities, additionals = self._counts
        return wire.Packed(flags, bytes(self._data[self._start :]), tuple(self._ends), (answers, authorities, additionals))


ANSWER, AUTHORITY, ADDITIONAL = range(3)


def answer(zone: Zone, node: Node, apex: bytes, key: bytes, qtype: int, own: Owns) -> wire.Packed:
    """The packed answer about a name that is there, below this apex. own: Haystack's IPv4 and IPv6 addresses as this asker reaches it."""
    message = Message(key, zone.ttl)
    _fill(message, zone, node, key, qtype, own)
    if message.empty:
        # RFC 2308 section 3: a negative answer lives as long as its SOA says.
        _add_soa(message, AUTHORITY, zone, apex)
    return message.packed(wire.AA | wire.RA | wire.NOERROR)


def denial(zone: Zone, apex: bytes) -> wire.Packed:
    """NXDOMAIN with the SOA of this apex: the same bytes whatever name was asked for, since no name in them points into the question."""
    soa = _ns(zone) + b"\x0ahostmaster" + zone.apex + struct.pack("!5I", *_times(zone))
    record = apex + struct.pack("!HHIH", wire.SOA, wire.CLASS_IN, zone.ttl, len(soa)) + soa
    return wire.Packed(wire.AA | wire.RA | wire.NXDOMAIN, record, (len(record),), (0, 1, 0))


def _fill(out: Message, zone: Zone, node: Node, key: bytes, qtype: int, own: Owns) -> None:
    node, key = _follow(out, zone, node, key, qtype)
    if qtype == wire.A:
        _add_addresses(out, ANSWER, key, _resolved(node.a, own[0]))
    elif qtype == wire.AAAA:
        _add_addresses(out, ANSWER, key, _resolved(node.aaaa, own[1]))
    elif qtype == wire.PTR:
        for text in node.ptr:
            out.add(ANSWER, key, wire.PTR, b"", wire.name(text))
    elif qtype == wire.SRV:
        _fill_srv(out, node, key)
    elif qtype == wire.SOA and node.apex:
        _add_soa(out, ANSWER, zone, key)
    elif qtype == wire.NS and node.apex:
        out.add(ANSWER, key, wire.NS, b"", _ns(zone))
        _add_addresses(out, ADDITIONAL, _ns(zone), (*own[0], *own[1]))
    elif qtype == wire.ANY and not node.empty:
        # RFC 8482 section 4.2: one small record instead of all of them, so that nobody is worth spoofing.
        out.add(ANSWER, key, wire.HINFO, _HINFO)


def _follow(out: Message, zone: Zone, node: Node, key: bytes, qtype: int) -> tuple[Node, bytes]:
    """Where a CNAME leads as far as it is known here, with all on the way there (RFC 1034, section 4.3.2, step 3a), and that name's own."""
    seen: list[bytes] = []
    while key not in seen and len(seen) < CHAIN and qtype != wire.ANY:
        seen.append(key)
        for rtype, ttl, data in node.records:
            if rtype in (qtype, wire.CNAME):
                out.add(ANSWER, key, rtype, data, ttl=ttl)
        alias = next((data.lower() for rtype, _, data in node.records if rtype == wire.CNAME), None)
        found = zone.find(alias) if alias is not None and qtype != wire.CNAME else None
        if alias is None or found is None or found.node is None:
            break
        node, key = found.node, alias
    return node, key


def _fill_srv(out: Message, node: Node, key: bytes) -> None:
    for target in node.srv:
        # RFC 2782: the target's name is not compressed.
        out.add(ANSWER, key, wire.SRV, _SRV.pack(PRIORITY, target.weight, target.port) + wire.name(target.name))
    if out.full:
        return
    hosts = {(target.name, text): None for target in node.srv for text in (target.host.v4, target.host.v6) if text}
    for name, text in hosts:
        _add_addresses(out, ADDITIONAL, wire.name(name), (text,))


def _resolved(addresses: Iterable[str], own: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(a for text in addresses for a in (own if text == OWN else (text,))))


def _add_addresses(out: Message, section: int, owner: bytes, addresses: Iterable[str]) -> None:
    for text in addresses:
        if ":" in text:
            out.add(section, owner, wire.AAAA, socket.inet_pton(socket.AF_INET6, text))
        else:
            out.add(section, owner, wire.A, socket.inet_pton(socket.AF_INET, text))


def _add_soa(out: Message, section: int, zone: Zone, apex: bytes) -> None:
    mbox = b"\x0ahostmaster" + zone.apex
    out.add(section, apex, wire.SOA, b"", _ns(zone), mbox, more=struct.pack("!5I", *_times(zone)))


def _times(zone: Zone) -> tuple[int, int, int, int, int]:
    return zone.serial, 3600, 600, 86400, zone.ttl


def _ns(zone: Zone) -> bytes:
    return b"\2ns" + zone.apex
