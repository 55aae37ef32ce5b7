"""A service in simulated time: endpoints that fail, slow down, go silent and come back, and everything that decides about them.

Real are the registry, the health monitor with ejection and policy, the table, each worker's routes, cells, pickers and retry budgets.
Simulated are time, the endpoints, and of a worker what it does with sockets: its retries follow seek.pyx, its counts
worker_state.pyx. A minute takes a second or so, and one seed gives one story.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from haystack._fast import testing
from haystack._fast.endpoint.endpoint import Member, Route
from haystack._fast.routing.router import Router
from haystack._fast.testing import pass_time
from haystack._fast.util import random_numbers
from haystack.catalog.registry import Registry
from haystack.health.monitor import Monitor
from haystack.model import ports
from haystack.model.records import Container, Listing, Options
from haystack.model.reports import FailureRow
from haystack.model.snapshot import Snapshot
from haystack.proxy.worker_routes import Routes
from haystack.routing import routing_table
from tests.oracles import routing_table as oracle

NAME = "web.services.haystack"
WORKERS = 2
TELL = 0.1  # seconds between two reports of a worker
WORK, SLOW = 0.004, 0.2  # seconds that an answer takes
COMPARED = 10.0  # seconds, as in worker_state.pyx
LIMIT = 0.5  # seconds after which a request without an answer has failed
TRIES = 8
KINDS = {"refusing": "refused", "resetting": "resets", "silent": "timeouts", "failing": "errors"}


class Spell(NamedTuple):
    """An endpoint's bad time. manner: one of KINDS, or slow; times in seconds of the simulation."""

    endpoint: int
    manner: str
    start: float
    end: float


class Jump(selectors.SelectSelector):
    """Nobody to wait for but time: it passes at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """Nothing comes from outside; the time to wait for the next thing is over."""
        if timeout:
            self.now += timeout
            pass_time(timeout)  # for pickers that measure
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop on which waiting takes no time."""

    def __init__(self) -> None:
        self.jump = Jump()
        super().__init__(self.jump)

    def time(self) -> float:
        """Seconds since the simulation began."""
        return self.jump.now


class Comparison(NamedTuple):
    """Where an endpoint and its service stood when a comparison began, as in worker_state.pyx. own: exchanges; faults: since then."""

    at: float
    own: int
    faults: int
    ended: int
    faulty: int


class Try(NamedTuple):
    """A request at an endpoint. repeated: it had been sent before, and may have been seen."""

    at: float
    endpoint: int
    repeated: bool


class Worker:
    """One worker: picks, counts and tells, by the real cells and pickers; connects to nothing."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.router = Router()
        self.routes = Routes((80,), self.router)
        self.table = routing_table.Table(0, ())
        self.news: dict[str, Counter[str]] = {}
        self.streaks: Counter[str] = Counter()
        self.exchanges: Counter[str] = Counter()  # but those whose connection was refused
        self.faults: Counter[str] = Counter()  # of these
        self.compared: dict[str, Comparison] = {}
        self.asked = self.repeated = self.denied = 0

    def follow(self, snapshot: Snapshot) -> None:
        """The newest table, as the supervisor sends it."""
        new = oracle.of(snapshot, routing_table.Defaults(self.world.balance, 60.0, 10.0))
        for part in oracle.changes(self.table, new, routing_table.alive(snapshot)):
            self.routes.apply(part)
        self.table = new

    @property
    def route(self) -> Route | None:
        """The service's, as it is now."""
        return self.router.lookup(0, NAME.encode(), b"/")

    def request(self, key: int) -> None:
        """One that may be repeated comes in."""
        route = self.route
        if route is None:
            self.world.unserved += 1
            return
        self.asked += 1
        testing.earn(route.queue)
        self.attempt(route, key, [], repeated=False)

    def attempt(self, route: Route, key: int, tried: list[Member], *, repeated: bool) -> None:
        """Send it to whom the picker says."""
        member = testing.choose(route.picker, tried, key) if len(tried) < TRIES else None
        if member is None:
            self.world.failed.append(self.world.now)
            return
        tried.append(member)
        endpoint = self.world.endpoint(member)
        self.world.tries.append(Try(self.world.now, endpoint, repeated))
        testing.load(member.cell, 1)
        manner = self.world.manner(endpoint)
        seconds = {"refusing": 0.0, "silent": LIMIT, "slow": SLOW}.get(manner, WORK) * self.world.random.uniform(0.5, 1.5)
        self.world.loop.call_later(seconds, self.ended, (route, key, tried), manner, seconds)

    def ended(self, request: tuple[Route, int, list[Member]], manner: str, seconds: float) -> None:
        """The endpoint has answered, or has not."""
        route, key, tried = request
        member = tried[-1]
        testing.load(member.cell, -1)
        self.count(member, KINDS.get(manner, ""))
        if manner not in ("refusing", "resetting", "silent"):
            testing.hear(route.picker, member, seconds)
            if manner == "failing":
                self.world.failed.append(self.world.now)
            return
        testing.hear(route.picker, member, -1.0)
        seen = manner != "refusing"
        if seen and not testing.spend(route.queue, self.world.now):
            self.denied += 1
            self.world.failed.append(self.world.now)
            return
        self.repeated += seen
        if (newest := self.route) is not None and newest is not route:
            route, tried = newest, []
        self.attempt(route, key, tried, repeated=seen)

    def count(self, member: Member, kind: str) -> None:
        """What worker_state.pyx counts of a cell."""
        key = member.cell.key
        if kind != "refused":
            self.exchanges[key] += 1
            if kind:
                self.contrast(key)
        if kind or self.streaks[key] or key in self.news:
            self.news.setdefault(key, Counter())["requests"] += 1
        if kind:
            self.news[key][kind] += 1
            self.streaks[key] += 1
        else:
            self.streaks[key] = 0

    def contrast(self, key: str) -> None:
        """A fault: the first one only begins the comparison."""
        self.faults[key] += 1
        known = self.compared.get(key)
        if known is None or self.world.now - known.at > COMPARED:
            self.compare(key)
        else:
            self.compared[key] = known._replace(faults=known.faults + 1)

    def compare(self, key: str) -> None:
        """From here on it is compared with the others of the service."""
        self.compared[key] = Comparison(self.world.now, self.exchanges[key], 0, self.exchanges.total(), self.faults.total())

    def beside(self, key: str) -> dict[str, int]:
        """Its exchanges and faults since the comparison began or was told last, and those of the others."""
        known = self.compared.get(key)
        if known is None:
            return {}
        ended = self.exchanges[key] - known.own
        others = {
            "others": self.exchanges.total() - known.ended - ended,
            "others_faulty": self.faults.total() - known.faulty - known.faults,
        }
        self.compare(key)
        return {"ended": ended, "faulty": known.faults, **others}

    def tell(self) -> None:
        """To the control process, of those that failed or have got well."""
        rows = [FailureRow(key, NAME, streak=self.streaks[key], **counts, **self.beside(key)) for key, counts in self.news.items()]
        self.news.clear()
        if rows:
            self.world.monitor.failures(rows)
        self.routes.forget_drained()


