"""A name's node and a question's type → the records of the answer, packed once by dnslib.

Never does: look a name up, know a transport, keep anything. Between the zone and the responder.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import dnslib

from haystack.dns import wire
from haystack.dns.zone import OWN, PRIORITY, Node, Zone

type_names = dnslib.QTYPE
_POINTABLE = 0x4000


class Sections:
    """The records of one answer, by section."""

    def __init__(self) -> None:
        self.answers: list[dnslib.RR] = []
        self.authorities: list[dnslib.RR] = []
        self.additionals: list[dnslib.RR] = []


def answer(zone: Zone, node: Node, apex: bytes, key: bytes, qtype: int, own: tuple[tuple[str, ...], tuple[str, ...]]) -> wire.Packed:
    """The packed answer about a name that is there, below this apex. own: Haystack's IPv4 and IPv6 addresses as this asker reaches it."""
    sections = Sections()
    _fill(sections, zone, node, key, qtype, own)
    if not sections.answers:
        # RFC 2308 section 3: a negative answer lives as long as its SOA says.
        sections.authorities.append(_soa(zone, apex))
    return pack(key, qtype, sections, wire.AA | wire.RA | wire.NOERROR)


def denial(zone: Zone, apex: bytes) -> wire.Packed:
    """NXDOMAIN with the SOA of this apex: the same bytes whatever name was asked for, since no name in them points into the question."""
    soa = b"\2ns" + zone.apex + b"\x0ahostmaster" + zone.apex + struct.pack("!5I", *_times(zone))
    record = apex + struct.pack("!HHIH", wire.SOA, wire.CLASS_IN, zone.ttl, len(soa)) + soa
    return wire.Packed(wire.AA | wire.RA | wire.NXDOMAIN, record, (len(record),), (0, 1, 0))


def _fill(out: Sections, zone: Zone, node: Node, key: bytes, qtype: int, own: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    owner = _label(key)
    if qtype == wire.A:
        out.answers += _addresses(owner, zone.ttl, _resolved(node.a, own[0]))
    elif qtype == wire.AAAA:
        out.answers += _addresses(owner, zone.ttl, _resolved(node.aaaa, own[1]))
    elif qtype == wire.PTR:
        out.answers += [_rr(owner, zone.ttl, wire.PTR, dnslib.PTR(_text(text))) for text in node.ptr]
    elif qtype == wire.SRV:
        _fill_srv(out, zone, node, owner)
    elif qtype == wire.SOA and node.apex:
        out.answers.append(_soa(zone, key))
    elif qtype == wire.NS and node.apex:
        out.answers.append(_rr(owner, zone.ttl, wire.NS, dnslib.NS(_ns(zone))))
        out.additionals += _addresses(_ns(zone), zone.ttl, (*own[0], *own[1]))
    elif qtype == wire.ANY and not node.empty:
        # RFC 8482 section 4.2: one small record instead of all of them, so that nobody is worth spoofing.
        out.answers.append(_rr(owner, zone.ttl, wire.HINFO, _hinfo()))


def _fill_srv(out: Sections, zone: Zone, node: Node, owner: dnslib.DNSLabel) -> None:
    for target in node.srv:
        data = dnslib.SRV(PRIORITY, target.weight, target.port, _text(target.name))
        out.answers.append(_rr(owner, zone.ttl, wire.SRV, data))
    hosts = {(target.name, text): None for target in node.srv for text in (target.address, target.address6) if text}
    for name, text in hosts:
        out.additionals += _addresses(_text(name), zone.ttl, (text,))


def _resolved(addresses: Iterable[str], own: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(a for text in addresses for a in (own if text == OWN else (text,))))


def _addresses(owner: dnslib.DNSLabel, ttl: int, addresses: Iterable[str]) -> list[dnslib.RR]:
    return [_rr(owner, ttl, wire.AAAA, dnslib.AAAA(text)) if ":" in text else _rr(owner, ttl, wire.A, dnslib.A(text)) for text in addresses]


def _soa(zone: Zone, apex: bytes) -> dnslib.RR:
    mbox = dnslib.DNSLabel((b"hostmaster", *wire.labels(zone.apex)))
    return _rr(_label(apex), zone.ttl, wire.SOA, dnslib.SOA(_ns(zone), mbox, _times(zone)))


def _times(zone: Zone) -> tuple[int, int, int, int, int]:
    return zone.serial, 3600, 600, 86400, zone.ttl


def _hinfo() -> dnslib.RD:
    return dnslib.RD(b"\x07RFC8482\x00")


def _ns(zone: Zone) -> dnslib.DNSLabel:
    return dnslib.DNSLabel((b"ns", *wire.labels(zone.apex)))


def _label(name: bytes) -> dnslib.DNSLabel:
    return dnslib.DNSLabel(wire.labels(name))


def _text(text: str) -> dnslib.DNSLabel:
    """Not dnslib's own way from text: that one reads IDNA into it."""
    return _label(wire.name(text))


def _rr(owner: dnslib.DNSLabel, ttl: int, rtype: int, data: dnslib.RD) -> dnslib.RR:
    return dnslib.RR(owner, rtype, wire.CLASS_IN, ttl, data)


def pack(key: bytes, qtype: int, sections: Sections, flags: int) -> wire.Packed:
    """The records behind a question of that name, with the offset after each."""
    buffer = dnslib.DNSBuffer()
    buffer.append(bytes(wire.HEADER))
    dnslib.DNSQuestion(_label(key), qtype).pack(buffer)
    start, ends = buffer.offset, []
    for record in (*sections.answers, *sections.authorities, *sections.additionals):
        record.pack(buffer)
        ends.append(buffer.offset - start)
        if buffer.offset >= _POINTABLE:
            # RFC 1035 section 4.1.4: a pointer holds 14 bits, and dnslib would point further.
            buffer.names = {name: at for name, at in buffer.names.items() if at < _POINTABLE}
    counts = (len(sections.answers), len(sections.authorities), len(sections.additionals))
    return wire.Packed(flags, bytes(buffer.data[start:]), tuple(ends), counts)
