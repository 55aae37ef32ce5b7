"""DNS messages as bytes: a query taken apart by hand, and a packed answer fitted to one asker.

For the two things that happen once a query and so must be cheap; records.py makes the records themselves, once a snapshot.
Never does: decide what the answer is, keep state, touch a socket. Between the server's datagrams and the responder.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from typing import NamedTuple

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
A, NS, CNAME, SOA, PTR, HINFO, TXT, AAAA, SRV, OPT, ANY = 1, 2, 5, 6, 12, 13, 16, 28, 33, 41, 255
CLASS_IN = 1
QR, AA, TC, RD = 0x8000, 0x0400, 0x0200, 0x0100
RA, CD = 0x0080, 0x0010
DO = 0x8000

HEADER = 12
# RFC 9715 section 3.1: small enough for one IPv6 packet on any link, so no answer of ours is ever fragmented.
PAYLOAD = 1232
# RFC 1035 section 4.2.1: what a client without EDNS can take over UDP.
CLASSIC = 512
LONGEST = 65535
# Names that one snapshot has the next one mostly has too.
KEPT = 1 << 16
LONGEST_NAME = 255
LONGEST_LABEL = 63
LARGEST_TYPE = 0xFFFF
# RFC 1035 section 4.1.4: both upper bits of a length octet set.
_POINTER = 0xC0

_RECORD = struct.Struct("!HHIH")
_OPTION = struct.Struct("!HH")


class FormatError(ValueError):
    """The packet is not a well-formed query: the answer is FORMERR."""


class Query(NamedTuple):
    """One question. question: its wire form as asked (name, type, class); key: the name's wire form in lower case."""

    id: bytes
    flags: int
    question: bytes
    key: bytes
    qtype: int
    qclass: int
    edns: bool = False
    payload: int = CLASSIC
    version: int = 0
    do: bool = False


class Record(NamedTuple):
    """Where one resource record lies in a message: offsets, and the fixed fields."""

    start: int
    rtype: int
    rclass: int
    ttl: int
    ttl_at: int
    data_at: int
    end: int


def parse(packet: bytes) -> Query:
    """The one question of a packet of at least 12 octets. Raises FormatError."""
    flags, questions, answers, authorities, additionals = struct.unpack_from("!5H", packet, 2)
    if questions != 1 or answers or authorities:
        raise FormatError("not exactly one question")
    at = _name_end(packet, HEADER, pointers=False)
    if len(packet) < at + 4 or at - HEADER > LONGEST_NAME:
        raise FormatError("the question is cut off or too long")
    qtype, qclass = struct.unpack_from("!HH", packet, at)
    query = Query(packet[:2], flags, packet[HEADER : at + 4], packet[HEADER:at].lower(), qtype, qclass)
    return _with_edns(query, packet, at + 4, additionals) if additionals else query


def _with_edns(query: Query, packet: bytes, at: int, count: int) -> Query:
    """RFC 6891 section 6.1.1: one OPT at most, owned by the root. What else is in the additional section is not ours."""
    for record in records(packet, at, count):
        if record.rtype != OPT:
            continue
        if query.edns or packet[record.start] != 0:
            raise FormatError("a second or a misplaced OPT record")
        _check_options(packet, record)
        query = query._replace(
            edns=True,
            payload=record.rclass,
            version=record.ttl >> 16 & 0xFF,
            do=bool(record.ttl & DO),
        )
    return query


def _check_options(packet: bytes, record: Record) -> None:
    """Unknown options, cookies among them, are passed over (RFC 6891 section 6.1.2); their framing must hold."""
    at = record.data_at
    while at < record.end:
        if at + _OPTION.size > record.end:
            raise FormatError("an EDNS option is cut off")
        at += _OPTION.size + _OPTION.unpack_from(packet, at)[1]
    if at != record.end:
        raise FormatError("an EDNS option is longer than its record")


def records(packet: bytes, at: int, count: int) -> Iterator[Record]:
    """The next count records of a message. Raises FormatError where they are cut off."""
    for _ in range(count):
        fixed = _name_end(packet, at, pointers=True)
        data = fixed + _RECORD.size
        if data > len(packet):
            raise FormatError("a record is cut off")
        rtype, rclass, ttl, length = _RECORD.unpack_from(packet, fixed)
        if data + length > len(packet):
            raise FormatError("a record's data is cut off")
        yield Record(at, rtype, rclass, ttl, fixed + 4, data, data + length)
        at = data + length


