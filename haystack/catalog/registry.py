"""The one mutable truth: the newest Snapshot of all that sources have listed.

Gathers a burst of changes into one build, publishes only what differs and passes the check, and keeps the old snapshot
when a build fails. Building and telling is work in turns, one build at a time: what changes meanwhile is in the next one. Never does:
finding containers, serving anything. Lives on the control loop's thread alone.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Protocol, TypeVar

import msgspec
import structlog

from haystack.catalog.build import unwatched
from haystack.catalog.check import check
from haystack.catalog.incremental import Builder
from haystack.catalog.intake import MOST
from haystack.catalog.problems import tell_problems
from haystack.catalog.publishing import Publishing
from haystack.catalog.sources import Sources, SourceState
from haystack.health.policy import Condition
from haystack.loop.turns import Job, Turns, at_once
from haystack.model.overrides import NONE, Overrides
from haystack.model.records import STOPPING, Container, Departure, Listing, Problem
from haystack.model.services import Endpoint
from haystack.model.snapshot import Records, Snapshot, together
from haystack.observe.bursts import Crowd
from haystack.observe.engine_news import EngineNews
from haystack.observe.journal import Note, unnoted

BETWEEN = 0.001  # seconds between two portions of a long list
QUIET = 0.003  # seconds without a change after which a burst is over
LATEST = 0.020  # seconds after a burst's first change at which it is published anyway

REMEMBERED = 60.0  # seconds
ITSELF = "haystack"  # the source of its own problems

T = TypeVar("T")
Callback = Callable[[Snapshot], None]
Reader = Callable[[Snapshot], Turns[None]]
_log = structlog.get_logger()


class Watcher(Protocol):
    """The health monitor, as a registry asks it."""

    def expect(self, containers: Iterable[Container]) -> None:
        """These containers ran before we looked: they are in until something speaks against them."""

    def condition(self, container: Container, endpoint: Endpoint) -> Condition:
        """What is known of an endpoint."""

    def doubtful(self) -> set[str]:
        """Ids of endpoints whose condition may have changed since this was asked last."""

    def told(self, identity: str) -> str:
        """What an endpoint's probe said last, and when, for people; empty where there is none."""


