"""The zone as a picture of one snapshot: which names exist and what they hold.

Built whole from a snapshot and never changed: Zone.of is pure. Never does: pack, forward, or know who asks; an address
that depends on the asker is the marker OWN. Stands between the snapshot and the responder.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from haystack.dns import wire
from haystack.model import Container, Endpoint, Engine, Service
from haystack.naming import label

OWN = "own"
"""In place of an address: Haystack's own, as the asker reaches it."""

PRIORITY = 100
_IPV4 = 4
LOCALHOST = wire.name("localhost")

# RFC 1918, 6303 (section 4), 6598 with 7793: asking the internet about these helps nobody and tells it about us.
PRIVATE_ZONES: tuple[str, ...] = (
    *("10.in-addr.arpa", "168.192.in-addr.arpa", *(f"{n}.172.in-addr.arpa" for n in range(16, 32))),
    *("0.in-addr.arpa", "127.in-addr.arpa", "254.169.in-addr.arpa", "255.255.255.255.in-addr.arpa"),
    *("2.0.192.in-addr.arpa", "100.51.198.in-addr.arpa", "113.0.203.in-addr.arpa"),
    *(f"{n}.100.in-addr.arpa" for n in range(64, 128)),
    *("0." * 31 + "0.ip6.arpa", "1." + "0." * 31 + "ip6.arpa", "8.b.d.0.1.0.0.2.ip6.arpa"),
    *("c.f.ip6.arpa", "d.f.ip6.arpa", *(f"{n}.e.f.ip6.arpa" for n in "89ab")),
)


class Picture(Protocol):
    """What the zone reads of a snapshot."""

    @property
    def version(self) -> int:
        """Counts up with each snapshot."""

    @property
    def origin(self) -> str:
        """The domain, without trailing dot."""

    @property
    def engines(self) -> Mapping[str, Engine]:
        """By id."""

    @property
    def containers(self) -> Mapping[str, Container]:
        """By id."""

    @property
    def services(self) -> Mapping[str, Service]:
        """By whole name."""


class Target(NamedTuple):
    """One SRV record, and the addresses of its target for the additional section."""

    weight: int
    port: int
    name: str
    address: str | None
    address6: str | None


class Node:
    """One name that exists. No data at all: an empty non-terminal (RFC 8020), which answers NODATA."""

    __slots__ = ("a", "aaaa", "apex", "ptr", "srv")

    def __init__(self, *, apex: bool = False) -> None:
        # Ordered sets: the keys alone count.
        self.a: dict[str, None] = {}
        self.aaaa: dict[str, None] = {}
        self.srv: dict[Target, None] = {}
        self.ptr: dict[str, None] = {}
        self.apex = apex

    @property
    def empty(self) -> bool:
        """True for a name that exists only because names below it do."""
        return not (self.a or self.aaaa or self.srv or self.ptr or self.apex)

    def add(self, address: str | None, address6: str | None) -> None:
        """Take both addresses in, each in its list, each once; what is no address is left out."""
        for text in (address, address6):
            if text is not None and (family := _version(text)):
                (self.a if family == _IPV4 else self.aaaa)[text] = None

    def add_own(self) -> None:
        """Take Haystack's own address in, of both kinds."""
        self.a[OWN] = self.aaaa[OWN] = None


class Found(NamedTuple):
    """A name that is ours to answer for. node None: NXDOMAIN; apex: the zone whose SOA a negative answer bears."""

    node: Node | None
    apex: bytes


