"""Answers for the zone: bytes in, bytes out.

Holds the newest zone and, for its lifetime, each answer as packed bytes. Never does: open a socket, wait, forward (it says
Forward, and the server has a Forwarder for that), raise. Between the server and the zone.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

import dnslib
import msgspec
import structlog

from haystack.dns import records, wire
from haystack.dns.zone import OWN, Found, Node, Picture, Zone, reverse
from haystack.loop.turns import Turns, at_once
from haystack.model.records import Container, Engine, Service
from haystack.model.snapshot import RawRecord
from haystack.net.rights import Right

log = structlog.get_logger()

# Names are any number, and askers choose them: what is kept of them is bounded.
CACHED = 10_000
_TRANSFERS = frozenset((251, 252))
EVERYTHING = int(Right.INSIDE | Right.RECURSION)
# RFC 8914 section 4.19: Prohibited (18).
_PROHIBITED = b"\0\x0f\0\x02\0\x12"
_REFUSED = wire.Packed(wire.REFUSED)


class Forward(NamedTuple):
    """A query that is not ours to answer."""

    query: wire.Query
    tcp: bool


class Own(NamedTuple):
    """Haystack's own addresses as one asker reaches it, and their reverse names in wire form."""

    v4: tuple[str, ...]
    v6: tuple[str, ...]
    reverses: frozenset[bytes]

    @classmethod
    def of(cls, addresses: tuple[str, ...], local: str) -> Own:
        """The addresses that are set, else the one that was asked."""
        found = [a for a in map(_address, addresses or (local,)) if a is not None]
        v4 = tuple(str(a) for a in found if isinstance(a, ipaddress.IPv4Address))
        v6 = tuple(str(a) for a in found if isinstance(a, ipaddress.IPv6Address))
        return cls(v4, v6, frozenset(wire.name(reverse(text)) for text in v4 + v6))


class Nothing(msgspec.Struct, frozen=True):
    """The picture before the first snapshot: nothing found yet."""

    origin: str
    version: int = 1
    engines: dict[str, Engine] = {}
    containers: dict[str, Container] = {}
    services: dict[str, Service] = {}
    records: dict[bytes, tuple[RawRecord, ...]] = {}

    def changed_since(self, _version: int | None) -> None:
        """Anything may be different."""


