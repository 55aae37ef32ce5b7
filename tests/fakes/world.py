"""A service in simulated time: endpoints that fail, slow down, go silent and come back, and everything that decides about them.

Real are the registry, the health monitor with ejection and policy, the table, and each worker's routes, endpoints, pickers, candidates,
queue, retries, outlier detection and reports. Simulated are time, the endpoints, and what a worker does with sockets. A minute takes a
second or so, and one seed gives one story.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from haystack._fast import testing as compiled
from haystack._fast.endpoint.endpoint import Endpoint, Member, Queue, Route
from haystack._fast.exchange import testing
from haystack._fast.exchange.testing import Attempt
from haystack._fast.routing.router import Router
from haystack._fast.util import random_numbers
from haystack.catalog.registry import Registry
from haystack.health.monitor import Monitor
from haystack.model import ports
from haystack.model.records import Container, Listing, Options
from haystack.model.reports import FailureRow
from haystack.model.snapshot import Snapshot
from haystack.proxy.worker_routes import Routes
from haystack.routing import routing_table
from tests.fakes.usual import usual
from tests.oracles import routing_table as oracle

NAME = "web.services.haystack"
WORKERS = 2
TELL = 0.1  # seconds between two reports of a worker
WORK, SLOW = 0.004, 0.2  # seconds that an answer takes
REFUSAL = 0.0005  # a round trip: if it took no time, two requests that wait for room could wake each other for ever
TICK = 0.02  # seconds between two looks at who waits
LATE = 250  # milliseconds without an answer: QUIET_MS of endpoint/outlier.pyx
QUEUE_MS, QUEUE_SIZE = 1000, 1000  # how long, and how many requests wait for room
LIMIT = 0.5  # seconds or so after which a request without an answer has failed
KINDS = {"refusing": "refused", "resetting": "reset", "silent": "timeout", "failing": "error"}


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
            compiled.pass_time(timeout)  # for pickers that measure
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop on which waiting takes no time."""

    def __init__(self) -> None:
        self.jump = Jump()
        super().__init__(self.jump)

    def time(self) -> float:
        """Seconds since the simulation began."""
        return self.jump.now


class Try(NamedTuple):
    """A request at an endpoint. repeated: it had been sent before, and may have been seen."""

    at: float
    endpoint: int
    repeated: bool


