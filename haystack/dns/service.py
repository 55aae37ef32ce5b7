"""DNS as the control process has it: the zone and the numbers of networks for the workers, which answer, and answers to what they ask.

Never does: see a datagram of a client.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import msgspec
import structlog

from haystack._fast.dns import rotation
from haystack._fast.net.networks import Networks
from haystack.dns import external_cnames, facts, listeners, wire
from haystack.dns.forward import nameservers, routes
from haystack.dns.forward.figures import Figures
from haystack.dns.forward.forwarder import SOCKETS, Forwarder, Limits
from haystack.dns.forward.resolved import BAD_ANSWER, BUSY
from haystack.dns.forward.resolved import Resolved as Answer
from haystack.dns.forward.routes import Upstreams
from haystack.dns.forward.times import TIMES, Times
from haystack.dns.listeners import Listeners
from haystack.dns.local_names import Asker, LocalNames, text
from haystack.dns.messages import DnsForget, DnsOpen, DnsPeers, DnsSetup, Question, Resolved, Subnets, ZonePart
from haystack.dns.peers import Peers, Standing
from haystack.dns.rows import HostRow
from haystack.dns.subnets import Subnets as Numbers
from haystack.dns.zone import Picture
from haystack.dns.zone_feed import ZoneFeed
from haystack.loop.turns import Turns
from haystack.model.records import Peer
from haystack.model.snapshot import Snapshot
from haystack.net.access import Table
from haystack.net.sockets import Sockets
from haystack.settings import addresses

log = structlog.get_logger()
# Linux's numbers (fcntl(2)): F_ADD_SEALS; F_SEAL_SEAL, F_SEAL_SHRINK and F_SEAL_GROW
_ADD_SEALS, _SEALS = 1033, 1 | 2 | 4

Message = ZonePart | Subnets | DnsOpen | DnsPeers | DnsForget


class DnsSettings(Upstreams, Protocol):
    """What it reads of the settings."""

    @property
    def origin(self) -> str:
        """The domain, without trailing dot."""

    @property
    def dns_ttl(self) -> int:
        """Seconds."""

    @property
    def address(self) -> tuple[Any, ...]:
        """Haystack's own addresses; none: the one that was asked."""

    @property
    def peers(self) -> tuple[str, ...]:
        """HAYSTACK_PEERS."""

    @property
    def proxy_protocol(self) -> addresses.Networks:
        """HAYSTACK_PROXY_PROTOCOL."""

    @property
    def http_port(self) -> int:
        """Of a container of this one's Swarm service, too."""

    @property
    def dns_port(self) -> int:
        """0: any free one."""

    @property
    def acme_dns_zone(self) -> str | None:
        """What others have delegated to us."""

    @property
    def workers(self) -> int:
        """How many."""

    @property
    def dns_log(self) -> str:
        """Off, or a form."""