class Responder:
    """What a query is answered with. addresses: Haystack's own, where they are set; else the one that was asked.

    Until there is a snapshot with a version, and between hold and open, what is not in the zone is SERVFAIL.
    """

    def __init__(self, origin: str, ttl: int, addresses: tuple[str, ...] = ()) -> None:
        self._ttl = ttl
        self._addresses = tuple(str(address) for address in addresses)
        self._owns: dict[str, Own] = {}
        self._packed: dict[tuple[bytes, int, str], wire.Packed] = {}
        self._denials: dict[bytes, wire.Packed] = {}
        self._held = False
        self._version = 0
        self.zone = Zone.of(Nothing(origin), ttl)

    def hold(self) -> None:
        """More is to come: what is not known yet may exist."""
        self._held = True

    def open(self) -> None:
        """What is not known does not exist."""
        self._held = False

    def publish(self, snapshot: Picture) -> None:
        """Answer from this snapshot from now on."""
        at_once(self.follow(snapshot))

    def follow(self, snapshot: Picture) -> Turns[None]:
        """The same in turns: until the last of them what was known before is answered. Every packed answer goes with that."""
        zone = yield from self.zone.follow(snapshot)
        self._version, self.zone = snapshot.version, zone
        self._packed, self._denials = {}, {}

    def answer(self, query: bytes, local: str, tcp: bool, rights: int = EVERYTHING) -> bytes | Forward | None:
        """The bytes to send, Forward for what is not ours, None to stay silent. Never raises.

        local: the own address on which this asker reached us; rights: what the asker may (net/rights.py).
        """
        if len(query) < wire.HEADER or query[2] & 0x80:
            # Answering an answer could go on for ever between two servers.
            return None
        try:
            return self._answer(query, local, tcp, rights)
        except wire.FormatError:
            return wire.refusal(query, wire.FORMERR)
        except Exception:
            log.exception("dns.query_failed", query=query.hex())
            return wire.refusal(query, wire.SERVFAIL)

    def _answer(self, packet: bytes, local: str, tcp: bool, rights: int) -> bytes | Forward:
        if packet[2] & 0x78:
            return wire.refusal(packet, wire.NOTIMP)
        query = wire.parse(packet)
        if rcode := _unanswerable(query):
            # An extended code's upper bits travel in the OPT record (RFC 6891 section 6.1.3).
            return wire.render(wire.Packed(rcode >> 4 << 16 | wire.RA | rcode & 15), query, tcp)
        if rights & EVERYTHING != EVERYTHING:
            return self._for_stranger(query, local, tcp, rights)
        return self._for_all(query, local, tcp)

    def _for_stranger(self, query: wire.Query, local: str, tcp: bool, rights: int) -> bytes | Forward:
        """For who may not ask for everything: what is ours is for the inside or public, what is not ours for those with recursion."""
        found = self._find(query.key, self._own(local))
        public = found is not None and found.node is not None and found.node.public
        if not public and not rights & (Right.INSIDE if found is not None else Right.RECURSION):
            return wire.render(_REFUSED, query, tcp, options=_PROHIBITED)
        reply = self._for_all(query, local, tcp)
        if isinstance(reply, Forward) or rights & Right.RECURSION:
            return reply
        flags = int.from_bytes(reply[2:4], "big") & ~wire.RA  # RFC 1035 section 4.1.1: whether recursion may be had
        return reply[:2] + flags.to_bytes(2, "big") + reply[4:]

    def _for_all(self, query: wire.Query, local: str, tcp: bool) -> bytes | Forward:
        packed = self._packed.get((query.key, query.qtype, "")) or self._packed.get((query.key, query.qtype, local))
        if packed is None:
            packed = self._pack(query.key, query.qtype, local)
        return Forward(query, tcp) if packed is None else wire.render(packed, query, tcp)

    def _pack(self, key: bytes, qtype: int, local: str) -> wire.Packed | None:
        """Pack the answer and keep it: for every asker, or where it bears our own address for those of this one."""
        own = self._own(local)
        found = self._find(key, own)
        if found is None:
            return None
        if found.node is None:
            return self._denied(found.apex)
        packed = records.answer(self.zone, found.node, found.apex, key, qtype, (own.v4, own.v6))
        if len(self._packed) >= CACHED:
            self._packed.clear()
        self._packed[key, qtype, local if _depends(found.node, qtype) else ""] = packed
        return packed

    def _denied(self, apex: bytes) -> wire.Packed:
        """One answer for all names that are not there: whoever invents them takes the place of no other answer, and costs a copy."""
        if self._held or self._version == 0:
            # Nobody can say yet that it does not exist, and a client would keep that answer: it is to ask again, or another server.
            return wire.Packed(wire.RA | wire.SERVFAIL)
        packed = self._denials.get(apex)
        if packed is None:
            packed = self._denials[apex] = records.denial(self.zone, apex)
        return packed

    def _find(self, key: bytes, own: Own) -> Found | None:
        """What the zone holds, or the reverse name of the very address that was asked."""
        found = self.zone.find(key)
        if key in own.reverses and (found is None or found.node is None or found.node.empty):
            node = Node()
            node.hold("ptr", self.zone.origin)
            return Found(node, found.apex if found else key)
        return found

    def _own(self, local: str) -> Own:
        own = self._owns.get(local)
        if own is None:
            if len(self._owns) >= CACHED:
                self._owns.clear()
            own = self._owns[local] = Own.of(self._addresses, local)
        return own

    def lookup(self, name: str, qtype: str, local: str) -> list[str]:
        """The answer as lines for a person: first the status, then a record a line. Never raises."""
        number = _type_number(qtype)
        if number is None:
            return [f";; no such record type: {qtype}"]
        try:
            key = wire.name(name)
        except ValueError as error:
            return [f";; {error}"]
        packet = wire.question(key, number)
        reply = self.answer(packet, local, tcp=True)
        if not isinstance(reply, bytes):
            return [";; not in the zone: forwarded to the nameservers"]
        return _lines(dnslib.DNSRecord.parse(reply))


def _type_number(text: str) -> int | None:
    """``A`` is 1, and so is ``TYPE1`` (RFC 3597 section 5); None for what is no type."""
    try:
        number = int(getattr(dnslib.QTYPE, text.upper()))
    except (dnslib.DNSError, ValueError):
        return None
    return number if 0 <= number <= wire.LARGEST_TYPE else None


def _unanswerable(query: wire.Query) -> int:
    """The code for what no zone and no nameserver is asked for; 0 where it may be answered."""
    if query.version > 0:
        return wire.BADVERS
    if query.qtype == wire.OPT:
        return wire.FORMERR
    if query.qclass != wire.CLASS_IN or query.qtype in _TRANSFERS:
        return wire.REFUSED
    return wire.NOERROR


def _depends(node: Node, qtype: int) -> bool:
    """A name with nothing may be the reverse of another asker's address; a name server's address is our own."""
    if node.empty:
        return True
    if qtype in (wire.PTR, wire.NS) or any(rtype == wire.CNAME for rtype, _, _ in node.records):
        return True
    return bool(node.a or node.aaaa) and OWN in (*node.a, *node.aaaa)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address that a record can hold; None for what is none, and for the unspecified one."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return None if address.is_unspecified else address


def _lines(message: dnslib.DNSRecord) -> list[str]:
    status = dnslib.RCODE.get(message.header.rcode)
    lines = [f";; {status}, {len(message.rr)} answers"]
    for title, section in (("", message.rr), (";; authority", message.auth), (";; additional", message.ar)):
        lines += [title] if title and section else []
        lines += [str(record.toZone()) for record in section]
    return lines
