"""What the workers tell of exchanges, added up: by service and by endpoint, since this Haystack started; and what goes on at each now.

Figures of an endpoint belong to a container's port, not to an address, and leave GRACE seconds after it, as those of a service do: by then
every scraper has seen their last value. Never counts anything itself.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from haystack.loop.turns import Turns
from haystack.model.durations import SLOTS
from haystack.model.snapshot import Snapshot
from haystack.proxy.counters import GRACE, Asked, Place, Series
from haystack.proxy.ipc import Counts, LoadRow, ServiceTally, Tally

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "other")  # as http1/method.pxd counts them
CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")  # of statuses; none: the client got no answer
PEERS = ("client", "endpoint")  # of handshakes of TLS,
ENDS = ("full", "resumed", "failed")  # and how they end, as net/tls.pxd counts them


class Figures(Struct, gc=False):
    """Exchanges of one subject that have ended.

    classes: by class of status, as CLASSES has them; received, sent: bytes of bodies, from clients and to them; retries: of a service:
    tries after the first one; of an endpoint: tries after which another one was looked for; seconds, durations: how long they took, in all
    and by slot (model/durations.py), but for tunnels, whose class is 1xx; changes: how often something was added.
    """

    classes: array[int] = field(default_factory=lambda: array("Q", bytes(8 * len(CLASSES))))
    received: int = 0
    sent: int = 0
    retries: int = 0
    seconds: float = 0.0
    changes: int = 0
    durations: array[int] = field(default_factory=lambda: array("Q", bytes(8 * SLOTS)))

    @property
    def requests(self) -> int:
        """All of them."""
        return sum(self.classes)

    @property
    def timed(self) -> int:
        """Those whose durations count: all but tunnels."""
        return sum(self.classes) - self.classes[1]

    @property
    def errors(self) -> int:
        """Those with a status of 500 or more, or without an answer."""
        return self.classes[0] + self.classes[5]

    def add(self, tally: Tally) -> None:
        """So many more; retries are not these."""
        classes, received, sent, _, nanoseconds, slots = tally
        self.changes += 1
        for kind, count in enumerate(classes):
            if count:
                self.classes[kind] += count
        self.received += received
        self.sent += sent
        self.seconds += nanoseconds / 1e9
        durations = self.durations
        for at in range(0, len(slots), 2):
            durations[slots[at]] += slots[at + 1]


class ServiceFigures(Figures, gc=False):
    """Of a service. cells: all exchanges by method and class; waits, waited: those that waited for an endpoint, and seconds in all."""

    cells: array[int] = field(default_factory=lambda: array("Q", bytes(8 * len(METHODS) * len(CLASSES))))
    waits: int = 0
    waited: float = 0.0

    def add_service(self, row: ServiceTally) -> None:
        """What a worker tells of the service itself: what its endpoints had comes with them."""
        _, alone, cells, retries, waits, waited_ms, _ = row
        self.changes += 1
        if alone is not None:
            self.add(alone)
        for at in range(0, len(cells), 2):
            self.cells[cells[at]] += cells[at + 1]
        self.retries += retries
        self.waits += waits
        self.waited += waited_ms / 1000


class Now(Struct, frozen=True, gc=False):
    """What goes on at an endpoint: exchanges in flight, and connections that rest in its pool."""

    in_flight: int = 0
    pooled: int = 0


class Gauges:
    """What goes on now, over all workers. A worker tells of changes, and what it told goes with its process."""

    def __init__(self) -> None:
        self.loads: dict[str, Now] = {}  # by endpoint's id
        self.waiting: Counter[str] = Counter()  # exchanges that wait for an endpoint, by service
        self._loads: dict[int, dict[str, Now]] = {}  # by worker's slot
        self._waiting: dict[int, Counter[str]] = {}

    def change(self, slot: int, loads: Iterable[LoadRow], services: Iterable[ServiceTally]) -> None:
        """Take in what a worker tells."""
        told, waiting = self._loads.setdefault(slot, {}), self._waiting.setdefault(slot, Counter())
        for identity, in_flight, pooled in loads:
            _shift(told, identity, in_flight, pooled)
            _shift(self.loads, identity, in_flight, pooled)
        for name, *_, more in services:
            if more:
                waiting[name] += more
                self.waiting[name] += more
                for counts in (waiting, self.waiting):
                    if not counts[name]:
                        del counts[name]

    def forget(self, slot: int) -> None:
        """A worker's process has ended, and what went on in it."""
        for identity, now in self._loads.pop(slot, {}).items():
            _shift(self.loads, identity, -now.in_flight, -now.pooled)
        self.waiting -= self._waiting.pop(slot, Counter())


IDLE = Now()


def _shift(loads: dict[str, Now], identity: str, in_flight: int, pooled: int) -> None:
    before = loads.get(identity, IDLE)
    after = Now(before.in_flight + in_flight, before.pooled + pooled)
    if after != IDLE:
        loads[identity] = after
    else:
        loads.pop(identity, None)


