"""One worker process: the compiled data plane on uvloop, fed by its channel. Started by the supervisor alone.

launch.py calls main(CHANNEL, STACK, UID, GID): descriptors it inherits, and the user to go on as. It has imported everything, and waits for
the sockets to listen on (lending.py), perhaps for days: till then it is a spare. Never sees Docker or a log; ends with its channel.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import signal
import socket
import sys
from time import monotonic

import uvloop

from haystack._fast.connection import http2_leg, resting, slow_readers, spares
from haystack._fast.exchange import bulk, half_closed, outliers
from haystack._fast.exchange.listener import Listener
from haystack._fast.log.access_line import Log
from haystack._fast.net import splice
from haystack._fast.net.networks import Networks
from haystack._fast.net.poller import Poller
from haystack._fast.routing.router import Router
from haystack._fast.util import allocations
from haystack._fast.util.kernel import give_back, keep
from haystack._fast.worker.worker_state import WorkerState
from haystack.dns.messages import Questions, ZonePart
from haystack.loop.memory import KEPT
from haystack.model.reports import FailureRow
from haystack.net import descriptors
from haystack.proxy import ipc, lending, limits, own_routes, sandbox, worker_loads, worker_traces
from haystack.proxy.worker_counts import Report
from haystack.proxy.worker_dns import OF_DNS, Told, WorkerDns
from haystack.proxy.worker_routes import Routes
from haystack.proxy.worker_tls import WorkerTls
from haystack.proxy.worker_trust import WorkerTrust
from haystack.routing.rows import HTTPS, LISTENERS, Table
from haystack.tls.messages import Authorities, ClientCas, TicketKeys, TlsPart

TICK = 0.1
REPORTED = 10  # ticks between two Counts that nobody asked for
BEATEN = 5  # ticks between two Beats: the supervisor looks as often (heartbeat.LOOK)
BEHIND = 4 * 1024 * 1024  # bytes that the control process has not taken: lines and traces wait in their own bounded room then
LAST_SECONDS = 1.0
UNINTRODUCED = 100  # connections without a PROXY header that a tick tells of
PARTS = (Table, ZonePart)
LEAKED = 70


class Worker:
    """This process: its state, its listeners, its routes."""

    def __init__(self, channel: ipc.Channel, lent: list[tuple[int, int]]) -> None:
        self._channel = channel
        self._lent = lent
        self._sockets = [(index, socket.socket(fileno=fd)) for index, fd in lent if index < lending.DNS_UDP]
        self._listeners: list[Listener] = []
        self._counts: Report
        self._draining: asyncio.Task[None] | None = None
        self._known = False
        self._held = False
        self._setup: ipc.Setup
        self._state: WorkerState
        self._poller: Poller
        self._routes: Routes
        self._dns: WorkerDns | None = None
        self._tls: WorkerTls
        self._trust = WorkerTrust(self._failed)
        self._ticker: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve until drained or until the channel ends."""
        await self._channel.open()
        async for message in self._channel.messages():
            if self._dns is not None and isinstance(message, OF_DNS):
                self._dns.take(message)
            elif isinstance(message, Authorities):
                await self._trust.take(message)  # the table that comes behind it goes by it
            else:
                self._hear(message)
            if isinstance(message, PARTS):
                await asyncio.sleep(0)  # they come one behind the other: exchanges have their turn between them
        if self._ticker is not None:  # else the channel ended before it began
            self._ticker.cancel()
            self._poller.stop()

    def _hear(self, message: ipc.Any) -> None:
        match message:
            case ipc.Setup():
                self._begin(message)
                self._ticker = asyncio.ensure_future(self._tick())
            case ipc.Access():
                self._admit(Networks(message.v4, message.v6))
            case Table():
                self._take(message)
            case ipc.Proofs():
                self._routes.prove(message.pending)
            case TlsPart() | TicketKeys() | ClientCas():
                self._tls.take(message)
            case ipc.TraceOrder():
                self._state.traces.switch(message.on, message.service)
            case ipc.Collect() | ipc.Load():
                self._reply(message)
            case ipc.Open():
                self._open()
            case ipc.Drain() if self._draining is None:
                self._draining = asyncio.ensure_future(self._drain(message.seconds, message.patient))

    def _reply(self, asked: ipc.Collect | ipc.Load) -> None:
        if isinstance(asked, ipc.Load):
            self._channel.send(worker_loads.loads(self._routes, asked))
        else:
            self._report(asked.number)

    def _begin(self, setup: ipc.Setup) -> None:
        self._setup = setup
        self._held = setup.hold
        self._poller = Poller(asyncio.get_running_loop(), self._failed)
        self._poller.heed(self._channel.fileno())
        router = Router()
        self._state = WorkerState(self._poller, router, list(setup.ports))
        shares = descriptors.worker(descriptors.raised(), len(self._lent), setup.limits.max_clients)
        self._state.limits.set(limits.fitted(setup.limits, shares))
        splice.limit(shares.pipes)
        listeners = [self._listener(port) for port in setup.ports]
        if setup.access_log != "off":
            keep(KEPT)
            self._state.log = Log(setup.access_log, setup.slot, listeners, setup.access_log_fields)
        if setup.sampling is not None:
            self._state.traces.spans.sample(setup.sampling.ratio, setup.sampling.heeds_caller, listeners)
        self._tls = WorkerTls(setup.tls_min, self._failed, serves=HTTPS in setup.listeners, asks=setup.tls_clients)
        secure = setup.ports[setup.listeners.index(HTTPS)] if HTTPS in setup.listeners else 0
        ports = setup.ports[: len(LISTENERS)]
        self._routes = Routes(ports, router, setup.workers, setup.instance, self._trust.client, secure)
        self._counts = Report(self._state, self._routes.forget_drained)
        own_routes.add(setup, self._state, self._routes)
        if setup.dns is not None:
            self._dns = WorkerDns(
                setup.dns, self._poller, self._lent, shares.dns, self._tell_of_dns, self._failed, callers=self._state.clients.callers.told
            )
            if not setup.hold:
                self._dns.open()

    def _tell_of_dns(self, message: Told) -> None:
        if not isinstance(message, Questions) or self._channel.unsent < BEHIND:
            self._channel.send(message)

    def _admit(self, networks: Networks) -> None:
        self._state.networks = networks
        if self._dns is not None:
            self._dns.admit(networks)

    def _open(self) -> None:
        self._held = False
        self._listen()
        if self._dns is not None:
            self._dns.open()

    def _failed(self, error: Exception) -> None:
        """An exchange ended in an exception: a bug. It took its own connection with it, and is told where a person looks."""
        asyncio.get_running_loop().call_exception_handler({"message": "exchange failed", "exception": error})

    def _take(self, table: Table) -> None:
        """Take in a part of the routing table; with its last one the version is served."""
        self._routes.apply(table)
        for endpoint in self._routes.endpoints(table.stopped):
            endpoint.stop()
        if table.ended:
            bulk.rescue(self._state, self._routes.endpoints(table.ended))
        if not table.last:
            gc.freeze()  # much is new and stays: the collector would go through it again and again, for 100 ms at 10,000 services
            return
        self._state.early = table.version == 0
        if not self._known:
            self._known = True
            self._listen()
            gc.collect()
            gc.freeze()
        self._channel.send(ipc.Ready(table.version))

    def _listen(self) -> None:
        """Accept from now on: neither before the first table, when every name would be unknown, nor while another one serves."""
        if self._known and not self._held and not self._listeners and self._draining is None:
            self._listeners = [self._listen_at(s, index) for index, s in self._sockets]

    def _listen_at(self, sock: socket.socket, index: int) -> Listener:
        if (server := self._tls.server) is not None and self._setup.listeners[index] == HTTPS:
            self._state.tls, server.port = server, self._setup.ports[index]
            return Listener(self._state, sock.fileno(), index, LISTENERS.index("http"), server)
        return Listener(self._state, sock.fileno(), index)

    async def _tick(self) -> None:
        """By the clock that all processes share, so that all workers tell of the same second."""
        tick = int(monotonic() / TICK)
        while True:
            before, tick = tick, max(tick + 1, int(monotonic() / TICK) + 1)
            await asyncio.sleep(tick * TICK - monotonic())
            if self._poller.sweep():  # else what clients and endpoints have sent is not all read: nobody can be called late or silent
                outliers.look(self._state)
                half_closed.look(self._state)
                slow_readers.look(self._state)
                resting.look(self._state)
            if tick // BEATEN != before // BEATEN:
                self._channel.send(ipc.Beat())
            self._tell()
            if tick // REPORTED != before // REPORTED:
                self._report(0)
            elif self._counts.behind:
                self._report(0, rest=True)

    def _tell(self, *, last: bool = False) -> None:
        """Send up the traces and the logs' lines since the last call. last: there is no later for what has to wait."""
        if faults := self._state.take_faults():
            self._channel.send(ipc.Failures(tuple(FailureRow(*row) for row in faults)))
        if rows := self._state.clients.take_unintroduced():
            self._channel.send(ipc.Unintroduced(tuple(rows[:UNINTRODUCED])))
        if self._channel.unsent >= BEHIND and not last:
            return
        for message in worker_traces.messages(self._state.traces, self._setup.slot, self._listener):
            self._channel.send(message)
        if self._state.log is not None and (taken := self._state.log.take()):
            lines, count, dropped = taken
            self._channel.send(ipc.Lines(memoryview(lines), count, dropped))
        if self._dns is not None:
            self._dns.tell(self._setup.slot)

    def _report(self, number: int, *, rest: bool = False) -> None:
        """Send up the counts, where they changed or were asked for. rest: what the last report left."""
        if self._dns is not None:
            self._dns.report()
        for part in self._counts.parts(number, rest=rest):
            self._channel.send(part)

    def _listener(self, port: int) -> str:
        return f"{self._setup.listeners[self._setup.ports.index(port)]}:{port}"

    async def _drain(self, seconds: float, patient: bool) -> None:
        """Stop accepting, close who is idle, wait for the rest, and go.

        patient: a request may be on its way on an idle connection, and would be lost if that were closed. So it is answered, with
        `Connection: close`, and only who is silent to the end is sent away.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        for _, sock in self._sockets:
            sock.close()
        for listener in self._listeners:
            listener.stop()
        if patient and self._dns is not None:  # else nobody takes over: it answers to the end
            self._dns.leave()
        self._state.drain()
        bulk.announce_end(self._state)
        # the data plane is compiled and has no event to wait for; this runs once, at the end
        while patient and self._state.clients.count and loop.time() < end - LAST_SECONDS:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        while (bulk.close_idle(self._state) or (patient and self._dns is not None and self._dns.server.busy)) and loop.time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        self._tell(last=True)
        self._report(0)
        self._channel.close()


def _audit() -> None:
    """The debug build's last look: with the worker gone, what is still alive has leaked, and the status says so."""
    http2_leg.forget_spares()
    spares.forget_spares()
    gc.unfreeze()
    while gc.collect():  # what compiled code held shows as garbage only once its holder has gone
        pass
    leaked = {name: count for name, count in allocations.live().items() if count and name != "endpoints"}
    if leaked:
        print("leaked:", *(f"{count} {name}" for name, count in leaked.items()), file=sys.stderr, flush=True)  # noqa: T201 - stderr is all it has
        sys.exit(LEAKED)


def main(channel: int, stack: int, uid: int, gid: int) -> None:
    """Be ready, wait for the sockets, and serve. stack: the file in which a worker that hangs tells where it is."""
    # one that hangs is asked where: the answer goes to a file that the supervisor reads
    faulthandler.register(signal.SIGUSR1, file=stack)
    descriptors.raised()
    sandbox.confine_or_tell(uid, gid)
    sandbox.end_with_parent()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop()
        sandbox.call("haystack-spare")
        gc.collect()
        gc.freeze()
        give_back()
        end = socket.socket(fileno=channel)
        lent = lending.borrowed(end)
        if lent is None:
            return
        sandbox.call("haystack-worker")
        runner.run(Worker(ipc.Channel(end), lent).run())
    if allocations.DEBUG:
        _audit()
