"""What may stand at a name of the zone, and what one contributor has at which names. Shapes alone: contributions.py fills them.

A zone is nothing but contributions laid over one another, so that one of them can be taken out or put in without looking at the others.
Never does: keep anything, know who asks: an address that depends on the asker is told as such (own, Host.near).
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from haystack.dns import wire
from haystack.model.records import Container
from haystack.model.snapshot import RawRecord

OWN = "own"
"""In place of an address in Facts.a: Haystack's own, as the asker reaches it."""

NOTHING: Mapping[Any, None] = MappingProxyType({})
KINDS = ("own", "hosts", "srv", "ptr", "rank", "public", "records")
_IPV4, _IPV6 = 4, 6
Near = tuple[str, str | None, str | None]


class Rank(IntEnum):
    """Whose addresses count where several have a name: those of the lowest rank alone."""

    ID = 0  # made of its id: it is nobody else's, whatever they are called
    EXACT = 1  # spelled as it is called
    CHANGED = 2  # as it is called, but for what a name can't hold
    ALIAS = 3  # as it is called on one of its networks
    SPARE = 4  # for where nobody has an address


class Host(Struct, frozen=True, gc=False, cache_hash=True):
    """One container or engine: its addresses for most askers, and near: (network's id, IPv4, IPv6) for each network that it is on.

    An asker on one of these networks reaches it there, and perhaps nowhere else.
    """

    v4: str | None
    v6: str | None
    near: tuple[Near, ...] = ()


class Target(Struct, frozen=True, gc=False, cache_hash=True):
    """One SRV record, and its target's addresses for the additional section."""

    weight: int
    port: int
    name: str
    host: Host


def host(address: str | None, address6: str | None, near: tuple[Near, ...] = ()) -> Host:
    """The Host of these; what no record can hold (a name, an address with a scope) is left out. Their order says nothing of their kinds."""
    texts = {version(text): text for text in (address6, address) if text}
    return Host(texts.get(_IPV4), texts.get(_IPV6), near)


def host_of(container: Container) -> Host:
    """A container with its addresses on every network."""
    there = ((a.network_id, host(a.ipv4, a.ipv6)) for a in container.attachments if a.network_id)
    return host(container.address, container.address6, tuple((network, at.v4, at.v6) for network, at in there if at.v4 or at.v6))


class Facts:
    """What one contributor has at one name. Ordered sets: the keys alone count.

    own: Haystack's address, as the asker reaches it; public: for everybody, else for the inside alone; records: of the file, as in
    Snapshot, a CNAME alone.
    """

    __slots__ = ("hosts", "own", "ptr", "public", "rank", "records", "srv")

    def __init__(self, rank: Rank = Rank.EXACT) -> None:
        self.own = False
        self.hosts: Mapping[Host, None] = NOTHING
        self.srv: Mapping[Target, None] = NOTHING
        self.ptr: Mapping[str, None] = NOTHING
        self.rank = rank
        self.public = False
        self.records: tuple[RawRecord, ...] = ()

    def same(self, other: Facts | None) -> bool:
        """Whether another one holds the same, in the same order."""
        return other is self or (
            other is not None
            and all(
                mine is theirs or (mine == theirs and (not isinstance(mine, dict) or list(mine) == list(theirs)))
                for mine, theirs in ((getattr(self, kind), getattr(other, kind)) for kind in KINDS)
            )
        )

    def add_host(self, one: Host) -> None:
        """Take a host in, where it has an address."""
        if one.v4 or one.v6:
            self.hold("hosts", one)

    def hold(self, kind: str, datum: str | Target | Host) -> None:
        """Take one record's data in. Most names hold one thing: what they don't hold is to cost no memory."""
        held = getattr(self, kind)
        if held is NOTHING:
            held = {}
            setattr(self, kind, held)
        held[datum] = None

    @property
    def a(self) -> dict[str, None]:
        """The IPv4 addresses for most askers, OWN first."""
        return dict.fromkeys(((OWN,) if self.own else ()) + tuple(h.v4 for h in self.hosts if h.v4))


Held = Callable[[bytes], Facts | None]


class Contribution(dict[bytes, Facts]):
    """Names in lower-case wire form → what stands there."""

    def at(self, text: str, rank: Rank = Rank.EXACT) -> Facts | None:
        """The facts at a name in text; None where it is no name, or the root: that belongs to nobody here."""
        try:
            key = wire.name(text)
        except ValueError:
            return None
        if not key[0]:
            return None
        found = self.get(key)
        if found is None:
            found = self[key] = Facts(rank)
        return found

    def name(self, text: str, one: Host, rank: Rank) -> None:
        """Give a host this name, unless it has it already by a better right."""
        if (facts := self.at(text, rank)) and facts.rank >= rank:
            facts.add_host(one)

    def spare(self, key: bytes, one: Host, before: Held) -> None:
        """Addresses for a name that has none otherwise: the first ones count. What was said before and is the same is said again."""
        if key in self or not (one.v4 or one.v6):
            return
        old = before(key)
        if old is None or old.rank != Rank.SPARE or one not in old.hosts:
            old = Facts(Rank.SPARE)
            old.add_host(one)
        self[key] = old

    def lead_back(self, text: str, one: Host) -> None:
        """Lead all addresses of a host back to a name, where that can be one."""
        if not possible(text):
            return
        for address in (one.v4, one.v6, *(each for near in one.near for each in near[1:])):
            if address is not None and (facts := self.at(reverse(address))):
                facts.hold("ptr", text)


def possible(text: str) -> bool:
    """Whether this can be a name of DNS."""
    try:
        wire.name(text)
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=wire.KEPT)
def reverse(address: str) -> str:
    """``172.17.0.2`` → ``2.0.17.172.in-addr.arpa``. Raises ValueError where it is no address."""
    return ipaddress.ip_address(address.partition("%")[0]).reverse_pointer


@functools.lru_cache(maxsize=wire.KEPT)
def version(text: str) -> int:
    """4 or 6; 0: no address that a record can hold (a name, or one with a scope), or nobody's."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return 0
    return 0 if "%" in text or found.is_unspecified else found.version
