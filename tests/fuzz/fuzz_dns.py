"""Fuzz target: any bytes as a question, before the compiled responder of a zone made at random.

The first octets are the zone's seed and the asker; the rest is the question. What is answered is a DNS message with this question, by our
own reader and dnspython, and no longer than the asker takes.
"""

from __future__ import annotations

import re
import struct
from random import Random

import dns.message

from haystack._fast.dns import testing
from haystack.dns import wire
from haystack.dns.forward import message
from haystack.net.rights import Right
from tests.fuzz import mutate, run, zones
from tests.oracles.dns_answer import limit

SEED = 4  # octets of it: two of the zone, one of who asks, one of where
LOCAL = (b"", b"\x0a\0\0\1", b"\xfd" + bytes(15))
KNOWN = 64
RESPONDERS: dict[int, zones.Responder] = {}


def responder(seed: int) -> zones.Responder:
    """The one of that seed: to make it takes longer than to ask it."""
    if seed not in RESPONDERS:
        if len(RESPONDERS) >= KNOWN:
            RESPONDERS.pop(next(iter(RESPONDERS)))
        RESPONDERS[seed] = zones.responder(Random(seed))
    return RESPONDERS[seed]


def one(data: bytes) -> None:
    """Ask once."""
    seed, who, where = struct.unpack("<HBB", data[:SEED].ljust(SEED, b"\0"))
    packet, tcp = data[SEED:], bool(who & 1)
    rights = Right.INSIDE * (who >> 1 & 1) | Right.RECURSION * (who >> 2 & 1)
    made = responder(seed)
    made.held = bool(who & 8)
    reply = testing.answer(made, packet, LOCAL[where % len(LOCAL)], tcp=tcp, rights=int(rights), network=where >> 4)
    if reply:
        check(packet, reply, tcp=tcp)


def check(packet: bytes, reply: bytes, *, tcp: bool) -> None:
    """What any answer is."""
    assert reply[:2] == packet[:2]
    assert reply[2] & 0x80
    flags, questions, *counts = struct.unpack_from("!5H", reply, 2)
    if not questions:  # it could not be read
        assert reply[wire.HEADER :] in (b"", wire.opt_record(False), wire.opt_record(True))
        assert has_edns(packet) in (None, len(reply) > wire.HEADER)
        return
    query = wire.parse(packet)
    assert reply[wire.HEADER :].startswith(query.question)
    assert len(reply) <= (limit(query, tcp) if query.edns else wire.LONGEST if tcp else wire.CLASSIC)
    found = message.records(reply, wire.HEADER + len(query.question), counts)
    assert (found[-1].end if found else wire.HEADER + len(query.question)) == len(reply)
    assert [record.rtype for record in found].count(wire.OPT) == query.edns
    assert not flags & wire.TC or not tcp or len(reply) > wire.LONGEST // 2
    dns.message.from_wire(reply, raise_on_truncation=False)


def has_edns(packet: bytes) -> bool | None:
    """Whether a message has it, a query or not; None: it is no message, or its OPT may be under a name that points to a root elsewhere.

    That name has to be a root itself (RFC 6891, section 6.1.2), which dnspython takes less strictly.
    """
    if POINTED_OPT.search(packet):
        return None
    try:
        return dns.message.from_wire(packet, ignore_trailing=True).edns >= 0
    except Exception:  # noqa: BLE001 - dnspython raises more than its own
        return None


def changed(data: bytes, max_size: int, seed: int) -> bytes:
    """atheris's custom mutator: another zone, another name of it, damage to the question."""
    random = Random(seed)
    head, packet = data[:SEED].ljust(SEED, b"\0"), data[SEED:]
    match random.randrange(4):
        case 0:
            head = random.randbytes(2) + head[2:]
        case 1:
            head = head[:2] + random.randbytes(2)
        case 2:
            names = list(responder(int.from_bytes(head[:2], "little")).zone.nodes)
            packet = asked(random, zones.name(random, random.choice(names)))
        case _:
            packet = mutate.mutated(random, packet, OTHERS or [packet])
    return (head + packet)[:max_size]


def asked(random: Random, name: bytes) -> bytes:
    """A good question for that name."""
    qtype = random.choice((wire.A, wire.AAAA, wire.SRV, wire.PTR, wire.SOA, wire.NS, wire.ANY, wire.CNAME, 16, random.randrange(65536)))
    packet = wire.question(name, qtype, ident=random.randbytes(2), flags=random.choice((0, wire.RD, wire.CD)))
    if random.randrange(2):
        return packet
    opt = (
        b"\0\0\x29"
        + random.choice((b"\2\0", b"\4\xd0", random.randbytes(2)))
        + random.choice((bytes(4), b"\0\0\x80\0", random.randbytes(4)))
    )
    return packet[:11] + b"\1" + packet[12:] + opt + random.choice((b"\0\0", b"\0\4\0\x0a\0\0", random.randbytes(2)))


POINTED_OPT = re.compile(rb"[\xc0-\xff].\0\x29", re.DOTALL)
OTHERS: list[bytes] = []

if __name__ == "__main__":
    OTHERS += mutate.corpus("dns").values()
    run.main(one, changed)