def _name_end(packet: bytes, at: int, *, pointers: bool) -> int:
    """The offset after a name. A question has nothing before it to point at, so a pointer there is an error."""
    try:
        while length := packet[at]:
            if length <= LONGEST_LABEL:
                at += length + 1
            elif length >= _POINTER and pointers and at + 2 <= len(packet):
                return at + 2
            else:
                raise FormatError("a label of an unknown kind")
    except IndexError:
        raise FormatError("a name is cut off") from None
    return at + 1


def expanded(packet: bytes, at: int) -> tuple[bytes, int]:
    """A name without compression, in its own case, and the offset after it. Raises FormatError.

    A pointer leads to a prior occurrence (RFC 1035 section 4.1.4), which ends before the name that has the pointer; so they end.
    """
    name, end, first, bound = b"", 0, at, len(packet)
    try:
        while length := packet[at]:
            if length <= LONGEST_LABEL:
                name += packet[at : at + length + 1]
                at += length + 1
            elif length >= _POINTER:
                end, bound = end or at + 2, first
                at = (length & ~_POINTER) << 8 | packet[at + 1]
                first = at
            else:
                raise FormatError("a label of an unknown kind")
            if at >= bound:
                raise FormatError("a name points forward, or runs into what is behind it")
            if len(name) >= LONGEST_NAME:
                raise FormatError("a name is too long")
    except IndexError:
        raise FormatError("a name is cut off") from None
    return name + b"\0", end or at + 1


class Packed(NamedTuple):
    """An answer without its header and question, good for every asker of that question.

    body: what follows the question; its compression pointers count from the message's start, so it fits any question
    of the same length, in any case. ends: the offset in body after each record. counts: answers, authorities,
    additionals. ttls: offsets in body of what ages (empty: nothing does).
    """

    flags: int
    body: bytes = b""
    ends: tuple[int, ...] = ()
    counts: tuple[int, int, int] = (0, 0, 0)
    ttls: tuple[int, ...] = ()


def whole(packed: Packed, query: Query) -> bytes:
    """The message for who takes any size, without EDNS."""
    flags = packed.flags & 0xFFFF | QR | query.flags & (RD | CD)
    return query.id + struct.pack("!5H", flags, 1, *packed.counts) + query.question + packed.body


def aged(packed: Packed, age: int) -> Packed:
    """The same answer so many seconds later: each TTL less by them, and never below 0 (RFC 1035 section 7.4)."""
    return packed._replace(body=_aged(packed.body, packed.ttls, age)) if age and packed.ttls else packed


def _aged(body: bytes, ttls: tuple[int, ...], age: int) -> bytes:
    aged = bytearray(body)
    for at in ttls:
        (ttl,) = struct.unpack_from("!I", aged, at)
        struct.pack_into("!I", aged, at, max(0, ttl - age))
    return bytes(aged)


def opt_record(do: bool, extended: int = 0, options: bytes = b"") -> bytes:
    """An OPT record in wire form (RFC 6891 section 6.1.2); DO is copied from the query (RFC 3225 section 3)."""
    return b"\0" + _RECORD.pack(OPT, PAYLOAD, extended << 24 | (DO if do else 0), len(options)) + options


def labels(name: bytes) -> tuple[bytes, ...]:
    """The labels of a name in wire form."""
    found, at = [], 0
    while length := name[at]:
        found.append(name[at + 1 : at + 1 + length])
        at += length + 1
    return tuple(found)


def text(name: bytes) -> str:
    """A name in wire form for a person, without trailing dot."""
    return ".".join(label.decode("latin-1") for label in labels(name))


@functools.lru_cache(maxsize=KEPT)
def name(text: str) -> bytes:
    """The lower-case wire form of a name in text. Raises ValueError where no such name can be."""
    parts = [part.encode() for part in text.lower().rstrip(".").split(".") if part]
    wire = b"".join(bytes((len(part),)) + part for part in parts if len(part) <= LONGEST_LABEL) + b"\0"
    if len(wire) > LONGEST_NAME or any(len(part) > LONGEST_LABEL for part in parts):
        raise ValueError(f"not a DNS name: {text!r}")
    return wire


def parents(wire: bytes) -> Iterator[bytes]:
    """The name itself, then each name above it, without the root."""
    while wire[0]:
        yield wire
        wire = wire[wire[0] + 1 :]


def question(key: bytes, qtype: int, *, ident: bytes = b"\0\0", flags: int = RD) -> bytes:
    """A query for that name and type, class IN, without EDNS."""
    return ident + struct.pack("!5H", flags, 1, 0, 0, 0) + key + struct.pack("!HH", qtype, CLASS_IN)
