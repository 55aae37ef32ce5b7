"""What `top` lists: traffic of each service, or of each endpoint of one. Reads the figures that the workers tell; pure, in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from haystack.loop.turns import STRETCH, Turns, ordered
from haystack.model.readiness import Readiness, of_service
from haystack.model.reasons import overridden
from haystack.model.services import Endpoint, Service
from haystack.observe.trace import ITSELF
from haystack.views.rates import Rate
from haystack.views.shapes import override_shape
from haystack.views.state import State

QUIET = Rate()


class Row(NamedTuple):
    """One service, or one endpoint. rate: of the newest seconds; waiting: requests without an endpoint; pooled: idle connections."""

    name: str
    rate: Rate
    in_flight: int
    waiting: int = 0
    pooled: int = 0
    subject: Service | Endpoint | None = None


SORTS: dict[str, Callable[[Row], float]] = {
    "rate": lambda row: row.rate.requests,
    "errors": lambda row: row.rate.errors,
    "p50": lambda row: row.rate.p50,
    "p99": lambda row: row.rate.p99,
    "flight": lambda row: row.in_flight,
    "queue": lambda row: row.waiting,
    "name": lambda _row: 0.0,
}


def rows(state: State, name: str | None, sort: str, rates: Mapping[str, Rate] | None = None) -> Turns[list[Row] | None]:
    """Those of all services, or of the endpoints of the service of this name; the largest first. None: there is no such service.

    rates: of services, where they have been asked for already: each costs something when it is looked up first.
    """
    value = SORTS[sort]
    found = yield from (_services(state, rates or state.rates.services()) if name is None else _endpoints(state, name))
    if found is None or sort == "name":
        return found
    return (yield from ordered(found, lambda row: (-int(value(row) * 1e6), 0)))  # stable: those that are equal stay by name


def _services(state: State, rates: Mapping[str, Rate]) -> Turns[list[Row]]:
    traffic, found = state.proxy.traffic, list[Row]()
    loads, waiting = traffic.loads, traffic.waiting
    for service in (yield from ordered(state.snapshot.services.values(), lambda service: service.name)):
        busy = 0
        for at, endpoint in enumerate(service.endpoints if loads else ()):
            busy += loads[endpoint.id].in_flight if endpoint.id in loads else 0
            if at % STRETCH == STRETCH - 1:
                yield
        found.append(Row(service.name, rates.get(service.name, QUIET), busy, waiting.get(service.name, 0), subject=service))
        yield
    return found


def _endpoints(state: State, name: str) -> Turns[list[Row] | None]:
    service = state.snapshot.services.get(name)
    if service is None:
        return None
    rates, loads, found = state.rates.endpoints(), state.proxy.traffic.loads, []
    for endpoint in (yield from ordered(service.endpoints, lambda endpoint: f"{endpoint.container_name}\0{endpoint.id}")):
        now = loads.get(endpoint.id)
        busy, pooled = (now.in_flight, now.pooled) if now else (0, 0)
        found.append(Row(endpoint.id, rates.get(endpoint.id, QUIET), busy, 0, pooled, endpoint))
        yield
    return found


class Sums(NamedTuple):
    """Of all services together."""

    requests: float
    errors: float
    in_flight: int
    waiting: int


def sums(state: State, rates: Mapping[str, Rate]) -> Turns[Sums]:
    """What goes on in all. An endpoint counts once, however many services it is in."""
    requests, errors = 0.0, 0.0
    for name, rate in rates.items():
        if name != ITSELF:
            requests, errors = requests + rate.requests, errors + rate.errors
        yield
    traffic = state.proxy.traffic
    return Sums(requests, errors, sum(now.in_flight for now in [*traffic.loads.values()]), sum(traffic.waiting.values()))


def summed(found: Iterable[Row]) -> Turns[Sums]:
    """Of these rows."""
    requests, errors, in_flight, waiting = 0.0, 0.0, 0, 0
    for row in found:
        requests, errors = requests + row.rate.requests, errors + row.rate.errors
        in_flight, waiting = in_flight + row.in_flight, waiting + row.waiting
        yield
    return Sums(requests, errors, in_flight, waiting)


def readiness(row: Row) -> Readiness:
    """How many endpoints of a service are in."""
    return of_service(row.subject) if isinstance(row.subject, Service) else Readiness()


def state(endpoint: Endpoint) -> str:
    """``in``, or why it is not or only by panic, and what operators decided about it."""
    return "; ".join(["in" if endpoint.well else endpoint.reason, *overridden(endpoint)])


def shape(row: Row) -> Mapping[str, object]:
    """For a script: seconds, and figures a second."""
    common = {
        "requests": round(row.rate.requests, 3), "errors": round(row.rate.errors, 3), "p50": round(row.rate.p50, 6),
        "p99": round(row.rate.p99, 6), "in_flight": row.in_flight,
    }  # fmt: skip
    if isinstance(row.subject, Endpoint):
        of = row.subject
        return {
            "endpoint": of.id, "container": of.container_name, "ready": of.ready, "panicked": of.panicked, "reason": of.reason,
            "weight": of.weight, **common, "pooled": row.pooled, "overrides": [override_shape(each) for each in of.overrides],
        }  # fmt: skip
    found = readiness(row)
    counts = {"ready": found.ready, "panicked": found.panicked, "endpoints": found.all}
    return {"service": row.name, **common, "waiting": row.waiting, **counts}


def shapes(found: list[Row]) -> Iterator[Mapping[str, object]]:
    """Of all of them."""
    return map(shape, found)
