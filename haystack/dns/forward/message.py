"""A question as it goes to a nameserver, and what comes back, taken apart.

Against forged answers (RFC 5452): a random id and a random case of the name for each question; the socket has a random port. What is not
well-formed raises FormatError. Never does: touch a socket, keep anything. Between exchange.py and the wire.
"""

from __future__ import annotations

import secrets
import struct
from enum import Enum, auto
from typing import NamedTuple

from haystack.dns import wire

_FIXED = struct.Struct("!HHIH")
_U32 = struct.Struct("!I")
_FIELDS_OF_SOA = 20
_CASE = 0x20
# RFC 2181 section 8: a TTL with the most significant bit set is 0.
_TTL_LIMIT = 1 << 31
# RFC 2308 section 5: one to three hours have been found to work well for negative answers.
LONGEST_NO = 10_800
GOOD = (wire.NOERROR, wire.NXDOMAIN)


class Sent(NamedTuple):
    """One question as it is sent. question: name in its random case, type, class."""

    packet: bytes
    question: bytes


def question(query: wire.Query, *, plain: bool = False, caseless: bool = False) -> Sent:
    """With our own id and EDNS, the asker's DO and CD. plain: without EDNS; caseless: the name in lower case."""
    name = query.key if caseless else mixed(query.key)
    asked = name + query.question[len(name) :]
    header = struct.pack("!5H", wire.RD | query.flags & wire.CD, 1, 0, 0, not plain)
    opt = b"" if plain else wire.opt_record(query.do)
    return Sent(secrets.token_bytes(2) + header + asked + opt, asked)


def mixed(name: bytes) -> bytes:
    """A name in wire form with each letter in a random case. No length of a label is a letter."""
    bits = secrets.randbits(len(name))
    return bytes(octet ^ _CASE if bits >> n & 1 and _is_letter(octet) else octet for n, octet in enumerate(name))


def _is_letter(octet: int) -> bool:
    return 0x61 <= octet | _CASE <= 0x7A  # noqa: PLR2004 - a and z


class Verdict(Enum):
    """What a message that came is. IGNORED: anybody may have sent it."""

    IGNORED = auto()
    ANSWER = auto()
    OTHER_CASE = auto()
    LYING = auto()
    GARBLED = auto()


def judge(sent: Sent, data: bytes, *, tcp: bool = False) -> Verdict:
    """Whether this answers that question (RFC 5452 section 9.1). Over TCP nobody else can have sent it: any case will do."""
    if data[:2] != sent.packet[:2]:
        return Verdict.IGNORED
    if len(data) < wire.HEADER:
        return Verdict.GARBLED
    if data[2] & 0xF8 != wire.QR >> 8:
        return Verdict.LYING
    questions, rcode = data[4:6], data[3] & 0x0F
    if questions == b"\0\0" and rcode not in GOOD:
        return Verdict.ANSWER  # FORMERR and its like may come as a header alone
    if questions != b"\0\1":
        return Verdict.GARBLED
    return _compared(sent.question, data[wire.HEADER : wire.HEADER + len(sent.question)], tcp)


def _compared(asked: bytes, found: bytes, tcp: bool) -> Verdict:
    if found == asked:
        return Verdict.ANSWER
    if found[:-4].lower() == asked[:-4].lower() and found[-4:] == asked[-4:]:
        return Verdict.ANSWER if tcp else Verdict.OTHER_CASE
    return Verdict.LYING


class Record(NamedTuple):
    """One record of a message: its section (0 to 2), its owner in lower case, and offsets."""

    section: int
    owner: bytes
    rtype: int
    rclass: int
    ttl: int
    ttl_at: int
    data_at: int
    end: int


class Reply(NamedTuple):
    """A message taken apart, without its OPT record. start: where its records begin; rcode: all twelve bits of it."""

    data: bytes
    start: int
    rcode: int
    cut: bool
    records: list[Record]