class Zone:
    """Names in lower-case wire form → what they hold. Use Zone.of."""

    def __init__(self, origin: str, serial: int, ttl: int) -> None:
        self.origin = origin.lower().strip(".")
        self.serial = serial
        self.ttl = ttl
        self.apex = wire.name(self.origin)
        self.nodes: dict[bytes, Node] = {}
        self._apexes = frozenset((self.apex, LOCALHOST, *_PRIVATE))

    @classmethod
    def of(cls, snapshot: Picture, ttl: int) -> Zone:
        """The zone of a snapshot. Never raises for an odd name: that name alone is left out."""
        # RFC 1982: a serial is 32 bits wide; 0 is avoided, for some secondaries take it for "none".
        zone = cls(snapshot.origin, snapshot.version % 2**32 or 1, ttl)
        zone._add_apexes()
        for engine in snapshot.engines.values():
            zone._add_engine(engine)
        for container in snapshot.containers.values():
            zone._add_container(container)
        for service in snapshot.services.values():
            zone._add_service(service)
        return zone

    def find(self, key: bytes) -> Found | None:
        """What there is at a name (lower-case wire form); None: not ours."""
        node = self.nodes.get(key)
        apex = next((above for above in wire.parents(key) if above in self._apexes), None)
        if apex is None:
            # A reverse name of a public address: ours alone, while the names around it belong to others.
            return None if node is None or node.empty else Found(node, key)
        if node is None and apex == LOCALHOST:
            # RFC 6761 section 6.3: every name below localhost is localhost.
            node = self.nodes[LOCALHOST]
        return Found(node, apex)

    def _add_apexes(self) -> None:
        for apex in self._apexes:
            self.nodes[apex] = Node(apex=True)
        for text in (self.origin, f"ns.{self.origin}"):
            if node := self._node(text):
                node.add_own()
        for branch in ("services", "containers", "dockers"):
            self._node(f"{branch}.{self.origin}")
        self._add_host("localhost", "127.0.0.1", "::1")

    def _add_engine(self, engine: Engine) -> None:
        names = (label(engine.name), f"d{engine.short_id}" if engine.short_id else "")
        self._add_hosts("dockers", names, engine.address, None)

    def _add_container(self, container: Container) -> None:
        names = (label(container.name), f"c{container.short_id.lower()}")
        self._add_hosts("containers", names, container.address, container.address6)

    def _add_hosts(self, branch: str, names: Iterable[str], address: str | None, address6: str | None) -> None:
        """The same host under each of its names; the first of them is the one that its addresses point back to."""
        whole = [f"{each}.{branch}.{self.origin}" for each in names if each]
        for text in whole:
            if node := self._node(text):
                node.add(address, address6)
        for text in whole[:1]:
            self._add_reverse(text, address, address6)

    def _add_host(self, text: str, address: str | None, address6: str | None) -> None:
        if node := self._node(text):
            node.add(address, address6)
        self._add_reverse(text, address, address6)

    def _add_reverse(self, text: str, *addresses: str | None) -> None:
        for address in addresses:
            if address is not None and _version(address) and (node := self._node(reverse(address))):
                node.ptr[text] = None

    def _add_service(self, service: Service) -> None:
        """A service of which nothing is ready leaves DNS: its name is not there at all. What is awaited within seconds counts as ready."""
        ready = [endpoint for endpoint in service.endpoints if endpoint.ready or endpoint.awaited]
        if not ready or (node := self._node(service.name)) is None:
            return
        own = service.has_http
        if own:
            node.add_own()
        for endpoint in ready:
            if not own:
                node.add(endpoint.address, endpoint.address6)
            self._add_endpoint(service, endpoint)

    def _add_endpoint(self, service: Service, endpoint: Endpoint) -> None:
        target = endpoint.target.strip(".")
        node = self._node(f"_{label(endpoint.port_name)}._{endpoint.protocol}.{service.name}")
        if node is None or not _possible(target):
            return
        weight = max(0, min(endpoint.weight, 0xFFFF))
        address, address6 = (text if text and _version(text) else None for text in (endpoint.address, endpoint.address6))
        node.srv[Target(weight, endpoint.port, target, address, address6)] = None
        # A target must have an address of its own (RFC 2782), whatever the list of containers says.
        if target.lower().endswith(f".{self.origin}") and (host := self._node(target)) and not (host.a or host.aaaa):
            host.add(endpoint.address, endpoint.address6)

    def _node(self, text: str) -> Node | None:
        """The node of a name, made with every name above it in its zone where it is not there yet."""
        try:
            key = wire.name(text)
        except ValueError:
            return None
        if not key[0]:
            # The root belongs to nobody here.
            return None
        node = self.nodes.get(key)
        if node is None:
            node = self.nodes[key] = Node()
            for above in wire.parents(key[key[0] + 1 :]):
                if above in self.nodes:
                    # Which has been given those above it already; an apex needs none.
                    break
                self.nodes[above] = Node()
        return node


@functools.lru_cache(maxsize=wire.KEPT)
def reverse(address: str) -> str:
    """``172.17.0.2`` → ``2.0.17.172.in-addr.arpa``. Raises ValueError where it is no address."""
    return ipaddress.ip_address(address.partition("%")[0]).reverse_pointer


@functools.lru_cache(maxsize=wire.KEPT)
def _version(text: str) -> int:
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


_PRIVATE = tuple(wire.name(text) for text in PRIVATE_ZONES)
