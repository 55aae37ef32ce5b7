"""Each second's figures for /api/events: of services in that second, of endpoints over the newest seconds; and what was before.

Only of those that have any: what has no traffic costs nothing. Where thousands of endpoints have, each second tells of some of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol
from zlib import crc32

from haystack.loop.turns import Turns
from haystack.views import shapes

SECONDS = 5  # that figures of endpoints are of
MANY = 500  # endpoints that are told of in a second
Row = tuple[float, float, float, int]  # requests and errors a second, 99th percentile in milliseconds, and how many wait or are in flight
IDLE: Row = (0.0, 0.0, 0.0, 0)


class Rate(Protocol):
    """Requests and errors a second, and the 99th percentile in seconds."""

    @property
    def requests(self) -> float: ...  # noqa: D102 - as above
    @property
    def errors(self) -> float: ...  # noqa: D102
    @property
    def p99(self) -> float: ...  # noqa: D102


class Rates(Protocol):
    """Of services and endpoints that had traffic in the newest seconds; history: requests, errors, p99 by second, the oldest first."""

    def services(self, seconds: int) -> Mapping[str, Rate]: ...  # noqa: D102 - as above
    def endpoints(self, seconds: int) -> Mapping[str, Rate]: ...  # noqa: D102
    def history(self, name: str) -> tuple[Sequence[float], Sequence[float], Sequence[float]]: ...  # noqa: D102


class Load(Protocol):
    """What goes on at an endpoint."""

    @property
    def in_flight(self) -> int: ...  # noqa: D102 - as above


class Traffic(Protocol):
    """What goes on now, by endpoint's id and by service."""

    @property
    def loads(self) -> Mapping[str, Load]: ...  # noqa: D102 - as above
    @property
    def waiting(self) -> Mapping[str, int]: ...  # noqa: D102


class SecondFigures:
    """rates, traffic: what they are of."""

    def __init__(self, rates: Rates, traffic: Traffic) -> None:
        self._rates, self._traffic = rates, traffic
        self._told: dict[str, Row] = {}  # of endpoints: the last that was told, where that was not IDLE

    def take(self, second: int) -> Turns[bytes]:
        """What is to be told of this second, as JSON; empty where all are idle. second: Unix seconds.

        A service that is not named was idle; an endpoint that is not is as it was.
        """
        services = yield from self._services()
        endpoints = yield from self._endpoints(second)
        return shapes.encode({"second": second, "services": services, "endpoints": endpoints}) if services or endpoints else b""

    def before(self, second: int, names: Iterable[str]) -> Iterator[bytes]:
        """What these services had up to this second, as JSON: name, second, and requests, errors and percentiles, the oldest first."""
        for name in names:
            requests, errors, p99 = self._rates.history(name)
            if any(requests):
                columns = [*map(round, requests)], [*map(round, errors)], [round(each * 1000, 1) for each in p99]
                yield shapes.encode((name, second, *columns))

    def now(self) -> bytes:
        """What was told of endpoints and still is so, as JSON; empty where all are idle."""
        return shapes.encode({"second": 0, "services": {}, "endpoints": self._told}) if self._told else b""

    def _services(self) -> Turns[dict[str, Row]]:
        found, waiting = {}, self._traffic.waiting
        for name, rate in self._rates.services(1).items():
            found[name] = _row(rate, waiting.get(name, 0))
            yield
        for name, count in list(waiting.items()):
            found.setdefault(name, _row(None, count))
        return found

    def _endpoints(self, second: int) -> Turns[dict[str, Row]]:
        known, found = set(self._told), {}
        for each in (self._rates.endpoints(1), self._traffic.loads):
            yield
            known.update(each)
        rates, loads, shifts = self._rates.endpoints(SECONDS), self._traffic.loads, -(-len(known) // MANY)
        for identity in known:
            yield
            if shifts <= 1 or crc32(identity.encode()) % shifts == second % shifts:
                load = loads.get(identity)
                row = _row(rates.get(identity), load.in_flight if load is not None else 0)
                if row != self._told.get(identity, IDLE):
                    found[identity] = self._told[identity] = row
                if row == IDLE:
                    self._told.pop(identity, None)
        return found


def _row(rate: Rate | None, now: int) -> Row:
    if rate is None:
        return (0.0, 0.0, 0.0, now)
    return round(rate.requests, 1), round(rate.errors, 1), round(rate.p99 * 1000, 1), now
