"""What each source listed last, how much of that has come in by now, and how each source is doing.

Sources are told apart by their names, in order of precedence. Never does: building or publishing a snapshot, any timer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import msgspec
import structlog

from haystack.catalog.intake import Arrival, Intake
from haystack.loop.turns import Turns
from haystack.model.records import Container, Departure, Engine, Listing
from haystack.observe.engine_news import EngineNews

FEW = 500  # containers that come in at once where nothing has been listed before: an eighth of a second, in turns

_log = structlog.get_logger()


class SourceState(msgspec.Struct, frozen=True, kw_only=True):
    """How one source is doing. since: Unix seconds of the last change of connected; engine: once it has listed."""

    connected: bool = False
    error: str | None = None
    since: float = 0.0
    engine: Engine | None = None


class Sources:
    """All of them. states: by name, in order of precedence: those named at first, then others as they are heard of.

    news: is told of engines that are lost and back.
    """

    def __init__(self, names: Iterable[str], news: EngineNews, clock: Callable[[], float] = time.time) -> None:
        self.states = {name: SourceState(since=clock()) for name in names}
        self._news = news
        self._clock = clock
        self._intakes: dict[str, Intake] = {}
        self._sizes: dict[str, int] = {}  # of the newest lists
        self._arriving: set[str] = set()  # sources whose first list has not come in whole

    def aim(self, name: str, listing: Listing) -> None:
        """Take `listing` as all there is of a source; it comes in by steps."""
        if name not in self._intakes:
            self._intakes[name] = Intake()
            self._arriving.add(name)
        self._intakes[name].aim(listing)
        self._sizes[name] = len(listing.containers)

    def connected(self, name: str, engine: Engine | None) -> None:
        """It can be read, and this is its engine."""
        self._note(name, True, None, engine)

    def failed(self, name: str, error: str) -> None:
        """It can't be read now; what it listed last stays."""
        old = self.states.get(name)
        self._note(name, False, error, old.engine if old is not None else None)

    def _note(self, name: str, connected: bool, error: str | None, engine: Engine | None) -> None:
        old = self.states.get(name)
        unchanged = old is not None and old.connected == connected
        since = old.since if old is not None and unchanged else self._clock()
        self.states[name] = SourceState(connected=connected, error=error, since=since, engine=engine)
        self._news.hear(name, engine, error or "")

    def withdraw(self, name: str) -> bool:
        """Forget a source and all that it listed; whether it was known."""
        self._intakes.pop(name, None)
        self._sizes.pop(name, None)
        self._arriving.discard(name)
        return self.states.pop(name, None) is not None

    @property
    def lost(self) -> set[str]:
        """Ids of the engines that had listed, and can't be read now."""
        return {s.engine.id for s in self.states.values() if s.engine is not None and not s.connected}

    @property
    def behind(self) -> bool:
        """Whether something that is listed has not come in yet."""
        return any(intake.behind for intake in self._intakes.values())

    @property
    def many(self) -> bool:
        """Whether the lists are long. Shorter first ones come in whole: a name that is not in yet would be denied meanwhile."""
        return sum(self._sizes.values()) > FEW

    @property
    def any_in(self) -> bool:
        """Whether the first list of some source has come in."""
        return bool(self._intakes.keys() - self._arriving)

    def departures(self, since: float) -> list[Departure]:
        """How containers ended that have done so after `since`, in seconds of the clock that only grows; the latest last."""
        found = [d for intake in self._intakes.values() for d in intake.wanted.departures if d.seen > since]
        return sorted(found, key=lambda d: d.seen)

    def step(self, most: int, expect: Callable[[Iterable[Container]], None] | None) -> Turns[None]:
        """Let the next portion of each list come in; `expect` is told of those containers that are in a source's first one."""
        for name, intake in tuple(self._intakes.items()):
            arrived = yield from intake.step(most)
            if name in self._arriving and expect is not None:
                expect(arrived)
            yield

    def arrive(self) -> None:
        """Tell of those sources whose first list is in by now."""
        for name in [each for each in self._arriving if not self._intakes[each].behind]:
            self._arriving.discard(name)
            _log.info("source.listed", source=name, containers=self._sizes[name])
            self._news.listed(name, self.states[name].engine, self._sizes[name])

    def listings(self) -> dict[str, Listing]:
        """What has come in, in order of precedence."""
        known = ((name, self._intakes.get(name)) for name in self.states)
        return {name: intake.listing for name, intake in known if intake is not None and intake.listing is not None}

    def arrivals(self) -> dict[str, Arrival]:
        """How that differs from what it was a step before."""
        return {name: intake.arrival for name, intake in self._intakes.items()}