class Registry:
    """A discovery Sink. `snapshot` is the newest; `listed` is set once some source has listed and that is published.

    sources: their names in order of precedence; others come behind in the order in which they are heard of; note: the journal hears of
    sources that are lost and back; `watcher`: knows how endpoints are, and calls refresh() when that changes; without one, what runs is
    well.
    """

    def __init__(
        self,
        origin: str,
        sources: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        note: Note = unnoted,
    ) -> None:
        self.watcher: Watcher | None = None
        self.snapshot = Snapshot(version=0, created=clock(), origin=origin)
        self._sources = Sources(sources, EngineNews(note), clock)
        self.listed = asyncio.Event()
        self.publishing = Publishing()
        self._readers: list[Reader] = []
        self._remarks: dict[str, tuple[Problem, ...]] = {}
        self._records: dict[str, Records] = {}
        self._overrides = NONE
        self._against: Mapping[str, tuple[Problem, ...]] = {}
        self._callbacks: list[Callback] = []
        self._clock = clock
        self._steady = steady
        self._builder = Builder(self.snapshot)
        self._crowd = Crowd(__name__)
        self._first = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._job: Job | None = None
        self._begun, self._ended, self._due = 0, 0, False  # jobs; whether another is due when the one that goes on is done

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Call back with each snapshot published from now on; the answer unsubscribes. For what is short."""
        self._callbacks.append(callback)
        return partial(_without, self._callbacks, callback)

    def add_reader(self, reader: Reader) -> Callable[[], None]:
        """The same for what takes turns: it has each snapshot before `snapshot` is that, in the order in which readers were added."""
        self._readers.append(reader)
        return partial(_without, self._readers, reader)

    def replace(self, source: str, listing: Listing) -> None:
        """Take `listing` as all there is of `source`; it is published within LATEST seconds."""
        self._sources.connected(source, listing.engine)
        self._aim(source, listing)

    def outdated(self, source: str, listing: Listing) -> None:
        """Take `listing` as what is left of a source that can't be read."""
        self._aim(source, listing)

    def _aim(self, source: str, listing: Listing) -> None:
        self._sources.aim(source, listing)
        self.publishing.heard(listing.told)
        self._schedule()

    @property
    def sources(self) -> dict[str, SourceState]:
        """How each is doing, in order of precedence."""
        return self._sources.states

    @property
    def lost(self) -> set[str]:
        """Ids of the engines that had listed, and can't be read now."""
        return self._sources.lost

    @property
    def behind(self) -> bool:
        """Whether something that is listed is not in the snapshot yet."""
        return self._sources.behind

    @property
    def departures(self) -> list[Departure]:
        """How containers ended that have done so in the last minute, the latest last."""
        return self._sources.departures(self._steady() - REMEMBERED)

    def failed(self, source: str, error: str) -> None:
        """Remember that `source` can't be read now; what it listed last stays."""
        self._sources.failed(source, error)

    def withdraw(self, source: str) -> None:
        """Forget `source` and all that it listed: there is no such thing."""
        if self._sources.withdraw(source):
            self._schedule()

    def remark(self, problem: Problem) -> None:
        """Tell of this with the problems of sources from now on: it is Haystack's own."""
        self.take_problems((*self._remarks.get("", ()), problem))

    def take_problems(self, problems: tuple[Problem, ...], source: str = "") -> None:
        """Tell of these as all that one part of Haystack has to say now."""
        if problems != self._remarks.get(source, ()):
            self._remarks[source] = problems
            self._schedule()

    def take_service_problems(self, problems: Mapping[str, tuple[Problem, ...]]) -> None:
        """Publish these as all that is known against services, by their names, beside what the catalog finds itself."""
        self._against = problems
        self._schedule()

    def take_records(self, records: Records, source: str = "") -> None:
        """Publish these as all the records of HAYSTACK_DNS_RECORDS, or of another source."""
        self._records[source] = records
        self._schedule()

    def take_overrides(self, overrides: Overrides) -> None:
        """Publish what operators decided, all of it."""
        self._overrides = overrides
        self._schedule()

    def refresh(self) -> None:
        """Build again, for what the watcher knows has changed, or time has."""
        self._schedule()

    def _schedule(self) -> None:
        """(Re)start the quiet time, within the burst's limit."""
        loop = asyncio.get_running_loop()
        if self._timer is None:
            self._first = loop.time()
        else:
            self._timer.cancel()
        self._timer = loop.call_at(min(loop.time() + QUIET, self._first + LATEST), self._next)

    def _next(self) -> None:
        """Build and publish the next portion, when the one before is done. Where there is more, others have their turn before it."""
        self._timer = None
        if self._job is not None:
            self._due = True
            return
        self._begun += 1
        whole = not self.listed.is_set() and not self._sources.many
        self._job = Job(self._step(sys.maxsize if whole else MOST), self._done)
        self._job.start()

    def _done(self) -> None:
        """A portion is published, or has failed."""
        self._job = None
        self._ended = self._begun
        due, self._due = self._due, False
        if self._timer is None and (due or self.behind):
            loop = asyncio.get_running_loop()
            self._first = loop.time()
            self._timer = loop.call_later(0 if due else BETWEEN, self._next)

    async def settle(self) -> None:
        """Wait until all that is known now is published, in turns as always."""
        if self._timer is not None:
            self._timer.cancel()
        awaited = self._begun + 1  # that goes on now may have begun without the newest
        self._next()
        while self._ended < awaited or self.behind:  # noqa: ASYNC110 - the end of a portion is no event: there are hundreds in a long list
            await asyncio.sleep(BETWEEN)

    def flush(self) -> None:
        """Build and publish all there is, now: for tests."""
        if self._job is not None:
            self._job.finish()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at_once(self._step(sys.maxsize))

    def _step(self, most: int) -> Turns[None]:
        """Build and publish. A failure keeps the old snapshot, and the log says so."""
        begun, heard = self._steady(), self.publishing.begins()
        yield from self._sources.step(most, self.watcher.expect if self.watcher is not None else None)
        try:
            new = yield from self._build()
        except Exception as error:  # noqa: BLE001 - whatever it is, serving the old picture beats serving none
            _log.exception("snapshot.failed", kept=self.snapshot.version, error=str(error))
            self._builder = Builder(self.snapshot)
        else:
            if new is not None:
                yield from self._publish(new)
                self.publishing.published(heard, self._clock(), self._steady() - begun)
        self._sources.arrive()
        if self._sources.any_in:
            self.listed.set()

    def _build(self) -> Turns[Snapshot | None]:
        ordered, arrivals = self._sources.listings(), self._sources.arrivals()
        if self._remarks:
            ordered[ITSELF] = Listing(problems=tuple(each for source in self._remarks.values() for each in source))
        self._builder.records = together([each for each in self._records.values() if each], self._builder.records)
        self._builder.overrides, self._builder.remarks = self._overrides, self._against
        watcher = self.watcher
        conditions, doubtful = (watcher.condition, watcher.doubtful()) if watcher is not None else (unwatched, set())
        new = yield from self._builder.build(ordered, self._clock(), self._steady(), conditions, doubtful, arrivals)
        if new is not None:
            yield from check(new, self.snapshot)
            stopped = frozenset(d.container.id for d in self.departures if d.container.state == STOPPING)
            new = msgspec.structs.replace(new, stopped=stopped) if stopped else new
        return new

    def _publish(self, new: Snapshot) -> Turns[None]:
        """Tell the readers, set it, then tell everyone; one that fails keeps nobody else from hearing."""
        yield from tell_problems(new, self.snapshot, self._crowd)
        for reader in tuple(self._readers):
            try:
                yield from reader(new)
            except Exception:  # noqa: BLE001 - a reader's fault must not cost the others their news
                _log.exception("snapshot.subscriber_failed", version=new.version)
        self.snapshot = new
        _log.debug("snapshot.published", version=new.version, services=len(new.services), containers=len(new.containers))
        for callback in tuple(self._callbacks):
            try:
                callback(new)
            except Exception:  # noqa: BLE001 - as above
                _log.exception("snapshot.subscriber_failed", version=new.version)


def _without(them: list[T], one: T) -> None:
    if one in them:
        them.remove(one)
