"""The second opinion on a snapshot before it is published: what every reader relies on holds, or the old snapshot stays."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from haystack.loop.turns import Turns, stretches
from haystack.model import naming, ports
from haystack.model.services import Endpoint
from haystack.model.snapshot import Snapshot

HEAVIEST = 65535  # what an SRV record can say (RFC 2782)


class SnapshotError(Exception):
    """The snapshot breaks a rule that its readers rely on."""


def check(snapshot: Snapshot, before: Snapshot | None = None) -> Turns[None]:
    """Raise SnapshotError unless every reader can rely on `snapshot`. Of one with a change, what has changed is looked at.

    before: one that has passed: the very endpoints of it are well written.
    """
    changed = snapshot.services if snapshot.change is None else snapshot.change.services & snapshot.services.keys()
    for name in changed:
        found = snapshot.services[name]
        _require(name == found.name and naming.is_name(name), f"service name {name!r}")
        _require(name.endswith(naming.service_name("", snapshot.origin)), f"service {name!r} is outside of the origin")
        _require(bool(found.endpoints), f"service {name!r} has no endpoint")
        ids = {e.id for e in found.endpoints}
        _require(len(found.endpoints) == len(ids), f"service {name!r} has an endpoint twice")
        old = before.services.get(name) if before is not None else None
        known = set(map(id, old.endpoints)) if old is not None else set()
        yield
        for some in stretches(found.endpoints):
            _check_endpoints(snapshot, some, known)
            yield
        for claim in found.claims:
            mine = {e.id for e in claim.endpoints}
            _require(bool(mine) and len(mine) == len(claim.endpoints) and ids >= mine, f"{name!r} claims {claim.host!r} for others")
            yield


def _check_endpoints(snapshot: Snapshot, endpoints: Sequence[Endpoint], known: set[int]) -> None:
    for endpoint in endpoints:
        _require(endpoint.container in snapshot.containers, f"endpoint {endpoint.id} is of no container")
        if id(endpoint) not in known:
            _check_endpoint(endpoint)


def _check_endpoint(endpoint: Endpoint) -> None:
    _require(naming.is_name(endpoint.target), f"endpoint {endpoint.id} has target {endpoint.target!r}")
    _require(1 <= endpoint.port <= ports.HIGHEST, f"endpoint {endpoint.id} has port {endpoint.port}")
    _require(0 <= endpoint.weight <= HEAVIEST, f"endpoint {endpoint.id} has weight {endpoint.weight}")
    try:
        ipaddress.ip_address(endpoint.address)
    except ValueError:
        raise SnapshotError(f"endpoint {endpoint.id} has address {endpoint.address!r}") from None


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise SnapshotError(otherwise)
