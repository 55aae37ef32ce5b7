"""Who may ask: which networks a client's address lies in, and what it may do by that.

Settings say it in networks and words, engines add their own networks, and all of it becomes one Table, in which a worker and DNS look
up each client (_fast/net/networks.pyx). Never does: look up, tell anybody.
"""

from __future__ import annotations

import functools
import operator
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple, Protocol

from haystack.loop.turns import Turns, at_once, ordered, stretches
from haystack.model import spelling
from haystack.model.records import Network
from haystack.net.rights import Right

Range = IPv4Network | IPv6Network
WORDS = ("private", "any", "off")
_SYNONYMS = {"all": "any", **dict.fromkeys(("none", "no", "false"), "off")}
TAKES = "private, any, off, or a comma separated list of networks, addresses and private"
# RFC 1122 (section 3.2.1.3), 1918, 3927, 4193, 4291 (sections 2.5.3 and 2.5.6). Not RFC 6598: a carrier's other customers are strangers.
PRIVATE = tuple(
    map(ip_network, ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1", "fc00::/7", "fe80::/10"))
)
LOOPBACK = tuple(map(ip_network, ("127.0.0.0/8", "::1")))
EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
LAN = ("macvlan", "ipvlan")  # drivers whose subnet is that of the network outside: whoever is on it is no container of the engine's
IPV6, IPV4_BITS, IPV6_BITS = 6, 32, 128
MAPPED, MAPPED_BITS = 0xFFFF, 96  # what IPv4 addresses begin with where they stand as IPv6 ones
Merge = Callable[[int, int], int]
_V4, _V6 = struct.Struct("=II"), struct.Struct("=QQQ")


class Span(NamedTuple):
    """A network: bits of its addresses, the first of them, and the length of its prefix."""

    bits: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Allowed:
    """What HAYSTACK_ALLOW and its like say. private: those of PRIVATE, and the engines' own networks."""

    private: bool = False
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def __str__(self) -> str:
        """As a person writes it."""
        if self.networks == EVERYWHERE:
            return "any"
        return ",".join((*(["private"] if self.private else []), *map(str, self.networks))) or "off"


INSIDE = Allowed(private=True)


def read(value: object) -> Allowed:
    """The value of a setting. Raises ValueError."""
    if isinstance(value, Allowed):
        return value
    words = [_SYNONYMS.get(word, word) for word in spelling.parts(str(value).lower())]
    alone = {"any": Allowed(networks=EVERYWHERE), "off": Allowed()}
    if found := [word for word in words if word in alone]:
        if len(words) > 1:
            raise ValueError(f"{found[0]} can't be combined with other values")
        return alone[found[0]]
    if not words:
        raise ValueError("no network is given")
    return Allowed(private="private" in words, networks=tuple(_range(word) for word in words if word != "private"))


def _range(word: str) -> Range:
    try:
        return ip_network(word, strict=False)
    except ValueError:
        raise ValueError(f"{word!r} is neither a network nor an address, nor one of {', '.join(WORDS)}") from None


class Table(NamedTuple):
    """What each address may, as look-ups read it: places from which on rights hold, in their order, the first place being 0.

    v4: pairs of 32 bits, address and rights; v6: of 64 bits, the halves of the address and rights; in the machine's byte order.
    """

    v4: bytes
    v6: bytes


class Policy(Protocol):
    """The settings that access control reads."""

    @property
    def allow(self) -> Allowed:
        """HAYSTACK_ALLOW."""

    @property
    def admin_allow(self) -> Allowed:
        """HAYSTACK_ADMIN_ALLOW."""

    @property
    def dns_recursion(self) -> Allowed:
        """HAYSTACK_DNS_RECURSION."""

    @property
    def trusted_proxies(self) -> tuple[Range, ...]:
        """HAYSTACK_TRUSTED_PROXIES."""

    @property
    def proxy_protocol(self) -> tuple[Range, ...]:
        """HAYSTACK_PROXY_PROTOCOL."""


def table(policy: Policy, networks: Iterable[Network] = (), local: frozenset[str] = frozenset()) -> Table:
    """What everybody may. networks: of the engines; local: addresses of this machine or container, which are nobody's gateway here."""
    return at_once(made(policy, tuple(networks), local))


def made(policy: Policy, networks: Sequence[Network], local: frozenset[str]) -> Turns[Table]:
    """The same in turns."""
    asked = ((policy.allow, Right.INSIDE), (policy.admin_allow, Right.ADMIN), (policy.dns_recursion, Right.RECURSION))
    private = sum(int(right) for allowed, right in asked if allowed.private)
    rows = [(span(each), int(right)) for allowed, right in asked for each in allowed.networks]
    rows += [(span(each), private) for each in PRIVATE]
    rows += [(span(each), int(Right.TRUSTED)) for each in policy.trusted_proxies]
    rows += [(span(each), int(Right.INTRODUCED)) for each in policy.proxy_protocol]
    rows += [(span(each), int(Right.NEAR)) for each in LOOPBACK]
    for some in stretches([each for each in networks if each.driver not in LAN]):
        rows += [(each, private | int(Right.NEAR)) for each in engine_spans(some)]
        rows += [(each, int(Right.GATEWAY)) for text in {*maskers(some)} - local if (each := _span_of(text)) is not None]
        yield
    return (yield from flattened(rows))


def engine_spans(networks: Iterable[Network]) -> Iterator[Span]:
    """The subnets of networks that are an engine's own, whatever their range."""
    for network in networks:
        if network.driver not in LAN:
            yield from spans(network.subnets)


def spans(subnets: Iterable[str]) -> Iterator[Span]:
    """Those of them that are networks."""
    yield from filter(None, map(_span_of, subnets))


def maskers(networks: Iterable[Network]) -> Iterator[str]:
    """The addresses, or networks, by which others may come in: at the gateways of engines' own networks, and over Swarm's routing mesh."""
    for network in networks:
        if network.ingress:
            yield from network.subnets
        elif network.gateway and network.driver not in LAN:
            yield network.gateway


def span(network: Range) -> Span:
    """The same as numbers; IPv4 in IPv6's clothes is IPv4 (RFC 4291, section 2.5.5.2)."""
    start, length = int(network.network_address), network.prefixlen
    mapped = network.version == IPV6 and length >= MAPPED_BITS and start >> (IPV6_BITS - MAPPED_BITS) == MAPPED
    if mapped:
        return Span(IPV4_BITS, start & 0xFFFFFFFF, length - MAPPED_BITS)
    return Span(network.max_prefixlen, start, length)


@functools.lru_cache(maxsize=65536)
def _span_of(text: str) -> Span | None:
    """None: it is no network, or everything, which is nobody's own."""
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        return None
    return span(found) if found.prefixlen else None


def flattened(rows: Sequence[tuple[Span, int]], merge: Merge = operator.or_) -> Turns[Table]:
    """The table in which each address has the rights of all networks that it lies in.

    merge: of a network and one that it lies in, or that came after it and is the same.
    """
    found: dict[int, dict[tuple[int, int], int]] = {IPV4_BITS: {}, IPV6_BITS: {}}
    for some in stretches(rows):
        for (bits, start, length), rights in some:
            into = found[bits]
            into[start, length] = merge(into.get((start, length), 0), rights)
        yield
    low = (1 << 64) - 1
    v4 = yield from _places(found[IPV4_BITS], IPV4_BITS, _V4.pack, merge)
    v6 = yield from _places(found[IPV6_BITS], IPV6_BITS, lambda start, rights: _V6.pack(start >> 64, start & low, rights), merge)
    return Table(v4, v6)


def _places(networks: Mapping[tuple[int, int], int], bits: int, pack: Callable[[int, int], bytes], merge: Merge) -> Turns[bytes]:
    """Where rights change, and what they are from there on. Of two networks one lies in the other, or they have nothing in common."""
    places = Places(pack)
    around: list[tuple[int, int]] = [(1 << bits, 0)]  # where those that we are in end, the widest first, and the rights there
    order = yield from ordered(networks, lambda place: place)
    for some in stretches(order):
        for start, length in some:
            _leave(around, places, start)
            whole = merge(networks[start, length], around[-1][1])
            places.put(start, whole)
            around.append((start + (1 << (bits - length)), whole))
        yield
    _leave(around, places, (1 << bits) - 1)
    return places.end()


def _leave(around: list[tuple[int, int]], places: Places, at: int) -> None:
    """Go out of the networks that end at this address or before it."""
    while len(around) > 1 and around[-1][0] <= at:
        end, _ = around.pop()
        places.put(end, around[-1][1])


class Places:
    """Collects places, which are put in their order; of several at one address the last counts."""

    def __init__(self, pack: Callable[[int, int], bytes]) -> None:
        self._pack = pack
        self._packed = bytearray()
        self._last = 0, 0
        self._told = -1

    def put(self, start: int, rights: int) -> None:
        """From here on."""
        if start != self._last[0]:
            self._write()
        self._last = start, rights

    def _write(self) -> None:
        if self._last[1] != self._told:
            self._packed += self._pack(*self._last)
            self._told = self._last[1]

    def end(self) -> bytes:
        """All of them."""
        self._write()
        return bytes(self._packed)


class Acl:
    """The table for the newest networks of engines; whoever has to know is told of each new one. local: as with table, as it is now."""

    def __init__(self, policy: Policy, local: Callable[[], frozenset[str]] = frozenset) -> None:
        self._policy = policy
        self._local = local
        self._networks: Mapping[str, Network] = {}
        self._readers: list[Callable[[Table], None]] = []
        self.table = table(policy, (), local())

    def subscribe(self, reader: Callable[[Table], None]) -> None:
        """Tell of the table now, and of each other one from now on."""
        self._readers.append(reader)
        reader(self.table)

    def follow(self, networks: Mapping[str, Network]) -> Turns[None]:
        """These are the engines' networks, by their ids. The same mapping as before costs nothing."""
        if networks is self._networks:
            return
        new = yield from made(self._policy, tuple(networks.values()), self._local())
        self._networks = networks
        if new != self.table:
            self.table = new
            for reader in self._readers:
                reader(new)
