"""What becomes of the containers of an engine that does not answer: for a while they stay as it listed them last, then they are out.

They run on without their engine, and connections show which of them still accept. But an old list gets wrong with time: an address may be
another container's by now. Between a provider and the registry; on the event loop's thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
from msgspec.structs import replace

from haystack.discovery.provider import Sink
from haystack.model.listed import Listed
from haystack.model.reasons import span
from haystack.model.records import Container, Listing

LOST = "lost"  # the state of a container of which nobody knows any more
_log = structlog.get_logger()


class Grace:
    """A Sink before another one, of one engine. seconds: for which its list stays; 0: for ever."""

    def __init__(self, sink: Sink, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._sink = sink
        self._seconds = seconds
        self._clock = clock
        self._listing: Listing | None = None
        self._timer: asyncio.TimerHandle | None = None

    def replace(self, source: str, listing: Listing) -> None:
        """It answers: pass on its list."""
        self.close()
        self._listing = listing
        self._sink.replace(source, listing)

    def failed(self, source: str, error: str) -> None:
        """It does not: pass that on, and count the time from the first of these."""
        self._sink.failed(source, error)
        if self._seconds and self._listing is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._over, source)

    def outdated(self, source: str, listing: Listing) -> None:
        """Pass it on."""
        self._sink.outdated(source, listing)

    def withdraw(self, source: str) -> None:
        """Pass it on."""
        self._sink.withdraw(source)

    def close(self) -> None:
        """Count no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _over(self, source: str) -> None:
        """The time is up: its containers are listed as lost. The timer stays, for this is told once."""
        listing, self._listing = self._listing, None
        if listing is None:
            return
        name = listing.engine.name if listing.engine is not None else source
        why = f"its engine {name} has not answered for {span(self._seconds)}"
        _log.warning("engine.given_up", host=source, name=name, containers=len(listing.containers), seconds=self._seconds)
        lost: dict[str, Container | None] = {c.id: self._lost(c, why) for c in listing.containers}
        self._sink.outdated(source, replace(listing, containers=Listed().changed(lost), told=0.0))

    def _lost(self, container: Container, why: str) -> Container:
        return replace(container, state=LOST, state_reason=why, since=self._clock())