def read(data: bytes, asked: bytes) -> Reply:
    """What has been judged to be an answer. asked: the question in wire form. Raises FormatError."""
    flags, questions, *counts = struct.unpack_from("!5H", data, 2)
    start = wire.HEADER + (len(asked) if questions else 0)
    found = records(data, start, counts)
    if found and not questions:
        raise wire.FormatError("records without a question")
    rcode = flags & 0x000F
    for n, record in enumerate(found):
        if record.rtype == wire.OPT:
            if record.section != len(counts) - 1:
                raise wire.FormatError("an OPT record among the answers")
            rcode |= record.ttl >> 24 << 4  # RFC 6891 section 6.1.3
            found = found[:n]  # it was for us alone, and so is what signs the message
            break
    return Reply(data, start, rcode, bool(flags & wire.TC), found)


def records(data: bytes, at: int, counts: list[int]) -> list[Record]:
    """So many records in each section. Raises FormatError."""
    found: list[Record] = []
    owners: dict[int, bytes] = {}
    size = len(data)
    for section, count in enumerate(counts):
        for _ in range(count):
            owner, fixed = _owner(data, at, owners)
            data_at = fixed + _FIXED.size
            if data_at > size:
                raise wire.FormatError("a record is cut off")
            rtype, rclass, ttl, length = _FIXED.unpack_from(data, fixed)
            at = data_at + length
            if at > size:
                raise wire.FormatError("a record's data is cut off")
            found.append(Record(section, owner, rtype, rclass, ttl, fixed + 4, data_at, at))
    return found


def _owner(data: bytes, at: int, owners: dict[int, bytes]) -> tuple[bytes, int]:
    """A record's owner, and the offset after it. Most are pointers to one and the same name."""
    head = data[at : at + 2]
    if len(head) < 2 or head < b"\xc0":  # noqa: PLR2004 - a pointer has two octets
        name, end = wire.expanded(data, at)
        return name.lower(), end
    to = int.from_bytes(head, "big") & 0x3FFF
    name = owners.get(to, b"")
    if not name:
        name = owners[to] = wire.expanded(data, at)[0].lower()
    return name, at + 2


def packed(reply: Reply) -> tuple[wire.Packed, int]:
    """The reply as an answer for any asker of this question, and the seconds it may be kept (0: not at all).

    The TTLs of an RRset are its lowest one (RFC 2181 section 5.2).
    """
    start, found = reply.start, reply.records
    ttls = _ttls(reply)
    body = bytearray(reply.data[start : found[-1].end if found else start])
    for record, ttl in zip(found, ttls, strict=True):
        if ttl != record.ttl:
            _U32.pack_into(body, record.ttl_at - start, ttl)
    sections = [record.section for record in found]
    answer = wire.Packed(
        flags=(reply.rcode & 0x000F) | wire.RA,
        body=bytes(body),
        ends=tuple([record.end - start for record in found]),
        counts=(sections.count(0), sections.count(1), sections.count(2)),
        ttls=tuple([record.ttl_at - start for record in found]),
    )
    return answer, _lifetime(reply, ttls)


def _ttls(reply: Reply) -> list[int]:
    """What each record's TTL is, after all: within its bounds, the lowest of its RRset, and of a negative answer's SOA its minimum."""
    lowest: dict[tuple[bytes, int, int], int] = {}
    keys = [(record.owner, record.rtype, record.rclass) for record in reply.records]
    for key, record in zip(keys, reply.records, strict=True):
        ttl = record.ttl if record.ttl < _TTL_LIMIT else 0
        if record.rtype == wire.SOA and record.section == 1:
            ttl = min(ttl, _minimum(reply.data, record), LONGEST_NO)  # RFC 2308 sections 3 and 5
        lowest[key] = min(ttl, lowest.get(key, ttl))
    return [lowest[key] for key in keys]


def _minimum(data: bytes, record: Record) -> int:
    """The SOA's last field; 0 where it is none (RFC 1035 section 3.3.13: two names, and five numbers)."""
    if record.end - record.data_at < _FIELDS_OF_SOA + 2:
        return 0
    minimum: int = _U32.unpack_from(data, record.end - 4)[0]
    return minimum if minimum < _TTL_LIMIT else 0


def _lifetime(reply: Reply, ttls: list[int]) -> int:
    """RFC 2308 section 5: an answer lives as its shortest record; a negative one without SOA is not kept at all."""
    answers = any(record.section == 0 for record in reply.records)
    soa = any(record.rtype == wire.SOA and record.section == 1 for record in reply.records)
    if reply.cut or reply.rcode not in GOOD or not (soa or (answers and reply.rcode == wire.NOERROR)):
        return 0
    return min(ttls)
