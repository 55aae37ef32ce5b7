"""The zone as a picture of one snapshot: which names exist and what they hold.

Made of contributions laid over one another; `follow` replaces those of what has changed, so that one container's change costs its own
names. That takes turns, and all of the new nodes are put in the place of the old ones at its end: who asks meanwhile sees the zone as it
was. Never does: pack, forward, or know who asks. Between the snapshot and the responder.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple, Protocol

from haystack.dns import contributions, special_names, wire
from haystack.dns.facts import OWN, Contribution, Facts, Host, Target, host, host_of, reverse
from haystack.dns.node import CONTAINER, ENGINE, ORIGIN, SERVICE, THE_FILE, Layers, Node, Owner, is_hidden
from haystack.loop.turns import Turns, at_once, stretches
from haystack.model import naming
from haystack.model.records import Container, Engine
from haystack.model.services import Endpoint, Service
from haystack.model.snapshot import Change, Records
from haystack.observe.bursts import Crowd

__all__ = ["OWN", "PRIORITY", "Found", "Host", "Node", "Picture", "Target", "Zone", "reverse"]

PRIORITY = 100
WILD = b"\1*"  # RFC 4592: the first label of a name that answers for all that are not there beside it


class Picture(Protocol):
    """What the zone reads of a snapshot."""

    @property
    def version(self) -> int:
        """Counts up with each snapshot."""

    def changed_since(self, version: int | None) -> Change | None:
        """What differs from that version; None: anything may."""

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

    @property
    def records(self) -> Records:
        """Those of HAYSTACK_DNS_RECORDS."""


class Found(NamedTuple):
    """A name that is ours to answer for. node None: NXDOMAIN; apex: the zone whose SOA a negative answer bears."""

    node: Node | None
    apex: bytes


class Zone:
    """Names in lower-case wire form → what they hold. Use Zone.of, or Zone.made in turns.

    opened: names that are forwarded, with all below them that does not exist here, though they belong to a zone of special_names.py.
    delegated: a zone that others have delegated to us, for challenges (HAYSTACK_ACME_DNS_ZONE); empty: none.
    """

    def __init__(self, origin: str, ttl: int, opened: tuple[bytes, ...] = (), delegated: bytes = b"") -> None:
        self.origin = origin.lower().strip(".")
        self.serial = 0
        self.ttl = ttl
        self.apex = wire.name(self.origin)
        self.delegated = delegated
        self._apexes = frozenset((self.apex, *special_names.apexes(opened), *([delegated] if delegated else [])))
        self.opened = frozenset(opened) - self._apexes
        self.nodes: dict[bytes, Node] = {apex: Node(apex=True) for apex in self._apexes}
        self._version: int | None = None
        self._engines: Mapping[str, Engine] = {}
        self._records: Records = {}
        self._hidden: set[bytes] = set()  # names at which the file's records do not count
        self._crowd = Crowd(__name__)
        self._hosts: dict[str, Host] = {}  # by container
        self._names: dict[Owner, tuple[bytes, ...]] = {}
        self._layers: dict[bytes, dict[Owner, Facts]] = {}
        self._below: dict[bytes, int] = {}
        self._next: dict[bytes, Node | None] = {}  # the nodes that will be other ones; None: gone
        self.changed: Mapping[bytes, Node | None] = {}  # those that the last snapshot made other ones; None: gone

    @classmethod
    def of(cls, snapshot: Picture, ttl: int, opened: tuple[bytes, ...] = (), delegated: bytes = b"") -> Zone:
        """The zone of a snapshot. Never raises for an odd name: that name alone is left out."""
        return at_once(cls.made(snapshot, ttl, opened, delegated))

    @classmethod
    def made(cls, snapshot: Picture, ttl: int, opened: tuple[bytes, ...] = (), delegated: bytes = b"") -> Turns[Zone]:
        """The same in turns."""
        zone = cls(snapshot.origin, ttl, opened, delegated)
        yield from zone._put((ORIGIN, ""), contributions.of_origin(zone.origin))
        owners: list[Owner] = [(CONTAINER, identity) for identity in snapshot.containers]
        owners += [(SERVICE, name) for name in snapshot.services]
        yield from zone._take(snapshot, [])
        for some in stretches(owners):  # nobody sees it yet
            yield from zone._take(snapshot, list(some))
        return zone

    def follow(self, snapshot: Picture) -> Turns[Zone]:
        """The zone of this snapshot: this one, brought up to date, or another where more than the snapshot's change is new."""
        change = snapshot.changed_since(self._version)
        if change is None:
            return (yield from Zone.made(snapshot, self.ttl, tuple(self.opened), self.delegated))
        owners: list[Owner] = [(CONTAINER, identity) for identity in change.containers]
        services = dict.fromkeys(change.services)
        for some in stretches(tuple(change.containers)):
            for identity in some:
                services.update(dict.fromkeys(self._moved(snapshot, identity)))
            yield
        owners += [(SERVICE, name) for name in services]
        yield from self._take(snapshot, owners)
        return self

    def _moved(self, snapshot: Picture, identity: str) -> list[str]:
        """The services of a container that may look as they did, while its addresses on its networks have changed."""
        container = snapshot.containers.get(identity)
        if container is None or self._hosts.get(identity) == host_of(container):
            return []
        names = (naming.service_name(short, snapshot.origin) for short in container.services)
        return [name for name in names if name in snapshot.services]

    def find(self, key: bytes) -> Found | None:
        """What there is at a name (lower-case wire form); None: not ours."""
        node = self.nodes.get(key)
        apex = next((above for above in wire.parents(key) if above in self._apexes or above in self.opened), None)
        if apex is None or apex in self.opened:
            # A host name of a service, or a reverse name of a public address: ours alone, while the names around it belong to others.
            return None if node is None or node.empty else Found(node, key)
        return Found(node or self._wild(key), apex)

    def _wild(self, key: bytes) -> Node | None:
        """What stands for a name that is not there (RFC 4592, section 3.3.1): the wildcard below the next name above it that is."""
        for above in wire.parents(key[key[0] + 1 :]):
            if above in self.nodes:
                return self.nodes.get(WILD + above)
        return None

    def _take(self, snapshot: Picture, owners: list[Owner]) -> Turns[None]:
        """Make all contributions first, for that may fail, and then put them in the place of the old ones."""
        if snapshot.engines != self._engines:
            owners += [(ENGINE, identity) for identity in {*snapshot.engines, *self._engines}]
        if snapshot.records is not self._records:
            owners.append(THE_FILE)
        made = []
        for owner in owners:
            made.append((owner, (yield from self._contribution(snapshot, owner))))
            yield
        for owner, contribution in made:
            yield from self._put(owner, contribution)
        self._turn_over(snapshot)

    def _turn_over(self, snapshot: Picture) -> None:
        """Answer from what has been put from now on."""
        for key, node in self._next.items():
            if node is None:
                self.nodes.pop(key, None)
            else:
                self.nodes[key] = node
        self.changed, self._next = self._next, {}
        # RFC 1982: a serial is 32 bits wide; 0, which some secondaries take for "none", says that nothing is known yet
        self.serial = snapshot.version % 2**32 or min(snapshot.version, 1)
        self._version, self._engines, self._records = snapshot.version, snapshot.engines, snapshot.records

    def _contribution(self, snapshot: Picture, owner: Owner) -> Turns[Contribution]:
        kind, key = owner
        if kind == ENGINE and key in snapshot.engines:
            return contributions.of_engine(self.origin, snapshot.engines[key])
        if kind == CONTAINER:
            return self._of_container(snapshot.containers.get(key), key)
        if kind == SERVICE and key in snapshot.services:
            service = snapshot.services[key]
            before = partial(self._layer, owner)
            return (yield from contributions.of_service(self.origin, service, self._host, before))
        if owner == THE_FILE:
            return (yield from contributions.of_file(snapshot.records))
        return Contribution()

    def _of_container(self, container: Container | None, identity: str) -> Contribution:
        if container is None:
            self._hosts.pop(identity, None)
            return Contribution()
        one = self._hosts[identity] = host_of(container)
        return contributions.of_container(self.origin, container, one)

    def _host(self, endpoint: Endpoint) -> Host:
        """Who an endpoint is: its container, the very same record of it where it is all the same."""
        known = self._hosts.get(endpoint.container)
        own = endpoint.detour or endpoint
        made = host(own.address, own.address6, known.near if known is not None else ())
        return known if known is not None and known == made else made

    def _layer(self, owner: Owner, key: bytes) -> Facts | None:
        """What an owner has at a name."""
        return self._layers.get(key, {}).get(owner)

    def _put(self, owner: Owner, contribution: Contribution) -> Turns[None]:
        """Put a contribution in the place of the one that its owner made before."""
        old = self._names.pop(owner, ())
        if contribution:
            self._names[owner] = tuple(contribution)
        for some in stretches(tuple(contribution)):
            for key in some:
                self._lay(owner, key, contribution[key])
            yield
        for some in stretches(old):
            for key in some:
                if key not in contribution:
                    self._lift(owner, key)
            yield

    def _lay(self, owner: Owner, key: bytes, layer: Facts) -> None:
        """Put what an owner has at a name there, where it is not there already."""
        layers = self._layers.setdefault(key, {})
        if not layer.same(layers.get(owner)):
            layers[owner] = layer
            self._hold(key, layers)

    def _lift(self, owner: Owner, key: bytes) -> None:
        """Take away what it had at a name."""
        layers = self._layers[key]
        del layers[owner]
        if layers:
            self._hold(key, layers)
        else:
            self._empty(key)

    def _node(self, key: bytes) -> Node | None:
        """As it will be."""
        return self._next[key] if key in self._next else self.nodes.get(key)

    def _hold(self, key: bytes, layers: Layers) -> None:
        """Have the node of a name hold these, and every name above it in its zone be there."""
        old = self._node(key)
        node = self._next[key] = Node(apex=old is not None and old.apex)
        if old is None:
            self._rise(key)
        node.lay(layers)
        self._hide(key, hidden=is_hidden(layers))

    def _hide(self, key: bytes, *, hidden: bool) -> None:
        """Tell when the records of the file stop counting at a name."""
        if hidden and key not in self._hidden:
            self._hidden.add(key)
            self._crowd.warning("record.hidden", name=wire.text(key))
        elif not hidden:
            self._hidden.discard(key)

    def _rise(self, key: bytes) -> None:
        for above in wire.parents(key[key[0] + 1 :]):
            self._below[above] = self._below.get(above, 0) + 1
            if self._node(above) is not None:
                # Which has been given those above it already; an apex needs none.
                return
            self._next[above] = Node()

    def _empty(self, key: bytes) -> None:
        """Nobody has anything at a name any more: it goes, and so do those above it that were there for its sake alone."""
        del self._layers[key]
        self._hidden.discard(key)
        self._next[key] = Node(apex=key in self._apexes)
        while key not in self._apexes and not self._below.get(key) and key not in self._layers:
            self._next[key] = None
            key = key[key[0] + 1 :]
            if not key[0]:
                return
            self._below[key] -= 1
            if not self._below[key]:
                del self._below[key]