class Worker:
    """One worker without its sockets: what it decides, counts and tells is decided, counted and told by what a real one runs.

    Its counts are of requests: asked for, answered well (done), sent again (repeated), not so for want of budget (denied), put into the
    queue, and at once at one endpoint at most (crowd).
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.router = Router()
        self.routes = Routes((80,), self.router)
        self.table = routing_table.Table(0, ())
        self.reports = testing.Reports()
        self.waiting: dict[Attempt, asyncio.TimerHandle] = {}  # at an endpoint, each with the time at which it ends there
        self.pending: dict[Attempt, asyncio.TimerHandle] = {}  # in the queue, each with the end of its time there
        self.watched: dict[Member, None] = {}  # those at which some have waited for long
        self.queue: Queue | None = None
        self.asked = self.repeated = self.denied = self.queued = self.done = self.crowd = 0

    def follow(self, snapshot: Snapshot) -> None:
        """The newest table, as the supervisor sends it."""
        new = oracle.of(snapshot, usual(self.world.balance, 60.0, 10.0))
        for part in oracle.changes(self.table, new, oracle.alive(snapshot)):
            self.routes.apply(part)
            self.rescue(self.routes.endpoints(part.ended))
        self.table = new

    def rescue(self, ended: set[Endpoint]) -> None:
        """What waits at endpoints that answer nobody any more goes elsewhere, as with bulk.rescue."""
        for attempt in [a for a in self.waiting if a.member is not None and a.member.endpoint in ended]:
            if attempt.may_leave_dead():
                self.waiting.pop(attempt).cancel()
                self.broke(attempt, unseen=False)

    @property
    def route(self) -> Route | None:
        """The service's, as it is now."""
        return self.router.lookup(0, NAME.encode(), b"/")

    @property
    def ms(self) -> int:
        """The poller's clock, which never is 0."""
        return 1000 + int(self.world.now * 1000)

    def request(self, key: int) -> Attempt | None:
        """A GET arrives; None: nobody could take it."""
        route = self.route
        if route is None:
            self.world.unserved += 1
            return None
        self.asked += 1
        attempt = Attempt(route, key, woken=self.woken)
        self.send(attempt)
        return attempt

    def send(self, attempt: Attempt) -> None:
        """To the next candidate; without one into the queue."""
        if attempt.next(self.ms) is not None:
            self.begin(attempt)
        else:
            self.wait(attempt)

    def wait(self, attempt: Attempt) -> None:
        """In the queue for as long as may be, or not at all."""
        attempt.join(self.ms, QUEUE_MS, QUEUE_SIZE)
        if attempt.in_queue:
            self.queued += 1
            self.pending[attempt] = self.world.loop.call_later((attempt.until - self.ms) / 1000, self.waited, attempt)
        else:
            self.fail(attempt)

    def waited(self, attempt: Attempt) -> None:
        """It has stood in the queue for its time."""
        del self.pending[attempt]
        attempt.give_up()
        self.fail(attempt)

    def woken(self, attempt: Attempt) -> None:
        """It has its turn, once what wakes it is done with."""
        self.world.loop.call_soon(self.look_again, attempt)

    def look_again(self, attempt: Attempt) -> None:
        """To a candidate, and the next one in the queue has its turn; or back to the front."""
        if attempt not in self.pending:
            return  # its time was up meanwhile
        self.pending.pop(attempt).cancel()
        if attempt.look_again(self.ms) is not None:
            self.begin(attempt)
        else:
            self.wait(attempt)
        if not attempt.in_queue:
            attempt.wake_next()

    def begin(self, attempt: Attempt) -> None:
        """Its endpoint has it: this is how it will end there."""
        assert attempt.member is not None
        self.crowd = max(self.crowd, attempt.member.endpoint.in_flight)
        endpoint = self.world.endpoint(attempt.member)
        self.world.tries.append(Try(self.world.now, endpoint, repeated=attempt.repeats > 0))
        manner = self.world.manner(endpoint)
        self.waiting[attempt] = self.world.loop.call_later(self.world.work(attempt, manner), self.ended, attempt, manner)

    def ended(self, attempt: Attempt, manner: str) -> None:
        """The endpoint has answered, or has not."""
        del self.waiting[attempt]
        member, queue = attempt.member, attempt.route.queue
        assert member is not None
        if manner in ("refusing", "resetting"):
            self.reports.fault(member, queue, KINDS[manner], self.ms)
            compiled.hear(attempt.route.picker, member, -1.0)
            self.broke(attempt, unseen=manner == "refusing")
        elif manner == "silent":
            attempt.leave()
            self.reports.fault(member, queue, "timeout", self.ms)
            compiled.hear(attempt.route.picker, member, -1.0)
            self.fail(attempt)
        else:
            self.answered(attempt, member, manner)

    def answered(self, attempt: Attempt, member: Member, manner: str) -> None:
        """With an error, after which another endpoint is asked if that may be; or without."""
        if manner == "failing":
            compiled.hear(attempt.route.picker, member, -1.0)
            self.reports.fault(member, attempt.route.queue, "error", self.ms)
            if attempt.failed(self.ms, 503):
                self.repeated += 1
                self.begin(attempt)
            else:
                self.fail(attempt)
            return
        compiled.hear(attempt.route.picker, member, (self.ms - attempt.begun) / 1000)
        if attempt.accused is not None:
            self.reports.confirm(attempt.accused, attempt.route.queue, self.ms)
        attempt.answered(self.ms)
        self.reports.fine(member, attempt.route.queue)
        self.done += 1
        self.world.over(attempt)

    def broke(self, attempt: Attempt, *, unseen: bool) -> None:
        """Its connection did, before a response."""
        before = attempt.repeats
        verdict = attempt.broke(self.ms, unseen)
        if verdict == "again":
            self.repeated += attempt.repeats > before
            self.send(attempt)
            return
        self.denied += verdict == "over budget"
        self.fail(attempt)

    def fail(self, attempt: Attempt) -> None:
        """The client has an error."""
        self.world.failed.append(self.world.now)
        self.world.over(attempt)

    def tick(self) -> None:
        """See who waits for long, and look at their endpoints."""
        for attempt in self.waiting:
            if self.ms - attempt.begun >= LATE and attempt.member is not None:
                attempt.waits()
                self.watched[attempt.member] = None
        for member in list(self.watched):
            self.judge(member)

    def judge(self, member: Member) -> None:
        """Do what is decided about an endpoint that keeps requests waiting."""
        route = self.route
        self.queue = route.queue if route is not None else self.queue  # the last one it had, once the service has gone
        if self.queue is None:
            return
        actions = testing.judge_member(member, self.queue, self.ms)
        if "sample" in actions:
            self.sample(member, reading="reading" in actions)
        if "move" in actions or "report" in actions:
            waiting = sum(attempt.member is member for attempt in self.waiting)
            if "report" in actions:
                self.reports.silent(member, waiting)
            self.move(member, waiting)
        state = testing.state_of(member.endpoint)
        if state["late"] == 0 and state["phase"] == "healthy":
            del self.watched[member]

    def move(self, member: Member, most: int) -> int:
        """So many of those that wait for this endpoint go to others, where that may be; how many did."""
        moved = 0
        for attempt in [each for each in self.waiting if each.member is member]:
            if moved < most and attempt.move(self.ms):
                self.waiting.pop(attempt).cancel()
                self.repeated += 1
                self.begin(attempt)
                moved += 1
        return moved

    def sample(self, member: Member, *, reading: bool) -> None:
        """The newest of those that wait for this endpoint and may go to another does."""
        for attempt in reversed([each for each in self.waiting if each.member is member]):
            if attempt.sample(self.ms, reading):
                self.waiting.pop(attempt).cancel()
                self.repeated += 1
                self.begin(attempt)
                return

    def tell(self) -> None:
        """To the control process, of those that failed or have got well."""
        rows = [FailureRow(*row) for row in self.reports.take(self.ms)]
        if rows:
            self.world.monitor.failures(rows)
        self.routes.forget_drained()


