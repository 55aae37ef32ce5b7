"""A kept answer fitted to one asker: what haystack/_fast/dns/cache.pyx does, written plainly."""

from __future__ import annotations

import struct
from bisect import bisect_right

from haystack.dns.wire import CD, CLASSIC, HEADER, LONGEST, PAYLOAD, QR, RD, TC, Packed, Query, aged, opt_record


def limit(query: Query, tcp: bool) -> int:
    """The most octets that this asker takes in one message (RFC 6891 section 6.2.3 to 6.2.5)."""
    return LONGEST if tcp else max(CLASSIC, min(query.payload, PAYLOAD))


def render(packed: Packed, query: Query, tcp: bool, *, age: int = 0, options: bytes = b"") -> bytes:
    """The message for this asker: case of the question kept, EDNS if there was EDNS, cut to what fits.

    options: EDNS options in wire form, dropped where the asker has no EDNS. age: seconds to take off each TTL.
    """
    opt = opt_record(query.do, packed.flags >> 16, options) if query.edns else b""
    room = limit(query, tcp) - HEADER - len(query.question) - len(opt)
    packed = aged(packed, age)
    flags, body, counts = packed.flags & 0xFFFF, packed.body, packed.counts
    if len(body) > room:
        flags, body, counts = _cut(packed, body, flags, room)
    flags |= QR | query.flags & (RD | CD)
    header = struct.pack("!6H", 0, flags, 1, counts[0], counts[1], counts[2] + query.edns)
    return query.id + header[2:] + query.question + body + opt


def _cut(packed: Packed, body: bytes, flags: int, room: int) -> tuple[int, bytes, tuple[int, int, int]]:
    """RFC 2181 section 9: additional records go first and without TC; then whole records from the end, with TC.

    Some clients never ask again over TCP: those records that fit are of use to them.
    """
    answers, authorities, _ = packed.counts
    wanted = answers + authorities
    kept = bisect_right(packed.ends, room, 0, min(wanted, len(packed.ends)))
    size = packed.ends[kept - 1] if kept else 0
    if kept < wanted:
        flags |= TC
    return flags, body[:size], (min(kept, answers), max(0, kept - answers), 0)
