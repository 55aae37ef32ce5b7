"""One line an exchange for those who ask: the hub that hands the records of the workers to listeners.

Nobody asks, nothing is made: the hub tells the workers when the first listener comes and the last one goes.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from haystack.model.reports import Trace

log = structlog.get_logger("haystack")
QUEUE = 1000
ITSELF = "haystack"  # the service of requests to Haystack itself: its page, API, metrics and health
READABLE = 200  # traces a second that a person at a terminal is shown: more can't be read, and each costs the machine something
TOGETHER = 10  # traces that are shown in one go


class Subscription:
    """What one listener has not read yet: a bounded queue, the newest kept. `dropped` counts what it lost for good.

    service: of which alone, None: of all; wants: which of these alone; most: a second, 0: all that there is room for.
    """

    def __init__(
        self, service: str | None, limit: int = QUEUE, wants: Callable[[Trace], bool] = lambda _trace: True, most: int = 0
    ) -> None:
        self.service = service
        self._wants, self._most = wants, most
        self._second = self._count = 0
        self.dropped = 0
        self._taken = 0
        self._waiting: deque[Trace] = deque(maxlen=limit)
        self._arrived = asyncio.Event()

    def offer(self, trace: Trace) -> None:
        """Take the trace if it is of interest. A full queue loses its oldest: what happens now matters more."""
        if (self.service is not None and trace.service != self.service) or not self._wants(trace):
            return
        if self._most and not self._has_turn(int(time.monotonic())):
            self.dropped += 1
            return
        if len(self._waiting) == self._waiting.maxlen:
            self.dropped += 1
        self._waiting.append(trace)
        self._arrived.set()

    def _has_turn(self, second: int) -> bool:
        """Whether this second has had fewer than it may."""
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count <= self._most

    def lose(self, count: int) -> None:
        """Count what the workers had no room for; for one service or for all, they have one room."""
        self.dropped += count

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Trace:
        self._taken += 1
        if self._taken % TOGETHER == 0:
            await asyncio.sleep(0)  # however many wait, others have their turn
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()

    async def some(self, most: int = TOGETHER) -> list[Trace]:
        """Those that wait, so many at most and one at least: for who writes several in one go."""
        found = [await anext(self)]
        while self._waiting and len(found) < most:
            found.append(self._waiting.popleft())
        await asyncio.sleep(0)
        return found


class TraceHub:
    """Hands each trace to those who asked for its service, and says whether anybody asks at all.

    `on_change(on, service)` is called when the union of the interests changes: (False, None) nobody asks, (True, name)
    all ask for that one service, (True, None) several or all are asked for. Lives on the event loop's thread.
    """

    def __init__(self, on_change: Callable[[bool, str | None], None] | None = None) -> None:
        self.on_change = on_change
        self.interest: tuple[bool, str | None] = (False, None)
        self._subscriptions: set[Subscription] = set()

    def publish(self, trace: Trace) -> None:
        """Offer the trace to every listener. Never blocks, never fails on a slow one."""
        for subscription in self._subscriptions:
            subscription.offer(trace)

    def lost(self, count: int) -> None:
        """So many more there would have been: every listener is told."""
        for subscription in self._subscriptions:
            subscription.lose(count)

    @asynccontextmanager
    async def subscribe(
        self, service: str | None = None, limit: int = QUEUE, wants: Callable[[Trace], bool] = lambda _trace: True, most: int = 0
    ) -> AsyncIterator[Subscription]:
        """Listen while the context lasts: to the service of that whole name, or to all; to what is wanted alone; so many a second."""
        subscription = Subscription(service, limit, wants, most)
        self._subscriptions.add(subscription)
        try:
            self._tell()
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            self._tell()

    def _tell(self) -> None:
        wanted = {subscription.service for subscription in self._subscriptions}
        interest = (bool(wanted), wanted.pop() if len(wanted) == 1 else None)
        if interest != self.interest:
            self.interest = interest
            if self.on_change is not None:
                self.on_change(*interest)


async def logged(hub: TraceHub) -> None:
    """Have every exchange in the log, and how many more there were than it takes."""
    lost = 0
    async with hub.subscribe(None) as traces:
        async for trace in traces:
            if traces.dropped > lost:
                log.warning("traces.lost", count=traces.dropped - lost)
                lost = traces.dropped
            log.info("exchange.traced", **{name: getattr(trace, name) for name in trace.__struct_fields__ if name != "time"})