class Traffic:
    """All figures. Every `now` is of one clock that only grows, in seconds.

    series: requests by name asked for and endpoint; failures: exchanges that ended in an error of Haystack's own, by word and status;
    handshakes: of TLS, by peer and how they ended.
    """

    def __init__(self) -> None:
        self.series = Series()
        self.failures: Counter[tuple[str, int]] = Counter()
        self.handshakes: Counter[tuple[str, str]] = Counter()
        self.services: dict[str, ServiceFigures] = {}
        self.endpoints: dict[str, Figures] = {}
        self.gauges = Gauges()
        self._ids: dict[str, set[str]] = {}  # by service: the endpoints that have had exchanges of it
        self._users: Counter[str] = Counter()  # by endpoint: of how many services that is
        self._gone: dict[tuple[str, str], float] = {}  # (service, endpoint or empty: itself) → since when, the earliest first
        self._version: int | None = None
        self._recent: tuple[set[str], dict[str, tuple[Tally, ...]]] = set(), {}

    @property
    def loads(self) -> Mapping[str, Now]:
        """What goes on at endpoints where something does, by id."""
        return self.gauges.loads

    @property
    def waiting(self) -> Mapping[str, int]:
        """Exchanges that wait for an endpoint, by service."""
        return self.gauges.waiting

    def take(self, slot: int, counts: Counts, members: Mapping[int, tuple[Asked, Place]], now: float) -> None:
        """Take in a worker's report, or a part of one. members: what its numbers stand for."""
        for member, requests in counts.requests:
            self.series.put(*members[member], requests, now)
        for member, tally in counts.ended:
            (service, _), place = members[member]
            self.put(service, place.id, tally, now)
        for row in counts.services:
            self.put_service(row, now)
        self.gauges.change(slot, counts.loads, counts.services)
        for word, status, count in counts.errors:
            self.failures[word, status] += count
        for peer, how, count in counts.handshakes:
            self.handshakes[PEERS[peer], ENDS[how]] += count

    def put(self, service: str, identity: str, tally: Tally, now: float) -> None:
        """Exchanges have ended that this endpoint had, of this service."""
        self._service(service, now).add(tally)
        ids = self._ids[service]
        if identity not in ids:
            ids.add(identity)
            self._users[identity] += 1
            if identity not in self.series.endpoints(service):
                self._gone[service, identity] = now
        figures = self.endpoints.get(identity)
        if figures is None:
            figures = self.endpoints[identity] = Figures()
        figures.add(tally)
        figures.retries += tally[3]
        self._recent[0].add(service)
        self._recent[1][identity] = (*self._recent[1].get(identity, ()), tally)  # plain tuples: the search for garbage leaves them alone

    def put_service(self, row: ServiceTally, now: float) -> None:
        """What a worker tells of a service itself."""
        if row[2]:
            self._service(row[0], now).add_service(row)
            self._recent[0].add(row[0])

    def take_recent(self) -> tuple[set[str], dict[str, tuple[Tally, ...]]]:
        """The services that had exchanges since the last call, and what ended at each endpoint."""
        recent, self._recent = self._recent, (set(), {})
        return recent

    def _service(self, name: str, now: float) -> ServiceFigures:
        figures = self.services.get(name)
        if figures is None:
            figures = self.services[name] = ServiceFigures()
            self._ids[name] = set()
            if not self.series.has(name):
                self._gone[name, ""] = now
        return figures

    def follow(self, snapshot: Snapshot, now: float) -> Turns[None]:
        """Note who is gone, or back. What costs is what has changed."""
        yield from self.series.follow(snapshot, now)
        change = snapshot.changed_since(self._version)
        names = tuple(self.services) if change is None else tuple(change.services & self.services.keys())
        self._version = snapshot.version
        for name in names:
            there = self.series.endpoints(name)
            yield
            self._mark((name, ""), now, gone=not self.series.has(name))
            for identity in self._ids.get(name, ()):
                self._mark((name, identity), now, gone=identity not in there)
            yield

    def _mark(self, key: tuple[str, str], now: float, *, gone: bool) -> None:
        if gone:
            self._gone.setdefault(key, now)
        else:
            self._gone.pop(key, None)

    def expire(self, now: float) -> None:
        """Let go of those whose time is up."""
        self.series.expire(now)
        while self._gone:
            (service, identity), since = next(iter(self._gone.items()))
            if since + GRACE > now:
                return
            del self._gone[service, identity]
            if identity:
                self._end(service, identity)
            else:
                self._end_service(service)

    def _end_service(self, service: str) -> None:
        for identity in tuple(self._ids[service]):
            self._gone.pop((service, identity), None)
            self._end(service, identity)
        del self._ids[service], self.services[service]

    def _end(self, service: str, identity: str) -> None:
        self._ids[service].discard(identity)
        self._users[identity] -= 1
        if not self._users[identity]:
            del self._users[identity], self.endpoints[identity]
