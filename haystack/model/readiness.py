"""How many endpoints may be chosen, and how many of these only by panic: what lists, `wait`, metrics and the web side count. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from haystack.model.services import Cause, Endpoint, Service


class Readiness(NamedTuple):
    """ready: in because they are well; panicked: in all the same, for too few are well; all: the others too."""

    ready: int = 0
    panicked: int = 0
    all: int = 0

    def __str__(self) -> str:
        return f"{self.ready}/{self.all}" + (f" ({self.panicked} by panic)" if self.panicked else "")

    @property
    def out(self) -> int:
        """Endpoints that get no requests."""
        return self.all - self.ready - self.panicked


def of(endpoints: Iterable[Endpoint]) -> Readiness:
    """The counts of these endpoints."""
    ready = panicked = every = 0
    for endpoint in endpoints:  # there may be thousands: as Endpoint.well and .panicked have it, without calling them
        every += 1
        if endpoint.ready:
            ready, panicked = (ready + 1, panicked) if endpoint.cause is Cause.WELL else (ready, panicked + 1)
    return Readiness(ready, panicked, every)


def of_service(service: Service) -> Readiness:
    """Those of a service that count."""
    return of(serving(service))


def serving(service: Service) -> list[Endpoint]:
    """The endpoints that count: those on a listener, where any is."""
    return [e for e in service.endpoints if e.listener is not None] or list(service.endpoints)
