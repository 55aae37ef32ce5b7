"""Endpoints of engines that do not answer: nobody tells when they end, so connections do. On the control loop's thread.

Those that accept none any more are out, as any that refused a request (admission.py). Where nobody answers at all, their host is believed
to be lost (orphans.py), and what was sent there is sent to others, if it may be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

from haystack.model.snapshot import Snapshot

PAUSE = 2.0  # seconds between two rounds; a round asks each endpoint once


async def run(lost: Callable[[], Collection[str]], snapshot: Callable[[], Snapshot], doubt: Callable[[Iterable[str]], None]) -> None:
    """Until cancelled. lost: ids of these engines; doubt: have the endpoints of these containers looked at, which are all of theirs."""
    before: Collection[str] = ()
    while True:
        engines = lost()
        if engines or before:
            doubt([c.id for c in snapshot().containers.values() if c.engine in engines and c.state == "running"])
        before = engines
        await asyncio.sleep(PAUSE)