class DnsService:
    """tell: sends a message to every worker; early: workers answer from their first zone on.

    questions: sockets to nameservers at once; times: of the forwarder.
    """

    def __init__(
        self,
        settings: DnsSettings,
        first: Picture,
        tell: Callable[[Message], None],
        *,
        early: bool = True,
        questions: int = SOCKETS,
        times: Times = TIMES,
    ) -> None:
        self._settings = settings
        self._tell = tell
        self._numbers = Numbers()
        opened = tuple(wire.name(each.name) for each in settings.dns_forward or ())
        delegated = wire.name(settings.acme_dns_zone) if settings.acme_dns_zone else b""
        self.feed = ZoneFeed(settings.dns_ttl, settings.address, self._numbers, first, opened, delegated)
        self.setup: DnsSetup = msgspec.structs.replace(self.feed.setup, early=early, log=settings.dns_log != "off")
        self._opened = False
        self.peers = Peers(settings.peers, settings.http_port, self._meet, proxies=settings.proxy_protocol)
        self._met: DnsPeers | None = None
        self._names = -1, 0  # of which version of the zone, and how many have Haystack's own addresses
        self._limits, self._times = Limits(sockets=questions), times
        self._networks = self._subnets = Networks()
        self._listeners: Listeners | None = None
        self._forwarder: Forwarder | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port bound, for UDP and TCP alike. 0 before bind."""
        return self._listeners.port if self._listeners else 0

    def bind(self, sockets: Sockets) -> Listeners:
        """Take the ports, or those that are handed over. Raises OSError whose text names protocol, address and port."""
        self._listeners = listeners.opened(self._settings.bind, self._settings.dns_port, self._settings.workers, sockets)
        return self._listeners

    def admit(self, table: Table) -> None:
        """What askers may, by their addresses."""
        self._networks = Networks(*table)

    def _asker(self, client: str) -> Asker:
        return self._networks.find(client) or 0, self._subnets.find(client) or 0

    def welcome(self) -> Iterable[Message]:
        """What a worker has to know when it begins."""
        yield Subnets(*self._numbers.table)
        if self._opened:
            yield DnsOpen()
        if self._met is not None:
            yield self._met
        yield from self.feed.whole()

    def follow(self, snapshot: Snapshot) -> Turns[None]:
        """Answer from this snapshot from now on."""
        if (yield from self._numbers.follow(snapshot.networks)):
            self._tell(Subnets(*self._numbers.table))
            self._subnets = Networks(*self._numbers.table)
        self.peers.follow(snapshot.peers)
        for part in (yield from self.feed.follow(snapshot)):
            self._tell(part)  # a worker that begins between two of them is told all of it
            yield

    def open(self) -> None:
        """All is known that there is: what is not known does not exist."""
        self._opened = True
        self.feed.responder.held = False
        self._tell(DnsOpen())

    async def start(self) -> None:
        """Have other names asked from now on."""
        names = LocalNames(self.feed, self._asker)
        self._forwarder = Forwarder(
            routes.made(self._settings, self.port), names, limits=self._limits, times=self._times, forgotten=self._forget
        )
        self.peers.start()
        if self._settings.dns_nameservers and not self._forwarder.routes.default:
            log.warning("nameservers.missing", given=[*map(str, self._settings.dns_nameservers)])
        log.info("dns.listening", port=self.port, nameservers=[*map(nameservers.text, self._forwarder.routes.default)])

    def _meet(self, living: Sequence[Peer], own: Peer | None) -> None:
        """These Haystacks live."""
        hosts = tuple(map(self._host, living))
        self._met = DnsPeers(hosts, self._host(own) if own is not None and own.address else None)
        self._met.meet(self.feed.responder)
        self._tell(self._met)

    def standings(self) -> list[Standing]:
        """How the other Haystacks are doing."""
        found = self.peers.standings()
        if any(each.up for each in found) and self._names[0] != self.feed.zone.serial:
            self._names = self.feed.zone.serial, sum(node.own for node in self.feed.zone.nodes.values())
        return [msgspec.structs.replace(each, names=self._names[1]) if each.up else each for each in found]

    def _host(self, peer: Peer) -> HostRow:
        return self.feed.host(facts.host(peer.address, None, peer.near))

    def _forget(self) -> None:
        self._tell(DnsForget())

    async def close(self) -> None:
        """Stop asking."""
        self.peers.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._forwarder is not None:
            await self._forwarder.close()

    def asked(self, questions: Sequence[Question], reply: Callable[[Resolved], None]) -> None:
        """Questions of a worker: each is answered, whatever becomes of it."""
        for each in questions:
            task = asyncio.get_running_loop().create_task(self._answer(each, reply))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, question: Question, reply: Callable[[Resolved], None]) -> None:
        found = await self.find(wire.parse(question.packet), text(question.client), hot=question.hot)
        if found is not None:
            reply(resolved(question.number, found))

    async def find(self, query: wire.Query, client: str, *, hot: bool = False) -> Answer | None:
        """What nameservers say, behind our own CNAMEs where these lead there; None: forwarding has not started. As Forwarder.resolve."""
        if self._forwarder is None:
            return None
        try:
            return await self._found(self._forwarder, query, client, hot)
        except Exception:
            log.exception("dns.forwarding_failed", query=query.question.hex())
            return BAD_ANSWER

    async def _found(self, forwarder: Forwarder, query: wire.Query, client: str, hot: bool) -> Answer:
        """What nameservers say of a name, or of that to which a name of ours leads."""
        if self.feed.zone.find(query.key) is None:
            return await forwarder.resolve(query, client, hot=hot)
        ours = external_cnames.chain(self.feed.responder, query)
        if ours is None:
            return BUSY  # the worker's zone is another one than ours by now: nobody is asked about a name of ours
        beyond = await forwarder.resolve(external_cnames.ahead(query, ours), client, hot=hot)
        return external_cnames.joined(query, ours, beyond, self._settings.dns_ttl)

    async def beyond(self, query: wire.Query, client: str) -> Answer | None:
        """What nameservers say, whatever our own zone has there; None: forwarding has not started."""
        return await self._forwarder.resolve(query, client) if self._forwarder is not None else None

    def nameservers(self, query: wire.Query) -> list[str]:
        """Who is asked for that name, in their order."""
        return [*map(nameservers.text, self._forwarder.routes.of(query.key))] if self._forwarder is not None else []

    def figures(self) -> Figures | None:
        """How forwarding stands; None: it has not started."""
        return self._forwarder.figures() if self._forwarder is not None else None


def resolved(number: int, found: Answer) -> Resolved:
    """The answer as a worker takes it."""
    packed = found.packed
    ends, ages = (b"".join(each.to_bytes(2, "little") for each in places) for places in (packed.ends, packed.ttls))
    return Resolved(number, packed.flags, packed.body, ends, ages, packed.counts, found.options, found.lifetime)


def shared_counters() -> Any:
    """An open file of the size that _fast/dns/rotation.pyx maps, for all workers."""
    file = os.fdopen(os.memfd_create("haystack-rotation", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "r+b", buffering=0)
    file.truncate(rotation.SIZE)
    fcntl.fcntl(file, _ADD_SEALS, _SEALS)  # or a worker that is not itself any more could take it from under the others
    return file
