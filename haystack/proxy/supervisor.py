"""The worker processes: starts them, feeds them each snapshot, adds up their counters, and replaces one that dies.

It owns the listening sockets, one set a worker with SO_REUSEPORT, and lends them: while a worker is replaced, clients that the kernel hands
to its sockets wait in their queue instead of being refused. Never sees a byte of an exchange.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import msgspec
import structlog

from haystack.listening import EVERYWHERE, Sockets
from haystack.observe.trace import Trace
from haystack.proxy import channel as wire
from haystack.proxy import limits, table
from haystack.proxy.lingering import Lingering
from haystack.settings import Settings
from haystack.snapshot import Snapshot

BACKLOG = 4096
REFRESH_SECONDS = 0.25
START_SECONDS = 10
STEADY_SECONDS = 5.0
MAX_PAUSE = 5.0
KILL_SECONDS = 2.0
log = structlog.get_logger("haystack.proxy")


class Slot:
    """One worker's place: its sockets stay, its process may change. state: starting, serving, draining, dead."""

    def __init__(self, number: int, sockets: list[tuple[int, socket.socket]]) -> None:
        self.slot = number
        self.sockets = sockets
        self.pid = 0
        self.state = "dead"
        self.restarts = 0
        self.connections = 0
        self.exchanges = 0
        self.members: list[tuple[Counter[tuple[str, int]], tuple[str, int]]] = []  # what to count in and under what, by member
        self.channel: wire.Channel | None = None
        self.process: asyncio.subprocess.Process | None = None
        self.serving = asyncio.Event()


