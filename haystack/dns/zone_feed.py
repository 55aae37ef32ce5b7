"""The zone as workers have it: the rows of each snapshot that are other, and all of them for a worker that begins.

Holds a compiled responder of the same rows, which answers the shell. Never does: send anything, know who asks.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator, Mapping

from haystack._fast.dns import zone as compiled
from haystack._fast.dns.cache import Cache
from haystack._fast.dns.responder import Responder
from haystack._fast.dns.rotation import Rotation
from haystack.dns import challenges, wire
from haystack.dns.facts import Host, Rank
from haystack.dns.messages import DnsSetup, ZonePart
from haystack.dns.rows import HostRow, Mark, NodeRow, Row, TargetRow, packed
from haystack.dns.subnets import Subnets
from haystack.dns.zone import Node, Picture, Zone
from haystack.loop.turns import Turns, at_once, stretches

PART = 500  # rows in a message


class ZoneFeed:
    """addresses: Haystack's own, where they are set; subnets: who numbers networks; opened: as with Zone."""

    def __init__(
        self,
        ttl: int,
        addresses: Iterable[object],
        subnets: Subnets,
        first: Picture,
        opened: tuple[bytes, ...] = (),
        delegated: bytes = b"",
    ) -> None:
        self.zone = Zone.of(first, ttl, opened, delegated)
        self.setup = setup(self.zone.apex, ttl, addresses)
        self._subnets = subnets
        self._told: dict[bytes, bytes] = {}
        # a look-up goes down name by name: those above an apex are there, whatever else is
        rows = compiled.Zone(self.setup.origin, ttl)
        self.responder = Responder(rows, Cache(0), Rotation(), self.setup.own4, self.setup.own6)
        self.responder.held = True
        apexes = [key for key, node in self.zone.nodes.items() if node.apex]
        self._always = {above for key in (*apexes, *self.zone.opened) for above in wire.parents(key)} - set(apexes)
        self._untold: dict[bytes, Node | None] = {}
        nodes = {**dict.fromkeys(self._always, Node()), **self.zone.nodes}
        self._put([(key, at_once(self._row(key, node))) for key, node in nodes.items()], ())

    def follow(self, snapshot: Picture) -> Turns[list[ZonePart]]:
        """What is to be told of this snapshot: one part at least, for the version."""
        zone = yield from self.zone.follow(snapshot)
        changed: Mapping[bytes, Node | None] = zone.changed if zone is self.zone else {**dict.fromkeys(self._told), **zone.nodes}
        self.zone = zone
        nodes = self._untold = {**self._untold, **changed}  # to be told the next time, where this does not come to its end
        rows, removed = [], []
        for some in stretches(tuple(nodes.items())):
            for key, node in some:
                row = (yield from self._row(key, node or Node())) if node is not None or key in self._always else None
                if row is None and key in self._told:
                    removed.append(key)
                elif row is not None and self._told.get(key) != row:
                    rows.append((key, row))
            yield
        for some_rows in stretches(rows):
            self._put(some_rows, ())
            yield
        self._put((), removed)
        self._untold = {}
        made = []
        for part in parts(zone.serial, rows, removed):
            made.append(part)
            yield
        return made

    def whole(self) -> list[ZonePart]:
        """All of it, for a worker that begins."""
        return list(parts(self.zone.serial, list(self._told.items()), ()))

    def _put(self, rows: Iterable[Row], removed: Iterable[bytes]) -> None:
        self._told.update(rows)
        for key in removed:
            del self._told[key]
        self.responder.zone.put(rows, removed)
        self.responder.zone.finish(self.zone.serial)

    def _row(self, key: bytes, node: Node) -> Turns[bytes]:
        """A name may have thousands of hosts and targets."""
        hosts, targets = [], []
        for some in stretches(tuple(node.hosts)):
            hosts += [self.host(each, whole=node.rank == Rank.ALIAS) for each in some]
            yield
        for targeted in stretches(tuple(node.srv)):
            targets += [TargetRow(each.weight, each.port, wire.name(each.name), self.host(each.host)) for each in targeted]
            yield
        return packed(self._marks(key, node), NodeRow(tuple(hosts), tuple(targets), tuple(map(wire.name, node.ptr)), node.records))

    def _marks(self, key: bytes, node: Node) -> Mark:
        marks = Mark(0)
        if node.apex:
            marks |= Mark.APEX
        if node.own:
            marks |= Mark.OWN
        if node.empty:
            marks |= Mark.EMPTY
        if node.public or (node.records and key.startswith(challenges.PREFIX)) or self._is_between(key, node):
            marks |= Mark.PUBLIC
        if key in self.zone.opened:
            marks |= Mark.OPENED
        if node.rank == Rank.ALIAS:
            marks |= Mark.NEAREST  # two projects may have the same alias, each on a network of its own
        return marks

    def _is_between(self, key: bytes, node: Node) -> bool:
        """Whether a name only leads to others in the delegated zone: resolvers ask for it on their way (RFC 9156), CAs for its CAA."""
        return bool(self.zone.delegated) and (node.apex or node.empty) and self.zone.delegated in wire.parents(key)

    def host(self, host: Host, *, whole: bool = False) -> HostRow:
        """As workers have it. whole: also the networks on which it has its usual addresses."""
        v4, v6 = octets(host.v4), octets(host.v6)
        near = ((self._subnets.number(network), octets(at4), octets(at6)) for network, at4, at6 in host.near)
        return HostRow(v4, v6, tuple(each for each in near if whole or each[1:] != (v4, v6)))


def setup(origin: bytes, ttl: int, addresses: Iterable[object]) -> DnsSetup:
    """addresses: Haystack's own, where they are set."""
    found = [ipaddress.ip_address(str(each).partition("%")[0]) for each in addresses]
    plain = [getattr(each, "ipv4_mapped", None) or each for each in found if not each.is_unspecified]
    own = {bits: b"".join(each.packed for each in plain if each.version == bits) for bits in (4, 6)}
    return DnsSetup(origin, ttl, own[4], own[6])


def octets(address: str | None) -> bytes:
    """An address as a record holds it: 4 or 16 octets, or none."""
    if not address:
        return b""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def parts(version: int, rows: list[Row], removed: Iterable[bytes]) -> Iterator[ZonePart]:
    """Messages that a worker takes between two exchanges."""
    for at in range(0, len(rows), PART) or (0,):
        first, last = at == 0, at + PART >= len(rows)
        yield ZonePart(version, tuple(rows[at : at + PART]), tuple(removed) if first else (), last)
