"""The one door for changes: an operator's drains and weights, who made them, and when they end.

Whoever changes something is known by a key of the shell; nothing else calls this. Each change is one line of the log. What holds enters the
catalog as one immutable set, and a change is done when the workers have been told. On the control loop's thread.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from haystack.catalog.registry import Registry
from haystack.loop.turns import Turns, in_turns
from haystack.model.overrides import NONE, Overrides, Scope, Target
from haystack.model.records import Record
from haystack.model.services import Override
from haystack.model.snapshot import Snapshot
from haystack.observe.journal import Note, unnoted
from haystack.operator import kept
from haystack.operator import overrides as sets
from haystack.operator.audit import Audit

LOOK = 30.0  # seconds between two looks at what has gone; the clock may have been set meanwhile, too
GONE = {Scope.SERVICE.value: 86400.0}  # seconds after which an override is dropped whose service is not there any more;
GONE_OTHERS = 3600.0  # whose container is not
PATIENCE = 30.0  # seconds for a change to be published
log = structlog.get_logger("haystack.operator")

Loads = Callable[[tuple[str, ...], str], Awaitable["dict[str, int] | None"]]


class ChangeError(Exception):
    """A change was refused, and nothing is changed. str() is one line: why."""


class NotKeptError(Exception):
    """A change holds, but not over a restart. str() is one line: why; override: as in what the change would have returned."""

    def __init__(self, text: str, override: Override) -> None:
        super().__init__(text)
        self.override = override


class Who(Record, frozen=True, kw_only=True):
    """Who makes a change. by: the comment of the key; fingerprint: as ssh-keygen -l has it."""

    by: str
    fingerprint: str = ""


class Operator:
    """All overrides, and their changes.

    loads: how many exchanges endpoints have in flight in all workers (Supervisor.loads); folder: for what is kept over a restart;
    busy: whether another Haystack is taking over, which has been told of all that holds; note: the journal's; clock: Unix seconds; steady:
    of a clock that never jumps.
    """

    def __init__(
        self,
        registry: Registry,
        loads: Loads,
        folder: Path,
        busy: Callable[[], bool] = lambda: False,
        note: Note = unnoted,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.overrides = NONE
        self._registry = registry
        self._loads = loads
        self._path = folder / kept.NAME
        self._busy = busy
        self._audit = Audit(note, lambda: registry.snapshot)
        self._clock, self._steady = clock, steady
        self._stored: tuple[Override, ...] | None = ()  # what the file holds
        self._writing = asyncio.Lock()
        self._changed = asyncio.Event()  # for `run`: one ends earlier than it looks next
        self._next = math.inf  # when that is, Unix seconds
        self._news = asyncio.Event()  # a snapshot came
        self._missing: dict[Override, float] = {}  # whose target is not there: since when, by the steady clock

    # -- the changes

    async def drain(self, target: Target, who: Who, *, why: str = "", seconds: float = 0.0, keep: bool = False) -> Override:
        """Have it get no new request, for so many seconds (0: until it is undone). Raises ChangeError, NotKeptError."""
        made = self._made(target, who, why, seconds, keep=keep)
        self._audit.drained(made)
        await self._publish(sets.added(self.overrides, (made,)), made)
        return made

    async def set_weight(
        self, target: Target, weight: int, who: Who, *, why: str = "", seconds: float = 0.0, keep: bool = False
    ) -> Override:
        """Have an endpoint get this weight in place of its label's. Raises ChangeError, NotKeptError."""
        if target.scope is not Scope.ENDPOINT:
            raise ChangeError(f"{target.name} is a {target.scope.value}: only endpoints have a weight")
        if not 0 <= weight <= sets.HEAVIEST:
            raise ChangeError(f"a weight is a number from 0 to {sets.HEAVIEST}")
        made = self._made(target, who, why, seconds, keep=keep, weight=weight)
        self._audit.weighted(made)
        await self._publish(sets.added(self.overrides, (made,)), made)
        return made

    async def undrain(self, target: Target, who: Who) -> Override | None:
        """Give it back to its health; what was undone, None: it was not drained itself. Raises ChangeError, NotKeptError."""
        return await self._undo(self.overrides.drains.get(target.id), who)

    async def reset_weight(self, target: Target, who: Who) -> Override | None:
        """Give an endpoint its label's weight back; what was undone, None: it had that. Raises ChangeError, NotKeptError."""
        return await self._undo(self.overrides.weights.get(target.id), who)

    def _made(self, target: Target, who: Who, why: str, seconds: float, *, keep: bool, weight: int | None = None) -> Override:
        self._admit()
        if not 0 <= seconds <= sets.LONGEST:
            raise ChangeError(f"it can hold for {sets.LONGEST / 86400:.0f} days at most")
        if len(self.overrides) >= sets.MOST:
            raise ChangeError(f"there are {len(self.overrides)} overrides already: undo some")
        now = self._clock()
        until = now + seconds if seconds else 0.0
        return sets.renamed(
            Override(
                scope=target.scope.value, target=target.id, name=target.name, container=target.container, weight=weight,
                by=who.by, fingerprint=who.fingerprint, why=why, at=now, until=until, kept=keep,
            )
        )  # fmt: skip

    async def _undo(self, found: Override | None, who: Who) -> Override | None:
        if found is None:
            return None
        self._admit()
        self._audit.undone(found, who.by, who.fingerprint)
        await self._publish(sets.without(self.overrides, (found,)), found)
        return found

    def _admit(self) -> None:
        if self._busy():
            raise ChangeError("another Haystack is taking over, which would not hear of this: say it again when it serves")

    async def _publish(self, new: Overrides, about: Override) -> None:
        """Have it hold, and wait until workers have been told and what is to be kept is kept."""
        self._set(new)
        if (about.until or self._clock() + LOOK) < self._next:
            self._changed.set()
        failure = await asyncio.shield(asyncio.ensure_future(self._store())) if about.kept or self._stored else ""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while self._registry.snapshot.overrides.number < new.number:
                    await self.news()
        if self._registry.snapshot.overrides.number < new.number:
            raise ChangeError("it has not taken effect yet; the log says why")
        if failure:
            raise NotKeptError(f"this holds, but not over a restart: {failure}", about)

    def _set(self, new: Overrides) -> None:
        self.overrides = new
        self._registry.take_overrides(new)

    # -- what is known

    def held(self) -> Overrides:
        """All that hold."""
        return self.overrides

    async def news(self) -> None:
        """Wait for the next snapshot."""
        await self._news.wait()

    async def in_flight(self, endpoints: Collection[str], service: str = "") -> dict[str, int] | None:
        """How many exchanges these have in flight in all workers, of one service or of all; None: a worker did not say so in time."""
        return await self._loads(tuple(endpoints), service)

    # -- the life of overrides

    async def start(self, handed: Sequence[Override] | None = None) -> None:
        """Begin with what the one before has handed over, else with what is kept in the state folder."""
        self._registry.subscribe(self._follow)
        try:
            found = await asyncio.to_thread(kept.read, self._path) if handed is None else handed
        except kept.UnreadableError as error:
            log.warning("operator.unreadable", path=str(self._path), error=str(error), reason="kept drains and weights are lost")
            return
        restored = sets.restored(found, self._clock())
        self._stored = _kept(found) if handed is None else None
        if len(restored):
            self._audit.restored(restored)
            self._set(restored)
        if handed is not None and (_kept(found) or await asyncio.to_thread(self._path.exists)):
            await self._store()  # the one before may not have been able to

    async def run(self) -> None:
        """Drop what is over, and what is about something that has gone for long; without end."""
        while True:
            self._changed.clear()
            over, gone = await in_turns(self._look())
            for each in over:
                self._audit.expired(each)
            for each in gone:
                self._audit.dropped(each)
            if over or gone:
                self._set(sets.without(self.overrides, (*over, *gone)))
                continue
            await self._store()  # where that could not be before
            pause = self._pause()
            self._next = self._clock() + pause
            with suppress(TimeoutError):
                async with asyncio.timeout(pause if pause < math.inf else None):
                    await self._changed.wait()

    def _look(self) -> Turns[tuple[list[Override], list[Override]]]:
        """Those that are over, and those whose targets have been gone for long."""
        over: list[Override] = []
        gone: list[Override] = []
        missing: dict[Override, float] = {}
        now, steady, snapshot = self._clock(), self._steady(), self._registry.snapshot
        # of a source that does not answer nothing is known
        known = self._registry.listed.is_set() and all(source.connected for source in self._registry.sources.values())
        for each in tuple(self.overrides):
            there = each.target in snapshot.services if each.scope == Scope.SERVICE.value else each.container in snapshot.containers
            if sets.is_over(each, now):
                over.append(each)
            elif known and not there:
                since = missing[each] = self._missing.get(each, steady)
                if steady - since >= GONE.get(each.scope, GONE_OTHERS):
                    gone.append(each)
            yield
        self._missing = missing
        return over, gone

    def _pause(self) -> float:
        """Seconds until the next one is over, or to the next look; without overrides there is nothing to look for."""
        if not len(self.overrides) and not self._stored:
            return math.inf
        end = min((each.until for each in self.overrides if each.until), default=0.0)
        return min(LOOK, max(0.0, end - self._clock())) if end else LOOK

    def _follow(self, _snapshot: Snapshot) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _store(self) -> str:
        """Have the file hold what is to be kept. Why it can't; empty where it does, or is another Haystack's by now."""
        async with self._writing:
            wanted = _kept(self.overrides)
            if wanted == self._stored or self._busy():
                return ""
            try:
                await asyncio.to_thread(kept.write, self._path, wanted)
            except OSError as error:
                why = error.strerror or str(error)
                log.warning(
                    "operator.unkept", path=str(self._path), error=why, hint="set HAYSTACK_STATE_DIR to a folder that can be written"
                )
                return f"{self._path}: {why}"
            self._stored = wanted
            return ""


def _kept(overrides: Sequence[Override] | Overrides) -> tuple[Override, ...]:
    return tuple(each for each in overrides if each.kept)
