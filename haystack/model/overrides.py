"""What an operator decided about endpoints: immutable records, and all of them as the catalog reads them.

Pure. operator/ makes them, the catalog's verdicts apply them, and a Snapshot holds those that it was made with.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain, islice
from typing import TypeVar

from haystack.model.records import Record
from haystack.model.services import Endpoint, Override

T = TypeVar("T")
LOOKED = 200  # targets between two chances for other work: there may be thousands


class Scope(enum.Enum):
    """What an override is about."""

    ENDPOINT = "endpoint"
    CONTAINER = "container"
    SERVICE = "service"


class Target(Record, frozen=True, kw_only=True):
    """One thing that can be overridden. id: an endpoint's or container's, or a service's whole name; name: for people.

    container: the id of an endpoint's container, or the container's own; empty for a service.
    """

    scope: Scope
    id: str
    name: str
    container: str = ""


class Overrides(Record, frozen=True, kw_only=True):
    """All that hold, by target: an endpoint's id (which has a colon), a container's (hex digits) or a service's whole name (with dots).

    number: how many sets there were before this one.
    """

    number: int = 0
    drains: Mapping[str, Override] = {}
    weights: Mapping[str, Override] = {}

    def __len__(self) -> int:
        return len(self.drains) + len(self.weights)

    def __iter__(self) -> Iterator[Override]:
        return chain(self.drains.values(), self.weights.values())

    def of(self, service: str, endpoint: Endpoint) -> tuple[Override, ...]:
        """Those that hold for an endpoint of this service: drains first, its own before its container's and its service's."""
        if not self.drains and not self.weights:
            return ()
        drains = self.drains
        found = drains.get(endpoint.id), drains.get(endpoint.container), drains.get(service), self.weights.get(endpoint.id)
        return tuple(each for each in found if each is not None)

    def differing(self, other: Overrides) -> Iterator[list[str]]:
        """The targets about which these say something else than the others, as they are found: some at a time, or none."""
        if other is not self:
            yield from _differing(self.drains, other.drains)
            yield from _differing(self.weights, other.weights)


def _differing(one: Mapping[str, T], other: Mapping[str, T]) -> Iterator[list[str]]:
    keys = chain(one, (key for key in other if key not in one))
    while some := tuple(islice(keys, LOOKED)):
        yield [key for key in some if one.get(key) is not other.get(key)]


NONE = Overrides()


def drain_of(overrides: tuple[Override, ...]) -> Override | None:
    """The drain among those of one endpoint, if there is one."""
    return overrides[0] if overrides and overrides[0].weight is None else None


def weight_of(overrides: tuple[Override, ...]) -> Override | None:
    """The weight among those of one endpoint, if there is one."""
    return overrides[-1] if overrides and overrides[-1].weight is not None else None


def told(override: Override) -> str:
    """``by alice@laptop: new kernel, until 2026-11-30 14:02:03Z``."""
    why = f": {override.why}" if override.why else ""
    until = f", until {moment(override.until)}" if override.until else ""
    return f"by {override.by}{why}{until}"


def moment(seconds: float) -> str:
    """Unix seconds as UTC to the second."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%SZ}"
