"""The journal: what Docker, health, operators and Haystack itself did, and what followed, in a bounded ring. Base of events and replay.

Who does or sees something adds it; readers ask since when, or follow. Many of one kind at once are counted, as in the log. Never decides
anything, and never hears of single requests (outcomes.py has those that went wrong). On the event loop's thread.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import islice
from operator import attrgetter
from typing import Protocol

from msgspec.structs import replace

from haystack.model.records import Record
from haystack.observe.bounded_queue import Newest

ENTRIES = 10_000
BYTES = 4 << 20  # of text in all entries
QUEUE = 1000  # entries for one who follows
MOST, SECONDS = 20, 5.0  # entries of one kind in so many seconds: the others are counted
LATE = 5.0  # seconds before now that are believed of a clock which may not be ours
TEXT, NAMES = 400, 16  # characters of a text, and names of services, that are kept
OPERATOR = "operator."  # what operators do is a kind of theirs, and always told in full

# Kinds, with what many of them are called.
KINDS = {
    "container.started": "containers started",
    "container.killed": "containers were told to stop",
    "container.died": "containers ended",
    "container.removed": "containers have gone",
    "container.paused": "containers were paused",
    "container.resumed": "containers run on",
    "container.unserved": "containers are in no service",
    "health.changed": "containers changed their health",
    "endpoint.in": "containers get requests",
    "endpoint.out": "containers get no more requests",
    "endpoint.ejected": "endpoints were ejected",
    "endpoint.returned": "endpoints returned",
    "service.up": "services are up",
    "service.down": "services are down",
    "engine.listed": "engines were listed",
    "engine.lost": "engines do not answer",
    "engine.back": "engines answer again",
    "worker.started": "workers started",
    "worker.died": "workers died",
}


class Entry(Record, frozen=True, kw_only=True):
    """One thing that happened. number: grows by one; time: Unix seconds, which may be some seconds before those of the entry before.

    kind: of KINDS, or OPERATOR and a word; about: the name of a container, service, engine or worker; id: of a container, 12 digits, or
    an endpoint's; services: whole names that it concerns, NAMES of them at most; text: what it was, and what followed, for people; detail:
    more of it for the log and the shell alone, such as how a process ended; by: the operator who did it; more: it stands for so many more
    of its kind. Texts are as strangers chose them: they are made fit for a terminal where they are shown.
    """

    number: int
    time: float
    kind: str
    about: str
    text: str
    id: str = ""
    services: tuple[str, ...] = ()
    detail: str = ""
    by: str = ""
    more: int = 0

    @property
    def size(self) -> int:
        """Bytes or so that it takes."""
        return sum(map(len, (self.about, self.text, self.detail, self.by, *self.services)))


class Note(Protocol):
    """Journal.add, as others have it passed in."""

    def __call__(  # noqa: D102 - as above
        self,
        kind: str,
        about: str,
        text: str,
        services: Iterable[str] = (),
        by: str = "",
        *,
        identity: str = "",
        detail: str = "",
        at: float = 0.0,
    ) -> None: ...


def unnoted(
    kind: str, about: str, text: str, services: Iterable[str] = (), by: str = "", *, identity: str = "", detail: str = "", at: float = 0.0
) -> None:
    """A Note for who has no journal."""


Later = Callable[[float, Callable[[], None]], object]


def later(seconds: float, what: Callable[[], None]) -> object:
    """Do it then, on the running loop."""
    return asyncio.get_running_loop().call_later(seconds, what)


class Journal:
    """The ring. clock: Unix seconds; entries, size: the most that are kept; after: how to do something later."""

    def __init__(self, clock: Callable[[], float] = time.time, after: Later = later, entries: int = ENTRIES, size: int = BYTES) -> None:
        self._clock = clock
        self._after = after
        self._limits = entries, size
        self._entries: deque[Entry] = deque()
        self._size = 0
        self._number = 0
        self._bursts: dict[str, Burst] = {}
        self._followers: set[Newest[Entry]] = set()
        self.begun = clock()  # Unix seconds from which it knows everything; it grows when the oldest entries are dropped

    def add(
        self,
        kind: str,
        about: str,
        text: str,
        services: Iterable[str] = (),
        by: str = "",
        *,
        identity: str = "",
        detail: str = "",
        at: float = 0.0,
    ) -> None:
        """Note one thing. identity: Entry.id; at: Unix seconds by a clock that may not be ours. Raises ValueError: no such kind."""
        if kind not in KINDS and not kind.startswith(OPERATOR):
            raise ValueError(f"{kind!r} is no kind of the journal")
        now = self._clock()
        moment = at if now - LATE <= at <= now else now
        kept = tuple(each for each, _ in zip(services, range(NAMES), strict=False))
        if self._takes(kind, moment, kept):
            self._put(
                Entry(
                    number=0, time=moment, kind=kind, about=about[:TEXT], id=identity, services=kept,
                    text=text[:TEXT], detail=detail[:TEXT], by=by[:TEXT],
                )
            )  # fmt: skip

    def since(self, moment: float) -> list[Entry]:
        """Those from this time on (Unix seconds), in the order of their times."""
        return sorted((e for e in self._entries if e.time >= moment), key=attrgetter("time"))

    def after(self, number: int) -> list[Entry]:
        """Those behind the one of that number, as they came."""
        if not self._entries or number >= self._number:
            return []
        first = max(0, number + 1 - self._entries[0].number)
        return list(islice(self._entries, first, None))

    @property
    def last(self) -> int:
        """The newest entry's number; 0: there is none."""
        return self._number

    @asynccontextmanager
    async def follow(self, limit: int = QUEUE) -> AsyncIterator[Newest[Entry]]:
        """Hear of each entry while the context lasts; `lost` of the queue counts those that it had no room for."""
        queue: Newest[Entry] = Newest(limit)
        self._followers.add(queue)
        try:
            yield queue
        finally:
            self._followers.discard(queue)

    def _put(self, entry: Entry) -> None:
        self._number += 1
        entry = replace(entry, number=self._number)
        self._entries.append(entry)
        self._size += entry.size
        entries, size = self._limits
        while len(self._entries) > entries or self._size > size:
            oldest = self._entries.popleft()
            self._size -= oldest.size
            self.begun = max(self.begun, oldest.time)
        for queue in self._followers:
            queue.put(entry)

    def _takes(self, kind: str, moment: float, services: tuple[str, ...]) -> bool:
        """Whether it has an entry of its own; else it is counted, and told with the others when the burst is over."""
        burst = self._bursts.get(kind)
        if kind.startswith(OPERATOR):
            return True
        if burst is None or moment - burst.begun >= SECONDS:
            self._end(kind)
            burst = self._bursts[kind] = Burst(moment)
        if burst.takes(moment, services):
            return True
        if burst.more == 1:
            self._after(SECONDS, lambda: self._end(kind, burst))
        return False

    def _end(self, kind: str, burst: Burst | None = None) -> None:
        """Tell how many more there were in this burst, if it goes on; None: in any."""
        found = self._bursts.get(kind)
        if found is None or (burst is not None and found is not burst):
            return
        del self._bursts[kind]
        if found.more:
            self._put(
                Entry(
                    number=0, time=found.last, kind=kind, about="", services=tuple(sorted(found.services)),
                    text=f"{found.more:,} more {KINDS[kind]}", more=found.more,
                )
            )  # fmt: skip


class Burst:
    """Entries of one kind within SECONDS. more: those beyond MOST, the last of them at `last`; services: some that they concern."""

    def __init__(self, begun: float) -> None:
        self.begun = self.last = begun
        self.more = 0
        self.services: set[str] = set()
        self._count = 0

    def takes(self, moment: float, services: tuple[str, ...]) -> bool:
        """Count one; whether it is one of the first."""
        self._count += 1
        if self._count <= MOST:
            return True
        self.more += 1
        self.last = max(self.last, moment)
        if len(self.services) < NAMES:
            self.services.update(services[: NAMES - len(self.services)])
        return False