class World:
    """The service, from the first request to the last. spells: the bad times of its endpoints, which are numbered from 0.

    most: requests at once that an endpoint takes from a worker; 0: any number.
    """

    def __init__(
        self, seed: int, balance: str, weights: list[int], spells: list[Spell], rate: float, limit: float = LIMIT, most: int = 0
    ) -> None:
        random_numbers.seed(seed)
        self.random = Random(seed)
        self.loop = SimulatedLoop()
        self.balance, self.weights, self.spells, self.rate, self.limit, self.most = balance, weights, spells, rate, limit, most
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
        return int(member.endpoint.label.partition(":")[0].rpartition(".")[2]) - 1

    def run(self, seconds: float) -> None:
        """Requests come in, so many a second on the average, until then; what is asked is answered."""
        self.loop.run_until_complete(self._run(seconds))

    async def _run(self, seconds: float) -> None:
        self.list(len(self.weights))
        self.end = end = self.now + seconds
        telling = [asyncio.create_task(self.every(TELL, worker.tell)) for worker in self.workers]
        telling += [asyncio.create_task(self.every(TICK, worker.tick)) for worker in self.workers]
        await self.ask(end)
        await self.idle(3.0)
        for task in telling:
            task.cancel()
        ended = await asyncio.gather(*telling, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended

    async def ask(self, end: float) -> None:
        """Send requests until then."""
        while self.now < end:
            await asyncio.sleep(self.random.expovariate(self.rate))
            self.random.choice(self.workers).request(self.random.getrandbits(64))

    def work(self, attempt: Attempt, manner: str) -> float:
        """Seconds until the endpoint answers, or the request has failed."""
        return {"refusing": REFUSAL, "silent": self.limit, "slow": SLOW}.get(manner, WORK) * self.random.uniform(0.5, 1.5)

    def over(self, attempt: Attempt) -> None:
        """A request has been answered, or has failed."""

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
                ports=(ports.named(80, "tcp"),), since=-1000.0, options=Options(weight=weight, max_connections=self.most or None),
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
