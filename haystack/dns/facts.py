"""What one engine, container or service contributes to the zone: names, and what stands there. Pure.

A zone is nothing but these contributions laid over one another, so that one of them can be taken out or put in without looking at the
others. Never does: keep anything, know who asks; an address that depends on the asker is the marker OWN.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from haystack.dns import wire
from haystack.loop.turns import Turns, stretches
from haystack.model import naming
from haystack.model.naming import label
from haystack.model.records import Container, Endpoint, Engine, Service

OWN = "own"
"""In place of an address: Haystack's own, as the asker reaches it."""

NOTHING: Mapping[Any, None] = MappingProxyType({})
_IPV4 = 4


class Target(Struct, frozen=True, gc=False, cache_hash=True):
    """One SRV record, and the addresses of its target for the additional section."""

    weight: int
    port: int
    name: str
    address: str | None
    address6: str | None


class Facts:
    """What one contributor has at one name. Ordered sets: the keys alone count. spare: for where nobody has an address there."""

    __slots__ = ("a", "aaaa", "ptr", "spare", "srv")

    def __init__(self) -> None:
        self.a: Mapping[str, None] = NOTHING
        self.aaaa: Mapping[str, None] = NOTHING
        self.srv: Mapping[Target, None] = NOTHING
        self.ptr: Mapping[str, None] = NOTHING
        self.spare: tuple[str | None, str | None] | None = None

    def add(self, address: str | None, address6: str | None) -> None:
        """Take both addresses in, each in its list, each once; what is no address is left out."""
        for text in (address, address6):
            if text is not None and (family := version(text)):
                self.hold("a" if family == _IPV4 else "aaaa", text)

    @property
    def only_spare(self) -> tuple[str | None, str | None] | None:
        """Its spare, where it has nothing else."""
        return None if self.a or self.aaaa or self.srv or self.ptr else self.spare

    def same(self, other: Facts | None) -> bool:
        """Whether another one holds the same, in the same order."""
        return other is self or (
            other is not None
            and all(
                mine is theirs or (mine == theirs and list(mine or ()) == list(theirs or ()))
                for mine, theirs in ((getattr(self, kind), getattr(other, kind)) for kind in ("a", "aaaa", "srv", "ptr", "spare"))
            )
        )

    def add_own(self) -> None:
        """Take Haystack's own address in, of both kinds."""
        self.hold("a", OWN)
        self.hold("aaaa", OWN)

    def hold(self, kind: str, datum: str | Target) -> None:
        """Take one record's data in. Most names hold one thing: what they don't hold is to cost no memory."""
        held = getattr(self, kind)
        if held is NOTHING:
            held = {}
            setattr(self, kind, held)
        held[datum] = None


Held = Callable[[bytes], Facts | None]


class Contribution(dict[bytes, Facts]):
    """Names in lower-case wire form → what stands there."""

    def at(self, text: str) -> Facts | None:
        """The facts at a name in text; None where it is no name, or the root: that belongs to nobody here."""
        try:
            key = wire.name(text)
        except ValueError:
            return None
        if not key[0]:
            return None
        found = self.get(key)
        if found is None:
            found = self[key] = Facts()
        return found

    def spare(self, key: bytes, addresses: tuple[str | None, str | None], before: Held) -> None:
        """Addresses for a name that has none otherwise: the first ones count. What was said before and is the same is said again."""
        found = self.get(key)
        if found is None:
            old = before(key)
            found = self[key] = old if old is not None and old.only_spare == addresses else Facts()
        if found.spare is None:
            found.spare = addresses

    def add_reverse(self, text: str, *addresses: str | None) -> None:
        """Lead these addresses back to a name."""
        for address in addresses:
            if address is not None and version(address) and (facts := self.at(reverse(address))):
                facts.hold("ptr", text)

    def add_hosts(self, names: Iterable[str], address: str | None, address6: str | None) -> None:
        """The same host under each of its whole names; the first of them is the one that its addresses point back to."""
        whole = tuple(names)
        for text in whole:
            if facts := self.at(text):
                facts.add(address, address6)
        for text in whole[:1]:
            self.add_reverse(text, address, address6)


def of_origin(origin: str) -> Contribution:
    """What is there in any case."""
    made = Contribution()
    for text in (origin, f"ns.{origin}"):
        if facts := made.at(text):
            facts.add_own()
    for branch in ("services", "containers", "dockers"):
        made.at(f"{branch}.{origin}")
    made.add_hosts(("localhost",), "127.0.0.1", "::1")
    return made


def of_engine(origin: str, engine: Engine) -> Contribution:
    """An engine's names and address."""
    made = Contribution()
    names = (label(engine.name), f"d{engine.short_id}" if engine.short_id else "")
    made.add_hosts((f"{each}.dockers.{origin}" for each in names if each), engine.address, None)
    return made


def of_container(origin: str, container: Container) -> Contribution:
    """A container's names and addresses."""
    made = Contribution()
    names = (label(container.name), f"c{container.short_id.lower()}")
    made.add_hosts((naming.container_name(each, origin) for each in names if each), container.address, container.address6)
    return made


def of_service(origin: str, service: Service, before: Held = lambda _key: None) -> Turns[Contribution]:
    """A service's name and records. One of which nothing is ready leaves DNS. before: what it had at a name.

    What is awaited within seconds counts as ready, and so does what nobody but Haystack may have no way to: its neighbours ask for its
    address, and who asks for it over HTTP is told what to do.
    """
    made = Contribution()
    ready = [each for each in service.endpoints if each.ready or each.awaited or each.unreachable]
    yield
    if not ready or (facts := made.at(service.name)) is None:
        return made
    own = service.has_http
    if own:
        facts.add_own()
    for some in stretches(ready):
        for endpoint in some:
            if not own:
                facts.add(endpoint.address, endpoint.address6)
            _add_target(made, origin, service, endpoint, before)
        yield
    return made


def _add_target(made: Contribution, origin: str, service: Service, endpoint: Endpoint, before: Held) -> None:
    """The SRV record of an endpoint."""
    target = endpoint.target.strip(".")
    there = made.at(f"_{label(endpoint.port_name)}._{endpoint.protocol}.{service.name}")
    if there is None or not _possible(target):
        return
    weight = max(0, min(endpoint.weight, 0xFFFF))
    address, address6 = (text if text and version(text) else None for text in (endpoint.address, endpoint.address6))
    there.hold("srv", Target(weight, endpoint.port, target, address, address6))
    # A target must have an address of its own (RFC 2782), whatever the list of containers says.
    if target.lower().endswith(f".{origin}"):
        made.spare(wire.name(target), (endpoint.address, endpoint.address6), before)


@functools.lru_cache(maxsize=wire.KEPT)
def reverse(address: str) -> str:
    """``172.17.0.2`` → ``2.0.17.172.in-addr.arpa``. Raises ValueError where it is no address."""
    return ipaddress.ip_address(address.partition("%")[0]).reverse_pointer


@functools.lru_cache(maxsize=wire.KEPT)
def version(text: str) -> int:
    """4 or 6; 0: no address that a record can hold (a name, or one with a scope)."""
    try:
        return 0 if "%" in text else ipaddress.ip_address(text).version
    except ValueError:
        return 0


def _possible(text: str) -> bool:
    try:
        wire.name(text)
    except ValueError:
        return False
    return True
