"""`python -m bench.micro.loop [--size N]`: the longest hold of the control loop by each thing that it does at 10,000 containers.

A ticker on the loop asks to be called each millisecond. The hold is the CPU time of the loop's thread between two of its calls, for other
processes of a busy machine are not to count; the last table is what a DNS client on the loop waits (median and worst, by the wall clock)
while pages are asked for all the time. Ten containers a service.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import msgspec
import structlog
import uvloop
from msgspec.structs import replace

from haystack.api.server import ApiServer
from haystack.catalog.registry import Registry
from haystack.console import shell
from haystack.console.top_screen import Screen
from haystack.dns import wire
from haystack.dns.client_names import ClientNames
from haystack.dns.lookup import Lookup
from haystack.dns.messages import AskerRow, DnsCounts
from haystack.dns.service import DnsService
from haystack.health.monitor import Monitor
from haystack.loop import garbage
from haystack.loop.turns import in_turns
from haystack.model.records import Attachment, Container, Engine, Listing, Network, Port
from haystack.net import access
from haystack.observe.history import Past
from haystack.observe.snapshot_log import SnapshotLog
from haystack.observe.trace import TraceHub
from haystack.operator.changes import Operator
from haystack.proxy import count_parts, ipc
from haystack.proxy.counters import Place
from haystack.proxy.traffic import Traffic
from haystack.routing.table_updates import Tables
from haystack.views.rates import Rates
from haystack.views.state import State
from tests.fakes.usual import usual

A_SERVICE = 10
NAME = "g5.app.services.haystack"
TALLY: ipc.Tally = ((0, 0, 9, 1, 0, 0), 100, 5000, 0, 80_000_000, (20, 2, 22, 1, 25, 3, 28, 2, 30, 2))
DNS = SimpleNamespace(
    origin="haystack",
    dns_ttl=5,
    address=(),
    peers=(),
    proxy_protocol=(),
    http_port=80,
    bind=(),
    dns_port=0,
    dns_nameservers=(),
    dns_forward=None,
    acme_dns_zone=None,
    workers=1,
    dns_log="off",
)
PAGES = ("/api/containers", "/api/networks", "/api/services", "/api/info", "/metrics", "/ui")
LISTS = (
    *("services", "containers", "containers --json", "endpoints", "endpoints --json", "metrics"),
    *(f"service {NAME}", "service nobody", "who g5-50", f"cohorts {NAME}", "events", "replay 1m"),
)


def container(number: int, size: int) -> Container:
    """One of so many; neighbours in the order of ids are in different services."""
    address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    place = Attachment(network="bridge", network_id="b", ipv4=address, mac_address="02:42:ac:11:00:02", endpoint_id="e" * 64)
    return Container(
        id=f"{number * 7919 % size:012x}".ljust(64, "a"), name=f"g{number // A_SERVICE}-{number}", engine="E", image="registry/app:1",
        image_name="app", since=1.0, state_reason="start", attachments=(place,), network="bridge", address=address,
        address_reason="only one", ports=(Port(number=80, protocol="tcp", name="http"),), services=(f"g{number // A_SERVICE}.app",),
    )  # fmt: skip


def network(number: int) -> Network:
    """One of so many; the first is that of the containers."""
    subnet = f"172.{16 + (number >> 16)}.{number >> 8 & 255}.{number & 255}/32"
    name = f"n{number}" if number else "bridge"
    return Network(id=str(number) if number else "b", name=name, engine="E", driver="bridge", subnets=(subnet,), gateway=subnet[:-3])


CLIENT = """
import http.client, socket, sys
for line in sys.stdin:
    client = http.client.HTTPConnection("x")
    client.sock = socket.socket(socket.AF_UNIX)
    client.sock.connect(sys.argv[1])
    client.request("GET", line.strip())
    answer = client.getresponse()
    answer.read()
    client.close()
    print(answer.status, flush=True)
