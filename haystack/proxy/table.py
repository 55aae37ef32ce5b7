"""From a Snapshot to the workers' routing table, and from two tables to what a worker must be told.

Pure; runs in the control process. What a worker makes of it is in routes.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from haystack.claims import prefix
from haystack.model import Endpoint, Service
from haystack.proxy.channel import EndpointRow, ServiceRow, Table
from haystack.snapshot import Snapshot

LISTENERS = ("http", "http-alt")
PART = 50  # services in one message: a worker takes them in within about two milliseconds, and serves in between


def of(snapshot: Snapshot, balance: str, timeout: float) -> Table:
    """The table of all services that speak HTTP; balance and timeout (seconds): for those that name none."""
    rows = tuple(_row(s, balance, timeout) for s in snapshot.services.values() if s.has_http)
    return Table(version=snapshot.version, services=rows)


def changes(old: Table, new: Table) -> Iterator[Table]:
    """The parts, in their order, that make `new` of `old`. There is always one, for the version."""
    before = {row.name: row for row in old.services}
    changed = [row for row in new.services if before.pop(row.name, None) != row]
    while len(changed) > PART:
        yield Table(new.version, tuple(changed[:PART]), whole=False, last=False)
        del changed[:PART]
    yield Table(new.version, tuple(changed), tuple(before), whole=False)


def _row(service: Service, balance: str, timeout: float) -> ServiceRow:
    listeners = tuple(_endpoints(service, listener) for listener in LISTENERS)
    return ServiceRow(
        name=service.name,
        hosts=tuple(dict.fromkeys((service.name, *service.hosts))),
        balance=service.balance or balance,
        sticky=service.sticky or "",
        timeout_ms=max(1, int((service.timeout or timeout) * 1000)),
        listeners=listeners[:1] if listeners[0] == listeners[1] else listeners,
        path=prefix(service.path),
        max_connections=service.max_connections or 0,
    )


def serving(service: Service, listener: str) -> list[Endpoint]:
    """The endpoints for one listener, ready or not; a service that has only the other kind of port is served there too."""
    mine = [e for e in service.endpoints if e.listener == listener]
    return mine or [e for e in service.endpoints if e.listener is not None]


def _endpoints(service: Service, listener: str) -> tuple[EndpointRow, ...]:
    return tuple(_endpoint(e) for e in serving(service, listener) if e.ready and (e.address or e.address6))


def _endpoint(endpoint: Endpoint) -> EndpointRow:
    return EndpointRow(endpoint.id, endpoint.address or endpoint.address6 or "", endpoint.port, endpoint.weight)
