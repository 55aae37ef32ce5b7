"""The composition root: makes every room, introduces them to each other, starts them in order and stops them in order.

Never decides anything about containers, names or requests. Order: bind every port, so that a taken one ends the start
before anything was promised; then DNS, web side and shell; then discovery and the workers, which accept when it is known what
there is. One that replaces another has nobody served before all is ready. A first SIGTERM or SIGINT stops accepting and waits for what
is in flight, HAYSTACK_DRAIN at most; a second one ends at once, unless it comes with the first.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import structlog

from haystack._fast.log.span_parts import parts
from haystack.api.server import ApiServer
from haystack.catalog.registry import Registry
from haystack.console.ssh_listener import SshListener
from haystack.discovery import own_place
from haystack.discovery.apart.remote import Remote
from haystack.discovery.exposure import Labelled
from haystack.discovery.provider import Provider
from haystack.dns.lookup import Lookup
from haystack.dns.service import DnsService, shared_counters
from haystack.handover import protocol
from haystack.handover.client import Predecessor, ReplaceError
from haystack.handover.identity import Memory, home
from haystack.handover.server import Giver
from haystack.health import lost_engines
from haystack.health.monitor import Monitor
from haystack.loop import garbage
from haystack.loop.stop_signals import StopSignals
from haystack.loop.turns import Turns, at_once, in_turns
from haystack.model.snapshot import Snapshot
from haystack.net import activation, descriptors
from haystack.net.access import Acl
from haystack.net.sockets import Sockets
from haystack.observe import span_exporter, unintroduced
from haystack.observe.hidden_clients import Hidden
from haystack.observe.history import Past
from haystack.observe.snapshot_log import SnapshotLog
from haystack.observe.trace import TraceHub, logged
from haystack.operator.changes import Operator
from haystack.proxy.lending import DNS_TCP, DNS_UDP, ROTATION
from haystack.proxy.spawn import WorkerProcess
from haystack.proxy.supervisor import Supervisor
from haystack.proxy.via import new_instance
from haystack.settings.settings import Settings
from haystack.startup import checks, defaults, greeting, line_logs, readiness_wait
from haystack.startup.certificates import Certifying
from haystack.startup.tasks import Tasks
from haystack.tls.service import TlsService
from haystack.tls.trust import Trust
from haystack.views.rates import Rates
from haystack.views.state import State

HANDOVER_SECONDS = 30.0  # for what is in flight when another one serves: nobody waits for this one to end
LONGER = "for requests that take longer: HAYSTACK_DRAIN, and a second more for who kills it, as with docker run --stop-timeout"
CERTIFICATES = "certificates"  # the name of the tasks that have them made
FIT = "there has to be a socket for IPv4 and one for IPv6 (BindIPv6Only=ipv6-only), and each has to listen (Accept=no)"
Processes = list[WorkerProcess] | tuple[()]
log = structlog.get_logger("haystack")


class PortError(Exception):
    """A port can't be listened on. str() is one line: which, why, and what to set."""


class WorkersError(Exception):
    """No worker starts. str() is one line: what becomes of them."""