"""


# of eight workers, as many as they can remember: made beforehand, for they come from elsewhere
ASKERS = [AskerRow(wire.name(f"n{n}.example"), bytes((10, 0, n >> 8, n & 255)), ("A",), n % 977, 1) for n in range(8 * 2048)]


class Rig:
    """The control plane but for providers and workers."""

    def __init__(self, size: int, folder: Path) -> None:
        self.registry = Registry("haystack")
        self.monitor = self.registry.watcher = Monitor(self.registry.refresh, connect=_accepts)
        self.dns = DnsService(DNS, self.registry.snapshot, lambda _message: None)
        tables, self.traffic, loop = Tables(usual("p2c", 60, 5)), Traffic(), asyncio.get_running_loop()
        workers = (lambda s: tables.follow(s, loop.time()), lambda s: self.traffic.follow(s, loop.time()))
        policy = SimpleNamespace(
            **dict.fromkeys(("allow", "admin_allow", "dns_recursion"), access.INSIDE), trusted_proxies=(), proxy_protocol=()
        )
        self.acl = access.Acl(policy)
        self.names = ClientNames(plain=False)
        for reader in (lambda s: self.acl.follow(s.networks), *workers, self.dns.follow, self.monitor.follow, self.names.follow):
            self.registry.add_reader(reader)
        for each in (SnapshotLog(lambda: 80, lambda: self.registry.departures, Past()).follow, garbage.Garbage().follow):
            self.registry.subscribe(each)
        proxy = SimpleNamespace(
            requests=self.traffic.series.counts, traffic=self.traffic, errors={}, ports={}, workers=[], refresh=_nothing,
            dns_counts=DnsCounts(), askers=_askers,
        )  # fmt: skip
        settings = SimpleNamespace(dns_ttl=5, balance="p2c", https="on", timeout=60.0, wait=10.0, cors_origin=None)
        door = Operator(self.registry, _loads, folder)
        self.rates, self.second = Rates(self.traffic), itertools.count(1)
        self.state = State(settings, self.registry, Lookup(self.dns), proxy, TraceHub(), door, time.time(), rates=self.rates)
        self.path = str(folder / "admin")
        self.api = ApiServer(self.state, self.path)
        found = sorted((container(n, size) for n in range(size)), key=lambda c: c.id)
        engine = Engine(id="E", name="box", host="unix:///x")
        self.listing = Listing(engine=engine, networks=tuple(network(n) for n in range(size // A_SERVICE)), containers=tuple(found))

    async def list_all(self) -> None:
        """The first list of an engine."""
        await self.state.operator.start(())
        self.registry.replace("s", self.listing)
        await self.registry.listed.wait()

    async def change(self) -> None:
        """One container is told to stop."""
        found = list(self.listing.containers)
        found[len(found) // 2] = replace(found[len(found) // 2], state="stopping", since=time.time())
        await self.relist(containers=tuple(found))

    async def connect(self) -> None:
        """All networks are listed anew, and there is one more."""
        await self.relist(networks=tuple(network(n) for n in range(len(self.listing.networks) + 1)))

    async def relist(self, **changes: object) -> None:
        """What the engine has changes in this; it is published when this ends."""
        self.listing = replace(self.listing, **changes)
        version = self.registry.snapshot.version
        self.registry.replace("s", self.listing)
        while self.registry.snapshot.version == version:  # noqa: ASYNC110 - it tells by callbacks alone
            await asyncio.sleep(0.005)

    def count(self) -> None:
        """Every endpoint has had requests."""
        found = [(name, e) for name, service in self.registry.snapshot.services.items() for e in service.endpoints]
        self.members = {n: ((name, 80), Place(e.id, e.address, e.port)) for n, (name, e) in enumerate(found, 1)}
        loads = tuple((place.id, 1, 0) for _, place in self.members.values())
        whole = ipc.Counts(0, tuple((n, 5) for n in self.members), 1, (1,), 1, ended=tuple((n, TALLY) for n in self.members), loads=loads)
        self.reports = [msgspec.msgpack.encode(part) for part in count_parts.parts(whole)]
        for asked, place in self.members.values():
            self.traffic.series.put(asked, place, 5, 0.0)
            self.traffic.put(asked[0], place.id, TALLY, 0.0)

    async def tell(self) -> None:
        """In one second, every endpoint had exchanges, of which a worker tells; the rates are looked at."""
        for report in self.reports:
            self.traffic.take(0, ipc.DECODER.decode(report), self.members, 1.0)
            await asyncio.sleep(0)
        await in_turns(self.rates.look(next(self.second)))

    async def watch(self, service: str | None = None) -> None:
        """`top` on the largest screen, for a second: of all services, or of the endpoints of one."""
        screen = Screen(self.state, "p99", service, colour=True)
        await in_turns(screen.look())
        await in_turns(screen.frame(1000, 500))

    async def call(self) -> None:
        """Have a client in a process of its own."""
        self.client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLIENT, self.path, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )

    async def get(self, path: str) -> None:
        """A page, whole, to that client."""
        asked, answered = self.client.stdin, self.client.stdout
        if asked is None or answered is None:
            return
        asked.write(f"{path}\n".encode())
        if await answered.readline() != b"200\n":
            raise ValueError(path)

    async def do(self, line: str) -> None:
        """A command of the shell."""
        await shell.answer(self.state, line.split())


async def _nothing() -> None:
    """No worker has anything to tell."""


async def _loads(_endpoints: tuple[str, ...], _service: str) -> dict[str, int]:
    return {}


async def _askers(_name: bytes | None, _clients: tuple[bytes, ...] | None) -> list[AskerRow]:
    """What eight workers remember at most."""
    return ASKERS


async def _accepts(*_args: object) -> bool:
    """Every port does."""
    return True


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[list[float]]:
    """Seconds of CPU time between two calls of the ticker, while the context lasts."""
    held: list[float] = []

    async def tick() -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0.001)
            now = time.thread_time()
            held.append(now - last)
            last = now

    ticker = asyncio.create_task(tick())
    await asyncio.sleep(0.01)
    held.clear()
    yield held
    await asyncio.sleep(0.003)
    ticker.cancel()


async def hold(what: str, work: Callable[[], Awaitable[object]]) -> None:
    """Print one line: the longest hold, and how long all of it took."""
    began = time.perf_counter()
    async with watched() as held:
        await work()
    print(f"| {what} | {max(held) * 1000:.1f} | {(time.perf_counter() - began) * 1000:.0f} |", flush=True)


async def asked(rig: Rig) -> list[float]:
    """Milliseconds that a query waits, each due a millisecond after the last."""
    query, found = wire.question(wire.name(NAME), wire.A), []
    for _ in range(1000):
        due = time.perf_counter() + 0.001
        await asyncio.sleep(0.001)
        rig.dns.feed.responder.ask(query)
        found.append((time.perf_counter() - due) * 1000)
    return found


async def latency(rig: Rig, *paths: str) -> None:
    """Print one line: what a DNS query waits while these are asked for again and again."""
    asking = True

    async def load() -> None:
        while asking:
            for path in paths:
                await rig.get(path)

    loads = [asyncio.create_task(load())] if paths else []
    found = await asked(rig)
    asking = False
    await asyncio.gather(*loads)
    print(f"| {' and '.join(paths) or 'nothing'} | {statistics.median(found):.2f} | {max(found):.1f} |", flush=True)


async def measure(size: int, folder: Path) -> None:
    """Print both tables."""
    rig = Rig(size, folder)
    await rig.api.start()
    await rig.call()
    print("| what | longest hold, ms | all of it, ms |\n| --- | --- | --- |")
    await hold("first list of an engine", rig.list_all)
    await asyncio.sleep(1)
    rig.count()
    for _ in range(2):
        await hold("one change", rig.change)
    for _ in range(2):
        await hold("one network more, and all listed anew", rig.connect)
        await hold("a second of traffic at every endpoint", rig.tell)
    for path in PAGES:
        await hold(f"GET {path}, first", lambda path=path: rig.get(path))
        await hold(f"GET {path}, again", lambda path=path: rig.get(path))
    for line in LISTS:
        await hold(f"shell: {line}", lambda line=line: rig.do(line))
    await hold("shell: a second of top", rig.watch)
    print("\n| a DNS query beside | median wait, ms | worst |\n| --- | --- | --- |")
    for paths in ((), ("/api/info",), ("/metrics",), ("/api/info", "/metrics")):
        await latency(rig, *paths)
    rig.client.kill()
    await rig.client.wait()
    rig.monitor.close()
    await rig.api.close()


def main() -> None:
    """Print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_000)
    options = parser.parse_args(sys.argv[1:])
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    garbage.seldom()
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure(options.size, Path(folder)))
