"""Containers that have gone a moment ago, as the shell shows them: where they were, how they ended, what their health check said last.

Pure. For the shell alone: on the wire nobody learns how a process ended.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from haystack.catalog import host_names
from haystack.console.tables import age
from haystack.model import endpoints, naming
from haystack.model.reasons import span
from haystack.model.records import Departure
from haystack.model.services import Cause, Endpoint
from haystack.observe.safe_text import printable
from haystack.views.shapes import Membership
from haystack.views.state import State

Row = tuple[object, ...]


def rows(state: State) -> list[tuple[str, Row]]:
    """(service, columns as of lists.ENDPOINT) for each endpoint of a container that has gone and is not back."""
    return [(name, _row(d, e)) for d, name, e in _gone(state)]


def memberships(state: State) -> list[Membership]:
    """The same for scripts, by service."""
    found, origin = [], state.snapshot.origin
    for departure, name, endpoint in _gone(state):
        gone = replace(endpoint, ready=False, cause=Cause.GONE, reason=f"gone: {_end(departure)}", since=departure.at)
        found.append(Membership(gone, name, (), None, (), dns=naming.container(origin, departure.container)))
    return sorted(found, key=lambda each: each.name)


def _gone(state: State) -> Iterator[tuple[Departure, str, Endpoint]]:
    for d in state.registry.departures:
        if d.container.id not in state.snapshot.containers:
            yield from ((d, name, e) for name in services(state, d) for e in endpoints.endpoints(state.snapshot.origin, d.container))


def services(state: State, departure: Departure) -> tuple[str, ...]:
    """The whole names that it was in."""
    return endpoints.names(state.snapshot.origin, departure.container)[0]


def served(state: State, departure: Departure) -> tuple[str, ...]:
    """The host names under which HTTP was served from it."""
    if not any(e.listener for e in endpoints.endpoints(state.snapshot.origin, departure.container)):
        return ()
    return *services(state, departure), *host_names.of(state.snapshot.origin, departure.container)


def why(departure: Departure) -> str:
    """``exit 137, out of memory, 12.0 s ago``."""
    return f"{_end(departure)}, {span(time.monotonic() - departure.seen)} ago"


def _end(departure: Departure) -> str:
    told = [f"exit {departure.exit}"] if departure.exit else ["its process ended"]
    told += ["out of memory"] if departure.oom else []
    return ", ".join(told)


def lines(state: State, wanted: Iterable[str] | None = None) -> Iterator[str]:
    """What else there is to tell: of those that are back, that they had gone; of all, their health. wanted: services; None: all."""
    names = None if wanted is None else set(wanted)
    for departure in state.registry.departures:
        container = departure.container
        if names is not None and names.isdisjoint((*services(state, departure), *host_names.of(state.snapshot.origin, container))):
            continue
        if container.id in state.snapshot.containers:
            yield printable(f"{container.name} is back; before: {why(departure)}")
        elif names is not None:
            yield printable(f"{container.name} gone: {why(departure)}")
        if container.health_output:
            yield printable(f"{container.name}: last health check: {container.health_output}")


def _row(departure: Departure, endpoint: Endpoint) -> Row:
    place = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    columns = (endpoint.id, f"{place}:{endpoint.port}", endpoint.listener or endpoint.port_name, endpoint.weight, endpoint.container_name)
    return (*columns, f"gone: {why(departure)}", age(time.monotonic() - departure.seen))