class App:
    """One running Haystack. Made and run on the event loop's thread. old: the one that it is to replace; processes: for workers."""

    def __init__(
        self, settings: Settings, sources: Sequence[Provider], folder: Path, old: Predecessor | None = None, processes: Processes = ()
    ) -> None:
        self.settings, self.sources, self.old = settings, sources, old
        self.sockets = Sockets(old.sockets if old else (), activation.handed(os.environ))
        self.past = Past()
        note = self.past.journal.add
        self.registry = Registry(settings.origin, [source.source for source in sources], note=note)
        rooms = descriptors.control(descriptors.raised(), settings.workers, len(sources))
        self.health = self.registry.watcher = Monitor(self.registry.refresh, looks=rooms.looks, probes=rooms.probes, note=note)
        instance = (old.instance if old else "") or new_instance()
        self.proxy = Supervisor(settings, str(folder / "admin.sock"), max(1, rooms.api // settings.workers), instance, processes)
        self.dns = DnsService(settings, self.registry.snapshot, self.proxy.tell, early=old is None, questions=rooms.questions)
        self.tls = self.proxy.tls = TlsService(settings, self.proxy.tell, *((old.ticket_keys, old.ticket_age) if old else ()))
        self.trust = Trust(self.proxy.trust, self.health.reseal)
        self.health.seal = self.trust.seal
        self.acl = Acl(settings, lambda: frozenset(map(str, own_place.addresses())))
        self.traces = TraceHub(self.proxy.trace)
        self.story = SnapshotLog(lambda: self.proxy.ports["http"], lambda: self.registry.departures, self.past)
        self.operator = Operator(self.registry, self.proxy.loads, settings.state_dir, lambda: self.giver.busy, note)
        self.certifying = Certifying(settings, self.tls.store, self.registry, self.proxy, self.dns, instance)
        self.state = State(
            settings, self.registry, Lookup(self.dns), self.proxy, self.traces, self.operator, time.time(), past=self.past,
            rates=Rates(self.proxy.traffic), ejections=self.health.ejections.counts, certificates=self.tls.store, ca=self.certifying.ca,
            discovery=lambda: next((each.pid for each in sources if isinstance(each, Remote)), 0), peers=self.dns.standings,
        )  # fmt: skip
        self.console = SshListener(self.state, rooms.ssh)
        group = self.proxy.account.gid if self.proxy.account else None
        self.api = ApiServer(self.state, folder / "admin.sock", group, rooms.api, self.certifying.answers)
        self.stopping = asyncio.Event()
        self.tasks = Tasks(self.stopping.set)
        self.memory = Memory(home())
        held = settings.state_dir, self.sockets, self.stopping.set, self.memory
        self.giver = Giver(*held, instance, self._health, self.operator.held, self.tls.tickets.handed_on)

    def _health(self) -> protocol.Report:
        return protocol.Report(tuple(self.state.wrong()), self.state.summary())

    async def run(self) -> None:
        """Serve until a signal says stop, or another Haystack serves instead; then drain."""
        self.bind()
        StopSignals(self.stopping.set).watch()
        async with AsyncExitStack() as stack:
            try:
                await self._start(stack)
                await self.stopping.wait()
            finally:
                await self._drain()
        log.info("haystack.stopped")
        if self.proxy.hopeless:
            raise WorkersError(self.proxy.hopeless)
        if self.tasks.blind is not None:
            raise self.tasks.blind

    def bind(self) -> None:
        """Take every port before anything runs. Raises PortError."""
        for take, fields in (
            (self.proxy.bind, checks.web_ports(self.settings)),
            (self._bind_dns, ("dns_port",)),
            (self.console.bind, ("ssh_port",)),
        ):
            try:
                take(self.sockets)
            except OSError as error:
                if error.errno == errno.EADDRINUSE and (unfit := self.sockets.unfit()):  # by whoever has opened these
                    raise PortError(f"the service manager has opened {', '.join(unfit)}: {FIT}; {activation.SEE}") from error
                raise PortError(defaults.port_complaint(self.settings, fields, error)) from error
        if idle := self.sockets.unused():
            raise PortError(f"the service manager has opened {', '.join(idle)}, and nothing listens there: {activation.SEE}")
        self.sockets.refuse_rest()

    def _bind_dns(self, sockets: Sockets) -> None:
        """Port 53, whose sockets are lent to the workers with those of HTTP."""
        opened, counters = self.dns.bind(sockets), shared_counters()
        for worker, udp, tcp in zip(self.proxy.workers, opened.udp, opened.tcp, strict=True):
            worker.sockets += [(DNS_UDP, sock) for sock in udp] + [(DNS_TCP, sock) for sock in tcp] + [(ROTATION, counters)]

    async def _start(self, stack: AsyncExitStack) -> None:
        self._introduce(stack)
        await self.certifying.start()
        await self._enter(stack, self.api, self.tls)
        if self.old is None:
            await self._enter(stack, self.dns, self.console)
            await self._discover()
            await asyncio.gather(self.proxy.start(hold=True), self._listed())
            if self.proxy.hopeless or self.stopping.is_set():
                return
            self.proxy.open()
        else:
            await self._replace(stack, self.old)
        await self._enter(stack, self.giver)
        for work in self.certifying.work():
            self.tasks.spawn(work, CERTIFICATES)
        self._tell_ready()  # last: from then on it can be replaced, too

    async def _replace(self, stack: AsyncExitStack, old: Predecessor) -> None:
        """Have everything ready before anybody is served, and only then take over. Raises ReplaceError: the old one serves on."""
        await self._discover()
        await self._listed()
        await readiness_wait.settled(self.registry)
        if not await self.proxy.start(hold=True):
            raise ReplaceError(self.proxy.hopeless or "a worker does not start")
        if self.stopping.is_set():
            raise ReplaceError(str(self.tasks.blind or "it was told to stop"))
        await self._enter(stack, self.console, self.dns)
        self.sockets.listen()
        self.proxy.open()
        alive = await asyncio.to_thread(old.release)
        self.memory.heard(old.left)
        self.memory.replaced(old.home)
        log.info("handover.finished", pid=old.pid, version=old.version, alive=alive)

    async def _listed(self) -> None:
        """Wait until every source has listed, or said why it can't. Until then clients wait in the kernel's queues."""
        await readiness_wait.listed(self.registry, self.stopping)
        self.dns.open()

    async def _enter(self, stack: AsyncExitStack, *rooms: TlsService | DnsService | ApiServer | SshListener | Giver) -> None:
        for room in rooms:
            stack.push_async_callback(room.close)
            await room.start()

    def _tell_ready(self) -> None:
        self.state.ports.update(dns=self.dns.port, ssh=self.console.port)
        if not self.stopping.is_set():
            self.story.flush()
            ports = {**self.proxy.ports, **self.state.ports}
            activation.notify(os.environ, "READY=1")
            log.info("ready", **greeting.ready(self.settings, self.registry.snapshot, ports, self.state.troubles()))

    async def _discover(self) -> None:
        await self.operator.start(self.old.overrides if self.old else None)
        self.tasks.spawn(self.operator.run(), "operator")
        if self.settings.dns_records is not None:
            await self._serve_records(self.settings.dns_records)
        sink = Labelled(self.registry) if self.settings.expose == "labelled" else self.registry
        for provider in self.sources:
            self.tasks.spawn(provider.run(sink), provider.source)
        if self.settings.trace:
            self.tasks.spawn(logged(self.traces), "trace")
        self.tasks.spawn(self.state.rates.run(), "rates")
        self.tasks.spawn(self.trust.run(), "trust")
        self.tasks.spawn(lost_engines.run(lambda: self.registry.lost, lambda: self.registry.snapshot, self.health.doubt), "lost engines")

    async def _serve_records(self, path: Path) -> None:
        """Before anything is answered; from then on, whenever the file changes."""
        from haystack.dns import master_file, records_file  # noqa: PLC0415 - what this start does not use is not loaded

        file = records_file.RecordsFile(path, self.settings.origin, self.settings.dns_ttl)
        with suppress(OSError, master_file.MasterFileError):  # which it was not a moment ago: the task tells of it
            self.registry.take_records(await in_turns(file.read()))
        self.tasks.spawn(file.run(self.registry.take_records), "records")

    async def _drain(self) -> None:
        """Finish what is in flight. Where another Haystack serves, it alone hears what is new; else DNS and shell stay to the end."""
        self.tasks.cancel(CERTIFICATES)  # first: nothing is ordered by one that stops, and the next one gets the lease
        replaced = self.giver.released
        seconds = max(self.settings.drain, HANDOVER_SECONDS) if replaced else self.settings.drain
        activation.notify(os.environ, "STOPPING=1")
        log.info("haystack.stopping", drain_seconds=seconds)
        self.api.leave()
        if replaced:
            self.console.leave()
        await self.proxy.drain(seconds, patient=replaced)
        if cut := sum(slot.clients for slot in self.proxy.workers):
            log.warning("haystack.cut", connections=cut, drain_seconds=seconds, hint=LONGER)
        await self.tasks.stop()  # last of all: while it drains, news of endpoints still count, and each exchange is logged

    def _introduce(self, stack: AsyncExitStack) -> None:
        """Who hears of what: each snapshot goes to DNS and the workers, each trace to the hub."""
        self.acl.subscribe(self.proxy.admit)
        self.acl.subscribe(self.dns.admit)
        # who may ask before what there is; workers before DNS, for a removed endpoint must get no request
        followers = (self._admit, self.trust.follow, self.proxy.follow, self.dns.follow, self.health.follow, self.story.follow)
        for reader in (*followers, *self.certifying.readers()):
            stack.callback(self.registry.add_reader(reader))
            at_once(reader(self.registry.snapshot))
        stack.callback(self.registry.subscribe(garbage.Garbage().follow))
        stack.callback(self.story.flush)
        stack.callback(self.health.close)
        self.proxy.dns, self.proxy.readers.questions = self.dns, self.dns.asked
        self.proxy.readers.failures, self.proxy.readers.outcomes = self.health.failures, self.past.outcomes.take
        self.proxy.readers.note, self.proxy.readers.places = self.past.journal.add, Hidden(self.registry.remark).look
        self.proxy.readers.trace, self.proxy.readers.traces_lost = self.traces.publish, self.traces.lost
        self.proxy.readers.hopeless = self.stopping.set
        self.proxy.readers.unintroduced = unintroduced.begun(stack)
        self.proxy.readers.spans = span_exporter.begun(stack, line_logs.FLUSH_SECONDS, parts)
        line_logs.begin(stack, self.settings, self.proxy.readers, self.registry)

    def _admit(self, snapshot: Snapshot) -> Turns[None]:
        yield from self.acl.follow(snapshot.networks)
