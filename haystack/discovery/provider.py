"""What every source of containers looks like to the rest: it publishes whole lists, never differences.

Whole lists make every consumer idempotent: a lost event, a reconnect or a reload is the same code as the first start.
"""

from __future__ import annotations

from typing import Protocol

from haystack.model.records import Listing


class Sink(Protocol):
    """Where a provider delivers to; the Registry is one. Called on the event loop's thread only."""

    def replace(self, source: str, listing: Listing) -> None:
        """Take this as all there is of `source` from now on."""

    def failed(self, source: str, error: str) -> None:
        """Remember that `source` can't be read now, one line why; what it listed last stays."""

    def outdated(self, source: str, listing: Listing) -> None:
        """Take this as what is left of `source`, which can't be read and has been so for long."""

    def withdraw(self, source: str) -> None:
        """Forget `source` and all that it listed: there is no such thing."""


class Nowhere:
    """A Sink before there is one."""

    def replace(self, source: str, listing: Listing) -> None:
        """Nobody hears it."""

    def failed(self, source: str, error: str) -> None:
        """Nobody hears it."""

    def withdraw(self, source: str) -> None:
        """Nobody hears it."""

    def outdated(self, source: str, listing: Listing) -> None:
        """Nobody hears it."""


class Provider(Protocol):
    """A source of containers: a Docker engine, a static file, the demo."""

    source: str

    async def run(self, sink: Sink) -> None:
        """Publish into sink until cancelled. Never returns by itself and never gives up."""