class Supervisor:
    """All workers. admin_socket: where requests to Haystack itself go. `requests` and `errors` only ever grow."""

    def __init__(self, settings: Settings, admin_socket: str) -> None:
        self._settings = settings
        self._admin_socket = admin_socket
        self._table = wire.Table(0, ())
        self._trace = wire.TraceOrder(on=False)
        self._lingering = Lingering()
        self._linger_timer: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._waiting: dict[int, asyncio.Event] = {}
        self._asked = 0
        self._stopping = asyncio.Event()
        self._hold = False
        self._farewell: wire.Drain | None = None
        self.workers: list[Slot] = []
        self.ports: dict[str, int] = {}
        self.requests: dict[tuple[str, int], Counter[tuple[str, int]]] = {}
        self.statuses = [0] * 5
        self.exchanges = 0
        self.errors: Counter[tuple[str, int]] = Counter()
        self.on_trace: Callable[[Trace], None] = lambda _trace: None
        self.on_failures: Callable[[Sequence[wire.FailureRow]], None] = lambda _rows: None
        self.on_lines: Callable[[bytes, int, int], None] = lambda _lines, _count, _dropped: None

    def bind(self, opened: Sockets | None = None) -> None:
        """Open every listening socket, or take what is handed over. OSError: a port can't be had; nothing stays open then."""
        opened = opened or Sockets()
        try:
            slots = [self._open(opened) for _ in range(self._settings.workers)]
        except OSError:
            for name in table.LISTENERS:
                opened.close(name)
            raise
        for number, sock in enumerate(self._surplus(opened)):
            slots[number % len(slots)].append(sock)
        self.workers = [Slot(number, sockets) for number, sockets in enumerate(slots)]

    def _open(self, opened: Sockets) -> list[tuple[int, socket.socket]]:
        """One worker's sockets. Where the port is 0, the first one finds it for all."""
        wanted = (self._settings.http_port, self._settings.http_alt_port)
        sockets = []
        for index, (name, port) in enumerate(zip(table.LISTENERS, wanted, strict=True)):
            for sock in opened.on_each(self._settings.bind, partial(self._one, opened, name, port)):
                # accepted sockets inherit it: one system call a connection less
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sockets.append((index, sock))
        return sockets

    def _one(self, opened: Sockets, name: str, port: int, address: str) -> socket.socket:
        sock = opened.tcp(name, address, self.ports.get(name, port), BACKLOG, shared=True)
        self.ports.setdefault(name, sock.getsockname()[1])
        return sock

    def _surplus(self, opened: Sockets) -> Iterator[tuple[int, socket.socket]]:
        """The sockets of more workers than there are now: others see to them, for what waits in their queues."""
        for index, name in enumerate(table.LISTENERS):
            for address in self._settings.bind or EVERYWHERE:
                yield from ((index, sock) for sock in opened.surplus(name, str(address), self.ports[name]))

    async def start(self, *, hold: bool = False) -> bool:
        """Start every worker and wait until each is ready, 10 s at most: whether all are. hold: none accepts before `open`."""
        self._hold = hold
        self._tasks = [asyncio.create_task(self._keep(slot), name=f"worker {slot.slot}") for slot in self.workers]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                await asyncio.gather(*(slot.serving.wait() for slot in self.workers))
        return all(slot.state == "serving" for slot in self.workers)

    def open(self) -> None:
        """Have the workers accept that were held."""
        self._hold = False
        self._tell(wire.Open())

    def publish(self, snapshot: Snapshot) -> None:
        """Send every worker what this snapshot changes in its routes."""
        new = table.of(snapshot, table.Defaults(self._settings.balance, self._settings.timeout, self._settings.wait))
        self._replace(new, table.alive(snapshot))

    def _replace(self, new: wire.Table, living: frozenset[str]) -> None:
        """Tell the workers of a new table, and again when a service that lingers in it is to go."""
        loop = asyncio.get_running_loop()
        if self._linger_timer is not None:
            self._linger_timer.cancel()
            self._linger_timer = None
        old, self._table = self._table, self._lingering.add(self._table, new, loop.time())
        for part in table.changes(old, self._table, living):
            self._tell(part)
        if (end := self._lingering.next_end()) is not None and not self._stopping.is_set():
            self._linger_timer = loop.call_at(end, self._replace, new, living)

    def trace(self, on: bool, service: str | None = None) -> None:
        """Have exchanges recorded: those of one service, or all."""
        self._trace = wire.TraceOrder(on, service)
        self._tell(self._trace)

    async def refresh(self) -> None:
        """Bring `requests` up to date: ask every worker, and wait a quarter of a second at most."""
        asked = []
        for slot in self.workers:
            if slot.state == "serving" and slot.channel is not None:
                self._asked += 1
                self._waiting[self._asked] = asyncio.Event()
                asked.append(self._asked)
                slot.channel.send(wire.Collect(self._asked))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REFRESH_SECONDS):
                for number in asked:
                    await self._waiting[number].wait()
        for number in asked:
            self._waiting.pop(number, None)

    async def drain(self, seconds: float, *, patient: bool = False) -> None:
        """Accept no more, let the workers finish within so many seconds, then end those that did not.

        patient: a client between two requests is not sent away: its next answer closes its connection.
        """
        self._stopping.set()
        self._farewell = wire.Drain(seconds, patient)
        for slot in self.workers:
            # ours first: a worker accepts what is queued already, and with its own copy the socket is closed for good
            for _, sock in slot.sockets:
                sock.close()
            self._send_away(slot)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds + KILL_SECONDS)
            for slot in self.workers:
                if slot.state != "dead":
                    log.warning("worker killed: it did not end in time", slot=slot.slot, pid=slot.pid, connections=slot.connections)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _send_away(self, slot: Slot) -> None:
        if self._farewell is not None and slot.channel is not None:
            slot.state = "draining"
            slot.channel.send(self._farewell)

    def _tell(self, message: wire.Any) -> None:
        for slot in self.workers:
            if slot.channel is not None and slot.state != "dead":
                slot.channel.send(message)

    async def _keep(self, slot: Slot) -> None:
        """Keep one worker running: at once after a death, with growing pauses where it dies again and again."""
        pause = 0.0
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            started = loop.time()
            try:
                await self._run(slot)
            except OSError as error:
                log.exception("worker can't start", slot=slot.slot, error=str(error))
            if self._stopping.is_set():
                if slot.process and slot.process.returncode:
                    log.error("worker ended badly", slot=slot.slot, pid=slot.pid, status=slot.process.returncode)
                return
            slot.restarts += 1
            pause = 0.0 if loop.time() - started > STEADY_SECONDS else min(MAX_PAUSE, pause * 2 or 0.05)
            log.error("worker died", slot=slot.slot, pid=slot.pid, status=slot.process and slot.process.returncode)
            await asyncio.sleep(pause)

    async def _run(self, slot: Slot) -> None:
        """One life of a worker, from its start to its end."""
        mine, theirs = socket.socketpair()
        lent = [f"{index}:{sock.fileno()}" for index, sock in slot.sockets]
        inherited = (theirs.fileno(), *(sock.fileno() for _, sock in slot.sockets))
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "haystack.proxy.worker", str(theirs.fileno()), *lent, pass_fds=inherited
            )
        slot.process, slot.pid, slot.state = process, process.pid, "starting"
        slot.channel = wire.Channel(mine)
        slot.members = []
        await slot.channel.open()
        try:
            slot.channel.send(self._setup(slot))
            slot.channel.send(self._table)
            slot.channel.send(self._trace)
            self._send_away(slot)  # the end may have come while it started
            async for message in slot.channel.messages():
                self._take(slot, message)
            await process.wait()
        finally:
            slot.state = "dead"
            slot.channel.close()
            slot.channel = None
            if process.returncode is None:
                process.kill()
                await process.wait()

    def _setup(self, slot: Slot) -> wire.Setup:
        origin = self._settings.origin
        admin = self._settings.admin
        return wire.Setup(
            slot=slot.slot,
            ports=tuple(self.ports[name] for name in table.LISTENERS),
            trusted=tuple(str(n) for n in self._settings.trusted_proxies),
            admin_socket=self._admin_socket if admin else "",
            admin_hosts=("", "localhost", origin, f"ns.{origin}") if admin else (),
            limits=limits.of(self._settings),
            workers=len(self.workers),
            hold=self._hold,
            access_log=self._settings.access_log,
        )

    def _take(self, slot: Slot, message: wire.Any) -> None:
        match message:
            case wire.Ready():
                if slot.state == "starting":
                    slot.state = "serving"
                    slot.serving.set()
            case wire.Counts():
                self._count(slot, message)
            case wire.Failures():
                self.on_failures(message.rows)
            case wire.Lines():
                self.on_lines(message.lines, message.count, message.dropped)
            case wire.Traces():
                for trace in message.traces:
                    self.on_trace(msgspec.msgpack.decode(trace, type=Trace))

    def _count(self, slot: Slot, counts: wire.Counts) -> None:
        new = counts.exchanges - slot.exchanges
        # a worker counts from zero in each of its lives
        self.exchanges += new if new >= 0 else counts.exchanges
        slot.exchanges, slot.connections = counts.exchanges, counts.connections
        for service, port, address, number in counts.members:
            slot.members.append((self.requests.setdefault((service, port), Counter()), (address, number)))
        members = slot.members
        for member, requests in counts.requests:
            counter, place = members[member - 1]
            counter[place] += requests
        for word, status, count in counts.errors:
            self.errors[word, status] += count
        if counts.number in self._waiting:
            self._waiting[counts.number].set()
