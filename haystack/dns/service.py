"""DNS as the control process has it: the zone and the numbers of networks for the workers, which answer, and answers to what they ask.

Never does: see a datagram of a client.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import msgspec
import structlog

from haystack._fast.dns import rotation
from haystack.dns import exchange, listeners, upstreams, wire
from haystack.dns.forward import Forwarder
from haystack.dns.listeners import Listeners
from haystack.dns.messages import DnsOpen, DnsSetup, Question, Resolved, Subnets, ZonePart
from haystack.dns.subnets import Subnets as Numbers
from haystack.dns.zone_feed import ZoneFeed
from haystack.loop.turns import Turns
from haystack.model.snapshot import Snapshot
from haystack.net.sockets import Sockets

log = structlog.get_logger()

Message = ZonePart | Subnets | DnsOpen


class DnsSettings(Protocol):
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
    def bind(self) -> tuple[Any, ...]:
        """Addresses to listen on; none: all."""

    @property
    def dns_port(self) -> int:
        """0: any free one."""

    @property
    def dns_nameservers(self) -> tuple[Any, ...]:
        """``IP`` or ``IP:PORT``; none: those of /etc/resolv.conf."""

    @property
    def workers(self) -> int:
        """How many."""


class DnsService:
    """tell: sends a message to every worker; early: workers answer from their first zone on; questions: to nameservers at once."""

    def __init__(
        self, settings: DnsSettings, first: Snapshot, tell: Callable[[Message], None], *, early: bool = True, questions: int = 1000
    ) -> None:
        self._settings = settings
        self._tell = tell
        self._numbers = Numbers()
        self.feed = ZoneFeed(settings.dns_ttl, settings.address, self._numbers, first)
        self.setup: DnsSetup = msgspec.structs.replace(self.feed.setup, early=early)
        self._opened = False
        self._questions = questions
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

    def welcome(self) -> Iterable[Message]:
        """What a worker has to know when it begins."""
        yield Subnets(*self._numbers.table)
        if self._opened:
            yield DnsOpen()
        yield from self.feed.whole()

    def follow(self, snapshot: Snapshot) -> Turns[None]:
        """Answer from this snapshot from now on."""
        if (yield from self._numbers.follow(snapshot.networks)):
            self._tell(Subnets(*self._numbers.table))
        for part in (yield from self.feed.follow(snapshot)):
            self._tell(part)

    def open(self) -> None:
        """All is known that there is: what is not known does not exist."""
        self._opened = True
        self.feed.responder.held = False
        self._tell(DnsOpen())

    async def start(self) -> None:
        """Have other names asked from now on."""
        servers = upstreams.chosen(map(str, self._settings.dns_nameservers), map(str, self._settings.bind), self.port)
        self._forwarder = Forwarder(servers, most=self._questions)
        log.info("dns.listening", port=self.port, nameservers=[f"{s.address}:{s.port}" for s in servers])

    async def close(self) -> None:
        """Stop asking."""
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
        if self._forwarder is None:
            return
        packed, lifetime, options = await self._forwarder.ask(wire.parse(question.packet))
        reply(resolved(question.number, packed, lifetime, options))


def resolved(number: int, packed: wire.Packed, lifetime: int, options: bytes) -> Resolved:
    """The answer as a worker takes it."""
    ends, ages = (b"".join(each.to_bytes(2, "little") for each in places) for places in (packed.ends, packed.ttls))
    return Resolved(number, packed.flags, packed.body, ends, ages, packed.counts, options, lifetime)


def shared_counters() -> Any:
    """An open file of the size that _fast/dns/rotation.pyx maps, for all workers."""
    file = os.fdopen(os.memfd_create("haystack-rotation", os.MFD_CLOEXEC), "r+b", buffering=0)
    file.truncate(rotation.SIZE)
    return file
