"""Waiting, for scripts: until a drained endpoint has nothing in flight, or until a service has so many endpoints.

Nothing here changes anything; whoever waits may be cancelled at any time.
"""

from __future__ import annotations

import asyncio
import enum
import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from haystack.model.overrides import Scope, Target
from haystack.model.readiness import Readiness, of_service
from haystack.operator import targets
from haystack.operator.changes import Operator
from haystack.operator.targets import Site

FIRST, LONGEST = 0.05, 0.5  # seconds between two looks at what is in flight: workers count, and tell when they are asked
_WANTED = re.compile(r"(?P<name>[^<>=\s]+)\s*(?:>=\s*(?P<least>[0-9]{1,6}))?")


class End(enum.Enum):
    """How waiting has ended."""

    EMPTY = "empty"  # nothing is in flight any more
    UNDONE = "undone"  # it is not drained any more
    LATE = "timeout"


async def in_flight(operator: Operator, site: Site, target: Target) -> int | None:
    """Exchanges of a target in flight, in all workers; None: a worker did not say so in time."""
    ids = targets.ids(site, target)
    service = target.id if target.scope is Scope.SERVICE else ""
    if not ids and not service:
        return 0
    found = await operator.in_flight(ids, service)
    return None if found is None else sum(found.values())


async def emptied(
    operator: Operator, site: Site, target: Target, seconds: float | None, report: Callable[[int], Awaitable[None]]
) -> tuple[End, int | None]:
    """Wait until nothing of a drained target is in flight: how that ended, and how much is. report: called with each other number.

    site: as it was drained: what its container had then counts.
    """
    told: int | None = None
    pause = FIRST
    try:
        async with asyncio.timeout(seconds):
            while True:
                drained = target.id in operator.overrides.drains
                count = await in_flight(operator, site, target)
                if not drained:
                    return End.UNDONE, count
                if count == 0:
                    return End.EMPTY, 0
                if count is not None and count != told:
                    told = count
                    await report(count)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST)
    except TimeoutError:
        return End.LATE, told


class Wanted(NamedTuple):
    """A service by whichever name, and how many of its endpoints are to be ready."""

    name: str
    least: int


def wanted(text: str) -> Wanted:
    """``web>=3``, or ``web``: one at least. Raises ValueError."""
    found = _WANTED.fullmatch(text.strip())
    if found is None:
        raise ValueError("not a service with a number, such as web>=3")
    return Wanted(found["name"], int(found["least"]) if found["least"] else 1)


def readiness(site: Site, name: str) -> Readiness:
    """How a service is, by its whole name; one that is not there has no endpoint."""
    service = site.services.get(name)
    return of_service(service) if service is not None else Readiness()


async def ready(operator: Operator, site: Callable[[], Site], name: str, least: int, seconds: float) -> bool:
    """Wait until so many endpoints of a service are ready, none by panic, for so long; whether they are."""
    try:
        async with asyncio.timeout(seconds):
            while readiness(site(), name).ready < least:
                await operator.news()
    except TimeoutError:
        return False
    return True
