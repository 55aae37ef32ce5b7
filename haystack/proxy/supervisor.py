"""The worker processes: starts them, feeds them each snapshot, adds up their counters, and replaces one that dies.

It owns the listening sockets, one set a worker with SO_REUSEPORT, and lends them: while a worker is replaced, clients that the kernel hands
to its sockets wait in their queue instead of being refused. Never sees a byte of an exchange.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable, Mapping

import msgspec
import structlog

from haystack.dns import counts as dns_counts
from haystack.dns.messages import AskerRow, Askers, DnsCounts, Who
from haystack.loop.turns import Turns, at_once
from haystack.model.snapshot import Snapshot
from haystack.net import access
from haystack.net.sockets import Sockets
from haystack.proxy import account, heartbeat, ipc, worker_life, worker_setup
from haystack.proxy.counters import Asked, Counts
from haystack.proxy.inquiries import Inquiries
from haystack.proxy.readers import Readers
from haystack.proxy.spawn import Spares, WorkerProcess
from haystack.proxy.traffic import Traffic
from haystack.proxy.worker_setup import Dns, Welcomes
from haystack.proxy.worker_slot import Slot
from haystack.proxy.worker_sockets import Listeners
from haystack.routing.routing_table import Usual
from haystack.routing.rows import Table
from haystack.routing.table_updates import Tables
from haystack.settings.settings import Settings
from haystack.tls.messages import Authorities

REFRESH_SECONDS = 0.25
START_SECONDS = 10
KILL_SECONDS = 0.7  # with the default drain of 9 s all is over before the 10 s of `docker stop` are
log = structlog.get_logger("haystack.proxy")


class Supervisor:
    """All workers. admin_socket: where requests to Haystack itself go, on so many connections a worker (0: any). Counts only grow.

    instance: of via.py; processes: those that wait for work already.
    """

    def __init__(
        self,
        settings: Settings,
        admin_socket: str,
        admin_connections: int = 0,
        instance: str = "",
        processes: list[WorkerProcess] | tuple[()] = (),
    ) -> None:
        self._instance = instance
        self._settings = settings
        self._admin_socket, self._admin_connections = admin_socket, admin_connections
        self._listeners = Listeners(settings)
        self._tables = Tables(Usual.of(settings))
        self._orders: dict[type, ipc.Orders] = {}  # that hold until there is another one of the kind: who begins is told them
        self._linger_timer: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._inquiries = Inquiries()
        self._stopping = asyncio.Event()
        self._hold = False
        self.account = account.account()
        self._spares = Spares(self.account, processes)
        self._lives = worker_life.Lives(
            self._spares, self._stopping, greet=self._greet, take=self._take, died=self._died,
            gone=lambda slot: self.traffic.gauges.forget(slot.slot),
        )  # fmt: skip
        self._served = False
        self._watch: asyncio.Task[None] | None = None
        self._farewell: ipc.Drain | None = None
        self.workers: list[Slot] = []
        self._order(ipc.Access(*access.table(settings)))
        self.traffic = Traffic()
        self.readers = Readers()
        self.hopeless = ""
        self.dns: Dns | None = None
        self.tls: Welcomes | None = None

    def bind(self, opened: Sockets | None = None) -> None:
        """Open every listening socket, or take what is handed over. OSError: a port can't be had; nothing stays open then."""
        sets = self._listeners.open(opened or Sockets())
        self.workers = [Slot(number, sockets) for number, sockets in enumerate(sets)]

    @property
    def ports(self) -> dict[str, int]:
        """Of the listeners, by name."""
        return self._listeners.ports

    @property
    def requests(self) -> Mapping[Asked, Counts]:
        """How many went where, as far as the workers have told."""
        return self.traffic.series.counts

    @property
    def errors(self) -> Mapping[tuple[str, int], int]:
        """Exchanges that ended in an error, by its word (RFC 9209) and the status that the client got."""
        return self.traffic.failures

    async def start(self, *, hold: bool = False) -> bool:
        """Start every worker and wait until each is ready, 10 s at most: whether all are. hold: none accepts before `open`.

        Where they die one after the other and none has ever served, `hopeless` says so, and readers.hopeless is called.
        """
        self._hold = hold
        if os.geteuid() == 0 and self.account is None:
            why = "they run as root: without these (which /proc tells) they can't change to another user"
            log.warning("workers.privileged", reason=why, missing=account.missing())
        self._tasks = [asyncio.create_task(self._lives.keep(slot), name=f"worker {slot.slot}") for slot in self.workers]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                await asyncio.gather(*(slot.settled.wait() for slot in self.workers))
        self._watch = asyncio.create_task(self._look(), name="workers' pulse")
        self._spares.refill()
        return all(slot.state == "serving" for slot in self.workers)

    def open(self) -> None:
        """Have the workers accept that were held."""
        self._hold = False
        self.tell(ipc.Open())

    def admit(self, table: access.Table) -> None:
        """Tell the workers what clients may, by their addresses: it holds for connections that come from now on."""
        self._order(ipc.Access(*table))

    def publish(self, snapshot: Snapshot) -> None:
        """Send every worker what this snapshot changes in its routes."""
        at_once(self.follow(snapshot))

    def follow(self, snapshot: Snapshot) -> Turns[None]:
        """The same in turns: all of it is sent in the last of them."""
        now = asyncio.get_running_loop().time()
        self._announce((yield from self._tables.follow(snapshot, now)))
        yield
        yield from self.traffic.follow(snapshot, now)

    def _announce(self, parts: Iterable[Table]) -> None:
        """Tell the workers of changes in the table, and again when a service that lingers in it is to go."""
        loop = asyncio.get_running_loop()
        for part in parts:
            self.tell(part)
        if self._linger_timer is not None:
            self._linger_timer.cancel()
            self._linger_timer = None
        if (end := self._tables.next_end()) is not None and not self._stopping.is_set():
            self._linger_timer = loop.call_at(end, lambda: self._announce(self._tables.expire(loop.time())))

    def trace(self, on: bool, service: str | None = None) -> None:
        """Have exchanges recorded: those of one service, or all."""
        self._order(ipc.TraceOrder(on, service))

    def prove(self, pending: tuple[tuple[str, str], ...]) -> None:
        """Have whoever looks for these challenges, (host, token), led to us, and for no others."""
        self._order(ipc.Proofs(pending))

    def trust(self, authorities: Authorities) -> None:
        """Have these count in certificates of endpoints, and no others."""
        self._order(authorities)

    async def refresh(self) -> None:
        """Bring the counts up to date: ask every worker, and wait a quarter of a second at most."""
        await self._inquiries.ask(self.workers, ipc.Collect, REFRESH_SECONDS)

    async def askers(self, name: bytes | None, clients: tuple[bytes, ...] | None) -> list[AskerRow]:
        """Who asked DNS for a name last, or what these clients asked for (as Who has them), as far as workers say so in time."""
        told = await self._inquiries.ask(self.workers, lambda number: Who(number, name, clients), REFRESH_SECONDS)
        return [row for each in told if isinstance(each, Askers) for row in each.rows]

    async def loads(self, endpoints: tuple[str, ...], service: str = "") -> dict[str, int] | None:
        """How many exchanges endpoints have in flight in all workers, as in ipc.Load; None: a worker has not said so in time."""
        return await self._inquiries.loads(self.workers, endpoints, service, REFRESH_SECONDS)

    @property
    def dns_counts(self) -> DnsCounts:
        """What DNS has done in all workers."""
        return dns_counts.total(slot.dns for slot in self.workers)

    async def drain(self, seconds: float, *, patient: bool = False) -> None:
        """Accept no more, let the workers finish within so many seconds, then end those that did not.

        patient: a client between two requests is not sent away: its next answer closes its connection.
        """
        self._stopping.set()
        self._farewell = ipc.Drain(seconds, patient)
        for slot in self.workers:
            # ours first: a worker accepts what is queued already, and with its own copy the socket is closed for good
            for _, sock in slot.sockets:
                sock.close()
            self._send_away(slot)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds + KILL_SECONDS)
            for slot in self.workers:
                if slot.state != "dead":
                    log.warning(
                        "worker.killed", reason="it did not end in time", slot=slot.slot, pid=slot.pid, connections=slot.connections
                    )
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._watch is not None:
            self._watch.cancel()
        await self._spares.close()

    def _send_away(self, slot: Slot) -> None:
        if self._farewell is not None and slot.channel is not None:
            slot.state = "draining"
            slot.channel.send(self._farewell)

    def _order(self, order: ipc.Orders) -> None:
        self._orders[type(order)] = order
        self.tell(order)

    def tell(self, message: ipc.Any) -> None:
        """Send this to every worker that runs."""
        for slot in self.workers:
            if slot.channel is not None and slot.state != "dead":
                slot.channel.send(message)

    def _died(self, slot: Slot) -> None:
        """A worker has died. If none has ever served, and this one does again and again, more of that is no help."""
        self.readers.note("worker.died", f"worker {slot.slot}", slot.last)
        if slot.trouble and not self._served:
            self.hopeless = f"no worker starts: {slot.trouble}"
            for each in self.workers:
                each.settled.set()
            self.readers.hopeless()

    def _greet(self, slot: Slot, channel: ipc.Channel) -> None:
        """Tell a worker that begins all that it has to know."""
        channel.send(self._setup(slot))
        for order in self._orders.values():
            channel.send(order)
        for message in self.tls.welcome() if self.tls is not None else ():
            channel.send(message)
        channel.send(self._tables.whole())
        for message in self.dns.welcome() if self.dns is not None else ():
            channel.send(message)
        self._send_away(slot)  # the end may have come while it started

    async def _look(self) -> None:
        """Look at every worker again and again."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(heartbeat.LOOK)
            self.traffic.expire(loop.time())
            for slot in self.workers:
                await worker_life.look(slot)

    def _setup(self, slot: Slot) -> ipc.Setup:
        setup = worker_setup.setup(self._settings, slot.slot, self.ports, self._admin_socket, self._instance)
        return msgspec.structs.replace(
            setup, workers=len(self.workers), hold=self._hold, admin_connections=self._admin_connections, dns=self.dns and self.dns.setup
        )

    def _take(self, slot: Slot, channel: ipc.Channel, message: ipc.Any) -> None:
        slot.pulse.beat()
        match message:
            case ipc.Ready():
                if slot.state == "starting":
                    slot.state = "serving"
                    self._served = True
                    slot.settled.set()
                    self.readers.note("worker.started", f"worker {slot.slot}", "takes requests")
                    if self._watch is not None:
                        self._spares.refill()
            case ipc.Counts():
                self._count(slot, message)
            case DnsCounts():
                slot.dns_now = message
            case Askers() | ipc.Loads():
                self._inquiries.heard(message.number, message)
            case _:
                self.readers.take(message, channel.send)

    def _count(self, slot: Slot, counts: ipc.Counts) -> None:
        slot.learn(counts)
        self.readers.places(self.workers)
        self.traffic.take(slot.slot, counts, slot.members, asyncio.get_running_loop().time())
        slot.unlearn(counts.gone)
        self._inquiries.heard(counts.number, counts)