class World:
    """The service, from the first request to the last. spells: the bad times of its endpoints, which are numbered from 0."""

    def __init__(self, seed: int, balance: str, weights: list[int], spells: list[Spell], rate: float) -> None:
        random_numbers.seed(seed)
        self.random = Random(seed)
        self.loop = SimulatedLoop()
        self.balance, self.weights, self.spells, self.rate = balance, weights, spells, rate
        self.registry = Registry("haystack", clock=self.loop.time)
        self.monitor = self.registry.watcher = Monitor(self.registry.refresh, self.connect, clock=self.loop.time)
        self.workers = [Worker(self) for _ in range(WORKERS)]
        self.seen: list[tuple[float, Snapshot]] = []
        self.tries: list[Try] = []
        self.failed: list[float] = []
        self.unserved = 0
        self.end = 0.0
        self.registry.add_reader(self.monitor.follow)
        for callback in (*(worker.follow for worker in self.workers), self.note):
            self.registry.subscribe(callback)

    @property
    def now(self) -> float:
        """Seconds since it began."""
        return self.loop.time()

    def note(self, snapshot: Snapshot) -> None:
        """Keep what was published, and when."""
        self.seen.append((self.now, snapshot))

    async def connect(self, address: str, _port: int) -> str:
        """The monitor looks whether a port accepts."""
        await asyncio.sleep(0.001)
        return "does not accept" if self.manner(int(address.rpartition(".")[2]) - 1) == "refusing" else ""

    def manner(self, endpoint: int) -> str:
        """How it behaves now."""
        return next((s.manner for s in self.spells if s.endpoint == endpoint and s.start <= self.now < s.end), "well")

    @staticmethod
    def endpoint(member: Member) -> int:
        """Whose member it is."""
        return int(member.cell.label.partition(":")[0].rpartition(".")[2]) - 1

    def run(self, seconds: float) -> None:
        """Requests come in, so many a second on the average, until then; what is asked is answered."""
        self.loop.run_until_complete(self._run(seconds))

    async def _run(self, seconds: float) -> None:
        self.list(len(self.weights))
        self.end = end = self.now + seconds
        telling = [asyncio.create_task(self.every(TELL, worker.tell)) for worker in self.workers]
        while self.now < end:
            await asyncio.sleep(self.random.expovariate(self.rate))
            self.random.choice(self.workers).request(self.random.getrandbits(64))
        await self.idle(3.0)
        for task in telling:
            task.cancel()
        ended = await asyncio.gather(*telling, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended

    async def idle(self, seconds: float) -> None:
        """Nothing comes in."""
        await asyncio.sleep(seconds)

    def rest(self, seconds: float) -> None:
        """Nobody asks for so long."""
        self.loop.run_until_complete(self.idle(seconds))

    @staticmethod
    async def every(seconds: float, what: Callable[[], None]) -> None:
        """Do it, again and again."""
        while True:
            await asyncio.sleep(seconds)
            what()

    def list(self, count: int) -> None:
        """The first so many of its containers are there."""
        made = (
            Container(
                id=f"{number + 1:064x}"[::-1], name=f"n{number}", engine="e", services=("web",), address=f"10.0.0.{number + 1}",
                ports=(ports.named(80, "tcp"),), since=-1000.0, options=Options(weight=weight),
            )
            for number, weight in enumerate(self.weights[:count])
        )  # fmt: skip
        self.registry.replace("e", Listing(containers=tuple(made)))
        self.registry.flush()

    def empty(self) -> None:
        """All of its containers go."""

        async def go() -> None:
            self.list(0)
            await self.idle(0.1)

        self.loop.run_until_complete(go())

    def close(self) -> None:
        """The end."""
        self.monitor.close()
        self.rest(0.01)
        self.loop.close()
