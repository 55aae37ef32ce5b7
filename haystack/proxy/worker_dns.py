"""DNS in a worker: the compiled server, what the control process tells it, and what it asks the control process.

Never decides an answer.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Sequence

from haystack._fast.dns.cache import Cache
from haystack._fast.dns.query_log import QueryLog
from haystack._fast.dns.responder import KIND_NAMES, Responder
from haystack._fast.dns.rotation import Rotation
from haystack._fast.dns.server import DnsServer
from haystack._fast.dns.zone import Zone
from haystack._fast.net.networks import Networks
from haystack._fast.net.poller import Poller
from haystack.dns import wire
from haystack.dns.messages import (
    AskerRow,
    Askers,
    DnsCounts,
    DnsForget,
    DnsOpen,
    DnsPeers,
    DnsRows,
    DnsSetup,
    Question,
    Questions,
    Resolved,
    Subnets,
    Who,
    ZonePart,
)  # fmt: skip
from haystack.proxy.lending import DNS_TCP, DNS_UDP, ROTATION
from haystack.proxy.own_routes import ITSELF

CACHE = 4 * 1024 * 1024  # octets that forwarded answers may take
IDLE = 10.0  # seconds; RFC 7766 section 6.2.3: a few are enough
LAST_IDLE = 1.0  # while another Haystack takes over: for a query that is on its way
WAITING = 8192  # questions at once

HTTP = "HTTP"  # what stands for calls among the types of questions
MAPPED = bytes(10) + b"\xff\xff"  # what IPv4 addresses have before them in IPv6's clothes
Call = tuple[str, str, float, int]  # a client's address, a service, how many seconds ago, and on how many connections
OF_DNS = ZonePart | Subnets | DnsOpen | DnsPeers | DnsForget | Resolved | Who
Told = Questions | DnsCounts | DnsRows | Askers


class WorkerDns:
    """lent: descriptors by what they are, as lending.borrowed gives them; clients: over TCP at once; tell: sends to the control process.

    callers: which clients called which services over HTTP of late, for whoever asks who asked for a name.
    """

    def __init__(
        self,
        setup: DnsSetup,
        poller: Poller,
        lent: Sequence[tuple[int, int]],
        clients: int,
        tell: Callable[[Told], None],
        on_fault: Callable[[Exception], None] | None = None,
        *,
        idle: float = IDLE,
        callers: Callable[[], Iterable[Call]] = tuple,
    ) -> None:
        self._callers = callers
        self._setup = setup
        self._lent = lent
        self._tell = tell
        self._ready = setup.early  # for who may answer at once
        self._known = False
        self._listens = False
        self._counted: DnsCounts | None = None
        self._zone = Zone(setup.origin, setup.ttl)
        file = next((fd for index, fd in lent if index == ROTATION), -1)
        responder = Responder(self._zone, Cache(CACHE), Rotation(file), setup.own4, setup.own6)
        responder.held, responder.on_fault = True, on_fault
        responder.log = QueryLog() if setup.log else None
        self.server = DnsServer(poller, responder, self._ask, clients=clients, idle=idle, waiting=WAITING)

    def admit(self, networks: Networks) -> None:
        """What askers may, by their addresses."""
        self.server.networks = networks

    def take(self, message: ZonePart | Subnets | DnsOpen | DnsPeers | DnsForget | Resolved | Who) -> None:
        """Do what the control process says."""
        match message:
            case ZonePart():
                self._zone.put(message.rows, message.removed)
                if message.last:
                    self._zone.finish(message.version)
                    self._known = True
                    self._listen()
            case Subnets():
                self.server.subnets = Networks(message.v4, message.v6)
            case DnsOpen():
                self.server.responder.held = False
            case DnsPeers():
                message.meet(self.server.responder)
            case DnsForget():
                self.server.pending.forget()
            case Resolved():
                self.server.pending.told(*(getattr(message, name) for name in message.__struct_fields__))
            case Who():
                self._tell(Askers(message.number, self._askers(message)))

    def open(self) -> None:
        """Answer from now on, if the zone is known; else as soon as it is."""
        self._ready = True
        self._listen()

    def _listen(self) -> None:
        if self._known and self._ready and not self._listens:
            self._listens = True
            udp, tcp = ([fd for index, fd in self._lent if index == kind] for kind in (DNS_UDP, DNS_TCP))
            self.server.listen(udp, tcp)

    def leave(self) -> None:
        """Take no more: another Haystack does. What was asked here is answered still."""
        self._listens = True
        self.server.leave(LAST_IDLE)
        self.give_back()  # or a socket that the other one does not have would go on taking what comes

    def give_back(self) -> None:
        """Close the descriptors that were lent; the server has copies."""
        for index, fd in self._lent:
            if index in (DNS_UDP, DNS_TCP):
                os.close(fd)
        self._lent = ()

    def _ask(self, rows: list[tuple[int, bytes, bytes, bool]]) -> None:
        """Where the control process takes nothing, nobody is helped by what waits for it: a client has what has ended, or an error."""
        self._tell(Questions(tuple(Question(*row) for row in rows)))

    def tell(self, worker: int) -> None:
        """Send up the rows of the log since the last call. worker: its number."""
        log = self.server.responder.log
        if log is not None and (rows := log.take()):
            self._tell(DnsRows(worker, *rows))

    def report(self) -> None:
        """Send up the counts, where they changed."""
        counts = self._counts()
        if counts != self._counted:
            self._counted = counts
            self._tell(counts)

    def _counts(self) -> DnsCounts:
        server, responder, pending = self.server, self.server.responder, self.server.pending
        return DnsCounts(
            tuple(responder.counted()),
            server.at_once.told(),
            pending.times.told(),
            pending.waiting,
            len(responder.cache),
            responder.cache.size,
            server.rate_limit.slipped,
            server.rate_limit.dropped,
            server.unsent,
        )

    def _askers(self, asked: Who) -> tuple[AskerRow, ...]:
        rows = self.server.responder.askers.told(asked.name, asked.clients)
        asked_dns = [AskerRow(name, client, _types(kinds), ago, times) for name, client, kinds, ago, times in rows]
        calls = (call for call in self._callers() if call[1] != ITSELF)
        called = [AskerRow(wire.name(service), _octets(client), (HTTP,), ago, times) for client, service, ago, times in calls]
        return (*asked_dns, *(row for row in called if _is_asked(row, asked)))


def _is_asked(row: AskerRow, asked: Who) -> bool:
    return asked.name in (None, row.name) and (asked.clients is None or row.client in asked.clients)


def _octets(client: str) -> bytes:
    """An address, IPv4 in IPv6's clothes as IPv4."""
    if ":" not in client:
        return socket.inet_pton(socket.AF_INET, client)
    return socket.inet_pton(socket.AF_INET6, client).removeprefix(MAPPED)


def _types(kinds: int) -> tuple[str, ...]:
    return tuple(name for bit, name in enumerate(KIND_NAMES) if kinds >> bit & 1)
