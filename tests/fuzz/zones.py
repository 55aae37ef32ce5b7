"""Zones of a compiled responder, made at random from a seed: all that a row can hold, in sets of one and of hundreds."""

from __future__ import annotations

from random import Random

from haystack._fast.dns.cache import Cache
from haystack._fast.dns.responder import Responder
from haystack._fast.dns.rotation import Rotation
from haystack._fast.dns.zone import Zone
from haystack.dns import wire
from haystack.dns.rows import HostRow, Mark, NodeRow, Row, TargetRow, packed

ORIGIN = wire.name("haystack")
LABELS = (b"a", b"b", b"*", b"_tcp", b"services", b"A-b", b"x" * 63, b"\0\xff", b"xn--a")
APEXES = (ORIGIN, wire.name("10.in-addr.arpa"), wire.name("localhost"), wire.name("example.org"))
NUMBERS = (0, 0, 1, 1, 2, 3, 40, 300)  # of records in a set
NETWORKS = 3


def name(random: Random, above: bytes = b"") -> bytes:
    """A name in lower case, below that one or one of APEXES; at times it is as long as a name can be."""
    found = above or random.choice(APEXES)
    for _ in range(random.choice((0, 1, 1, 2, 3, 60))):
        label = random.choice(LABELS).lower()
        if len(found) + len(label) + 1 > wire.LONGEST_NAME:
            break
        found = bytes([len(label)]) + label + found
    return found


def host(random: Random) -> HostRow:
    """With addresses of both kinds, one or none, and others on networks."""
    v4, v6 = (random.choice((b"", random.randbytes(size))) for size in (4, 16))
    near = tuple((number, random.choice((b"", random.randbytes(4))), b"") for number in range(random.randrange(NETWORKS)))
    return HostRow(v4, v6, near)


def record(random: Random) -> tuple[int, int, bytes]:
    """One of the file: TXT, A or SRV."""
    rtype, data = random.choice(
        ((16, b"\3abc" * random.choice((1, 60, 1000))), (wire.A, random.randbytes(4)), (wire.SRV, b"\0\1\0\2\0\3" + name(random)))
    )
    return rtype, random.choice((0, 60, 2**31 - 1)), data


def node(random: Random) -> NodeRow:
    """What stands at a name."""
    many = [random.choice(NUMBERS) for _ in range(4)]
    hosts = tuple(host(random) for _ in range(many[0]))
    targets = tuple(TargetRow(random.randrange(65536), random.randrange(65536), name(random), host(random)) for _ in range(many[1]))
    records = tuple(record(random) for _ in range(min(many[3], 40)))
    if random.randrange(4) == 0:
        records = ((wire.CNAME, 60, name(random)),)
    return NodeRow(hosts, targets, tuple(name(random) for _ in range(many[2])), records)


def rows(random: Random) -> list[Row]:
    """Each apex, some names below, and some elsewhere."""
    names = dict.fromkeys([*APEXES[:3], *(name(random) for _ in range(random.randrange(12)))])
    return [(key, packed(marks(random, key), node(random))) for key in names]


def marks(random: Random, key: bytes) -> Mark:
    """An apex is one, others are what they may be."""
    found = Mark.APEX if key in APEXES[:3] else Mark(0)
    for each in (Mark.OWN, Mark.PUBLIC, Mark.EMPTY, Mark.NEAREST):
        found |= each if random.randrange(4) == 0 else Mark(0)
    return found


def responder(random: Random) -> Responder:
    """With a zone of its own."""
    zone = Zone(ORIGIN, 5)
    zone.put(rows(random))
    zone.finish(random.choice((0, 1, 2**32 - 1)))
    own = random.choice(((b"", b""), (random.randbytes(4 * 3), random.randbytes(16 * 2))))
    return Responder(zone, Cache(1 << 20), Rotation(), *own)
