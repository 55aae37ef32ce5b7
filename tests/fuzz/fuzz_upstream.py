"""Fuzz target: any bytes as what a nameserver says, through all that is made of it: taken apart, packed, kept, and given to who waits.

The first octet says which question was asked; the rest is the reply, behind whose header that question is put, for else few replies would
go far. Whoever waits has an answer to the own question, as long as the asker takes it, of whole records; and so at any
age and limit.
"""

from __future__ import annotations

import struct

from haystack._fast.dns import testing
from haystack._fast.dns.cache import Cache
from haystack._fast.dns.pending import Pending
from haystack._fast.dns.responder import Responder
from haystack._fast.dns.rotation import Rotation
from haystack._fast.dns.zone import Zone
from haystack._fast.net.poller import Poller
from haystack.dns import wire
from haystack.dns.forward import message, resolved, rewriting
from haystack.dns.forward.cache import Answer
from haystack.dns.forward.cache import Entry as Kept
from haystack.dns.forward.message import Reply
from haystack.dns.messages import Resolved
from haystack.dns.service import resolved as told
from tests.fuzz import run
from tests.fuzz.rig import HandLoop
from tests.oracles.dns_answer import limit

LONG = (b"\x3f" + b"l" * 63) * 3 + b"\x3d" + b"l" * 61 + b"\0"
NAMES = (wire.name("www.example.org"), wire.name("a.b"), b"\0", LONG)
TYPES = (wire.A, wire.CNAME, wire.ANY, 16)
OPTS = (b"", wire.opt_record(False), wire.opt_record(True)[:3] + b"\2\0" + wire.opt_record(True)[5:])
OURS = wire.name("haystack")
LIFE = 3  # seconds in the middle of which an answer is looked at


def one(data: bytes) -> None:
    """One reply."""
    which = data[0] if data else 0
    asked = wire.question(NAMES[which % 4], TYPES[which >> 2 & 3])
    query = wire.parse(asked)
    try:
        reply = believed(query, data[1:])
        found = resolved.given(Answer(*message.packed(reply)), resolved.Source.UPSTREAM)
    except wire.FormatError:
        return
    packets = [with_edns(asked, opt) for opt in OPTS]
    give(told(1, found), packets)
    keep(query, found, packets)


def believed(query: wire.Query, data: bytes) -> Reply:
    """What forwarding makes of it. Raises FormatError."""
    sent = message.question(query)
    data = (
        sent.packet[:2]
        + bytes([data[0] & 7 | 0x80 if data else 0x80])
        + data[1:2].ljust(1, b"\0")
        + b"\0\1"
        + data[2:8].ljust(6, b"\0")[:6]
        + (sent.question + data[8:])
    )
    if message.judge(sent, data) is not message.Verdict.ANSWER:
        raise wire.FormatError("no answer")
    reply = message.read(data, sent.question)
    return rewriting.own(reply, query.key, query.qtype, lambda name: name.endswith(OURS)).reply


def with_edns(packet: bytes, opt: bytes) -> bytes:
    """The same question of another asker."""
    return packet[:10] + (b"\0\1" if opt else b"\0\0") + packet[12:] + opt


def give(answer: Resolved, packets: list[bytes]) -> None:
    """To all who wait for it; then it is in the cache, for whoever asks next."""
    loop = HandLoop()
    poller = Poller(loop, lambda _error: None)
    responder = Responder(Zone(OURS, 5), Cache(1 << 20), Rotation())
    rows: list[tuple[int, bytes, bytes, bool]] = []
    pending = Pending(poller, responder, rows.extend, 64)
    replies: list[tuple[bytes, bytes]] = []
    for packet in (*packets[:2], *packets[:2]):  # equal questions: DO makes the third one another
        assert testing.ask(pending, packet, replies)
    while loop.turn():
        pass
    assert len(rows) == 2  # of one client: the others wait with the first
    for number, *_ in rows:
        pending.told(number, *(getattr(answer, name) for name in answer.__struct_fields__ if name != "number"))
    assert len(replies) == 4
    assert pending.waiting == 0
    for packet, reply in replies:
        check(packet, reply, limit(wire.parse(packet), tcp=False))
        again = responder.ask(packet)
        assert (again is not None) == bool(answer.lifetime)
        assert again is None or again[2:] == reply[2:]
    poller.stop()


def keep(query: wire.Query, found: resolved.Resolved, packets: list[bytes]) -> None:
    """As written at any age and limit; and as the control process keeps it."""
    fields = told(1, found)
    row = (fields.flags, fields.body, fields.ends, fields.ages, fields.counts, found.options, LIFE)
    ends = [wire.HEADER + len(query.question) + end for end in found.packed.ends]
    limits = {most for end in ends[:8] + ends[-3:] for most in (end - 1, end, end + 1, end + 11) if wire.CLASSIC <= most <= wire.LONGEST}
    for packet in packets:
        for most in {wire.CLASSIC, wire.PAYLOAD, wire.LONGEST, *limits}:
            for age in (0, LIFE * 500, LIFE * 1000, 1 << 40):
                check(packet, testing.kept(row, packet, age, limit=most) or b"", most)
    if found.lifetime:
        kept = Kept(Answer(found.packed, found.lifetime), 0.0)
        for answer in (kept.answer(0.0), kept.answer(found.lifetime - 0.5), kept.stale(30)):
            rewriting.unpacked(answer.packed, query.key)


def check(packet: bytes, reply: bytes, limit: int) -> None:
    """What any answer is."""
    query = wire.parse(packet)
    flags, questions, *counts = struct.unpack_from("!5H", reply, 2)
    assert (reply[:2], questions) == (packet[:2], 1)
    assert flags & wire.QR
    assert reply[wire.HEADER :].startswith(query.question)
    assert len(reply) <= limit
    found = list(wire.records(reply, wire.HEADER + len(query.question), sum(counts)))
    assert (found[-1].end if found else wire.HEADER + len(query.question)) == len(reply)
    assert [record.rtype for record in found[-1:]].count(wire.OPT) == query.edns


if __name__ == "__main__":
    run.main(one)
