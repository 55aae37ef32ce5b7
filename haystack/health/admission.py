"""Waits for endpoints to accept connections: those that are new, and those that refused a request.

New ones are looked at from the moment their container starts, with growing pauses (admission_times.py), and are out until they accept.
Those that ran long before Haystack did are in, and left alone: not until they refuse a request are they looked at, and out if they
refuse twice. One that may be out of reach and has a published port on another host is tried there too, and kept where it answered first.
Never does: HTTP, deciding who is in (policy.py). On the control loop's thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from haystack.health import admission_times
from haystack.health.failure_texts import REFUSED, Answered
from haystack.health.tcp_check import accepts
from haystack.model.records import Obstacle, Published

LOOKS = 320  # connections in the making,
BACKGROUND = 10  # one in so many of them to endpoints that are in, and as many to those that never answer
TOGETHER = 3  # of them begin in one round of the loop: each takes it 0.2 ms and as much at its end, and hundreds may become due at once
SURE = 2  # looks that must fail before one that is in is out
UNKNOWN = REFUSED
ANOTHERS = "can't be reached"  # its address, for it is another's here

Connect = Callable[..., Awaitable[str]]  # as tcp_check.accepts


class Arrival:
    """One endpoint. why: what is the matter, empty while it is in; since: when that began, in the clock's seconds; joined: it was in.

    failed, silent: looks in a row that failed, and that nobody answered at all; obstacle: what may be between us and it; published: where
    it may be reached instead; there: it was.
    """

    __slots__ = (
        "address", "connect", "failed", "identity", "joined", "obstacle", "overdue", "port", "published", "silent", "since", "task",
        "there", "why",
    )  # fmt: skip

    def __init__(self, identity: str, address: str, port: int, connect: Connect, why: str, since: float, *, overdue: bool) -> None:
        self.identity = identity
        self.connect = connect
        self.address = address
        self.port = port
        self.why = why
        self.since = since
        self.overdue = overdue
        self.failed = 0
        self.silent = 0
        self.joined = not why
        self.obstacle: Obstacle | None = None
        self.published: Published | None = None
        self.there = False
        self.task: asyncio.Task[None] | None = None

    @property
    def unreached(self) -> bool:
        """Whether looks have shown that the obstacle is one."""
        if self.obstacle is None or not self.why:
            return False
        if self.obstacle.certain and self.published is None:
            return True
        return (self.failed if self.obstacle.refusal else self.silent) >= SURE

    @property
    def verdict(self) -> tuple[str, bool, bool, bool]:
        """What others want to know when it changes."""
        return self.why, self.overdue, self.unreached, self.there

    def spots(self) -> list[tuple[str, int, bool]]:
        """Where to look for it, in this order: address, port, and whether that is the published one."""
        own = (self.address, self.port, False)
        if self.obstacle is None or self.published is None:
            return [] if self.obstacle is not None and self.obstacle.certain else [own]
        there = (self.published.address, self.published.host_port, True)
        if self.obstacle.certain:
            return [there]
        return [there, own] if self.there else [own, there]


def _unheard(_identity: str) -> None:
    """Nobody is to be told."""


class Arrivals:
    """Endpoints by id. changed: called whenever one joins or leaves; connect: how to look; clock: seconds, monotonic; looks: at once."""

    def __init__(
        self,
        changed: Callable[[], None],
        connect: Connect = accepts,
        clock: Callable[[], float] = time.monotonic,
        looks: int = LOOKS,
    ) -> None:
        self._changed = changed
        self.moved: Callable[[str], None] = _unheard  # told of each that is reached at another place than before
        self.changed: set[str] = set()  # whose state is another one, for who asks and clears it
        self._connect = connect
        self._clock = clock
        self._known: dict[str, Arrival] = {}
        self._waiting = 0
        background = max(1, looks // BACKGROUND)
        self._at_once = asyncio.Semaphore(max(1, looks - 2 * background))
        self._in_the_background = asyncio.Semaphore(background)
        self._silent = asyncio.Semaphore(background)
        self._begin = asyncio.Semaphore(TOGETHER)

    def add(self, identity: str, address: str, port: int, *, running: bool, connect: Connect | None = None) -> None:
        """Wait for an endpoint. running: it was there before us, so it is in already, and what it refuses then, it has refused for long.

        connect: how to look at this one.
        """
        why = "" if running else f"port {port} {UNKNOWN}"
        arrival = Arrival(identity, address, port, connect or self._connect, why, self._clock(), overdue=running)
        self._known[identity] = arrival
        self._waiting += not running
        if not running:
            self._look(arrival)

    def drop(self, identity: str) -> None:
        """Forget an endpoint."""
        arrival = self._known.pop(identity, None)
        if arrival is not None:
            self._waiting -= bool(arrival.why)
            if arrival.task is not None:
                arrival.task.cancel()

    def doubt(self, identity: str, *, worked: bool = False) -> None:
        """A request was refused there: look now. worked: others were not, so that it is worth waiting for."""
        arrival = self._known.get(identity)
        if arrival is not None and arrival.task is None:
            arrival.overdue = arrival.overdue and not worked
            self._look(arrival)

    def note(self, identity: str, obstacle: Obstacle | None, published: Published | None = None) -> None:
        """What may be between us and an endpoint is this now, and where it may be reached instead is that.

        Look whether it is so, or is no more, rather than after the next pause.
        """
        arrival = self._known.get(identity)
        if arrival is None or (arrival.obstacle, arrival.published) == (obstacle, published):
            return
        before = arrival.verdict
        arrival.obstacle, arrival.published, arrival.there = obstacle, published, False
        self._tell(arrival, before)
        if arrival.task is not None:
            arrival.task.cancel()
        arrival.task = asyncio.create_task(self._until_it_accepts(arrival))

    def place(self, identity: str) -> Published | None:
        """Where an endpoint was reached that may be out of reach at its own address; None: nowhere else."""
        arrival = self._known.get(identity)
        return arrival.published if arrival is not None and arrival.there else None

    def hindered(self, identity: str) -> bool:
        """Whether something may be between us and an endpoint."""
        arrival = self._known.get(identity)
        return arrival is not None and arrival.obstacle is not None

    def unreached(self, identity: str) -> str:
        """Why an endpoint can't be reached, and what to do; empty where nothing is known to be in the way, or it can be."""
        arrival = self._known.get(identity)
        return f"{arrival.why}: {arrival.obstacle.told}" if arrival and arrival.unreached and arrival.obstacle else ""

    def silent(self, identity: str) -> str:
        """What the matter is with an endpoint where nobody has answered at all for some looks; else empty."""
        arrival = self._known.get(identity)
        return arrival.why if arrival is not None and arrival.silent >= SURE else ""

    def state(self, identity: str) -> tuple[str, bool]:
        """What is the matter with an endpoint, or nothing; and whether it has been so for too long."""
        arrival = self._known.get(identity)
        return (arrival.why, arrival.overdue) if arrival is not None and arrival.why else ("", False)

    def lost(self, identity: str) -> bool:
        """Whether an endpoint was in, and does not accept any more."""
        arrival = self._known.get(identity)
        return arrival is not None and bool(arrival.why) and arrival.joined

    def close(self) -> None:
        """Wait for nobody any more."""
        for identity in tuple(self._known):
            self.drop(identity)

    def _look(self, arrival: Arrival) -> None:
        arrival.failed = arrival.silent = 0
        arrival.task = asyncio.create_task(self._until_it_accepts(arrival))

    async def _until_it_accepts(self, arrival: Arrival) -> None:
        try:
            while True:
                async with self._room(arrival):
                    async with self._begin:
                        await asyncio.sleep(0)
                    trouble, there = await _attempt(arrival)
                self._take(arrival, trouble, there=there)
                if not trouble:
                    return
                await asyncio.sleep(admission_times.pause(self._clock() - arrival.since if arrival.why else 0.0, self._waiting))
        finally:
            if arrival.task is asyncio.current_task():
                arrival.task = None

    def _room(self, arrival: Arrival) -> asyncio.Semaphore:
        """Thousands that never answer, each for as long as a look may take, are not to keep new ones waiting."""
        if arrival.silent >= SURE:
            return self._silent
        return self._at_once if arrival.why else self._in_the_background

    def _take(self, arrival: Arrival, trouble: str, *, there: bool) -> None:
        """What one look showed."""
        before, moved = arrival.verdict, arrival.there != there
        arrival.there = there
        if moved:
            self.moved(arrival.identity)
        arrival.failed = arrival.failed + 1 if trouble else 0
        arrival.silent = arrival.silent + 1 if trouble and not (isinstance(trouble, Answered) or trouble == REFUSED) else 0
        if not trouble:
            self._waiting -= bool(arrival.why)
            arrival.why, arrival.overdue, arrival.joined = "", False, True
        elif arrival.why:
            arrival.why = f"port {arrival.port} {trouble}"
            arrival.overdue = arrival.overdue or admission_times.overdue(self._clock() - arrival.since)
        elif arrival.failed >= SURE:
            self._waiting += 1
            arrival.why, arrival.since = f"port {arrival.port} {trouble}", self._clock()
        self._tell(arrival, before)

    def _tell(self, arrival: Arrival, before: tuple[str, bool, bool, bool]) -> None:
        """Tell those who want to know that the verdict is another one than before, where it is."""
        if before != arrival.verdict:
            self.changed.add(arrival.identity)
            self._changed()


async def _attempt(arrival: Arrival) -> tuple[str, bool]:
    """One look: what the matter is, and whether that is so of its published port. The first place where somebody answers counts.

    Where something may be in between, its own address is where a connection that is refused, too, shows that there is a way to it.
    """
    first = ANOTHERS
    for number, (address, port, published) in enumerate(arrival.spots()):
        trouble = await arrival.connect(address, port)
        refused = isinstance(trouble, Answered) and not published and not (arrival.obstacle is not None and arrival.obstacle.refusal)
        if not trouble or refused:
            return trouble, published
        first = trouble if number == 0 or isinstance(trouble, Answered) else first
    return first, arrival.there
