"""The published picture: one immutable, versioned Snapshot of all engines, containers, services and endpoints.

build is pure: listings in, Snapshot out, however odd they are; what can't be published is left out with a Problem. check is the second
opinion before publication. Never does: I/O, keeping state. The registry's builder (builder.py) makes the same of what has changed alone,
with the same functions; build is what it is held against.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from haystack import claims, naming, ports, service
from haystack.health import policy
from haystack.health.policy import Condition
from haystack.judge import Conditions, Judge
from haystack.model import Container, Endpoint, Engine, Listing, Network, Port, Problem, Record, Service
from haystack.service import Made
from haystack.turns import Turns, at_once, stretches

DEFAULT_WEIGHT = 100
HEAVIEST = 65535  # what an SRV record can say (RFC 2782)
Found = tuple[str, Problem]


class SnapshotError(Exception):
    """The snapshot breaks a rule that its readers rely on."""


class Change(Record, frozen=True, kw_only=True):
    """How a snapshot differs from version `base`: ids of containers and names of services that are new, other or gone."""

    base: int
    containers: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()


class Snapshot(Record, frozen=True, kw_only=True):
    """All that is published. created: Unix seconds; mappings are by id, services by whole name.

    change: for readers that keep something of the version before; None: everything may be different. stopped: ids of containers that
    have ended of late, because they were told to.
    """

    version: int
    created: float
    origin: str
    engines: Mapping[str, Engine] = {}
    networks: Mapping[str, Network] = {}
    containers: Mapping[str, Container] = {}
    services: Mapping[str, Service] = {}
    problems: tuple[Found, ...] = ()
    change: Change | None = None
    stopped: frozenset[str] = frozenset()

    def same_content(self, other: Snapshot) -> bool:
        """True when only version, time of making and change differ."""
        return (self.origin, self.engines, self.networks, self.containers, self.services, self.problems) == (
            other.origin, other.engines, other.networks, other.containers, other.services, other.problems
        )  # fmt: skip


def unwatched(_container: Container, _endpoint: Endpoint) -> Condition:
    """Nothing is known against any endpoint."""
    return policy.WELL


def build(
    version: int,
    origin: str,
    listings: Mapping[str, Listing],
    now: float,
    previous: Snapshot | None = None,
    conditions: Conditions = unwatched,
    steady: float | None = None,
) -> Snapshot:
    """The Snapshot of `listings` (source → Listing, first source wins where two list the same container).

    previous: gives endpoints whose verdict has not changed their `since`; conditions: what is known of each endpoint; steady: seconds of
    a clock that never jumps, from which slow starts count (None: now).
    """
    problems: list[Found] = [(source, p) for source, listing in listings.items() for p in listing.problems]
    problems += duplicates(listings)
    containers = _containers(listings)
    judge = Judge(_since(previous), now, now if steady is None else steady, conditions)
    services = _services(origin, containers.values(), judge)
    for identity, container in containers.items():
        problems.extend((identity, p) for p in (*container.problems, *names(origin, container)[1]))
    problems.extend((name, p) for name, each in services.items() for p in each.problems)
    return Snapshot(
        version=version,
        created=now,
        origin=origin,
        engines=engines(listings),
        networks=networks(listings),
        containers=containers,
        services=services,
        problems=tuple(problems),
    )


def duplicates(listings: Mapping[str, Listing]) -> list[Found]:
    """What there is to say of containers that several sources list."""
    problems: list[Found] = []
    first: dict[str, str] = {}
    for source, listing in listings.items() if len(listings) > 1 else ():
        twice = [c.id for c in listing.containers if first.setdefault(c.id, source) != source]
        if twice:
            text = f"{len(twice)} containers that {first[twice[0]]} lists too, {twice[0][:12]} first: listed once"
            problems.append((source, Problem(subject="duplicates", message=text)))
    return problems


def _containers(listings: Mapping[str, Listing]) -> dict[str, Container]:
    """Every enabled container once, in the order of their ids."""
    found: dict[str, Container] = {}
    for listing in listings.values():
        for container in listing.containers:
            found.setdefault(container.id, container)
    return {i: found[i] for i in sorted(found) if found[i].options.enable}


def engines(listings: Mapping[str, Listing]) -> dict[str, Engine]:
    """Every engine by its id."""
    return {e.id: e for e in (listing.engine for listing in listings.values()) if e is not None}


def networks(listings: Mapping[str, Listing]) -> dict[str, Network]:
    """Every network once; a Swarm's networks are the same on all its engines."""
    found: dict[str, Network] = {}
    for listing in listings.values():
        for network in listing.networks:
            found.setdefault(network.id, network)
    return found


def _since(previous: Snapshot | None) -> dict[str, dict[str, Endpoint]]:
    services = previous.services if previous else {}
    return {scope: found for each in services.values() for scope, found in service.before(each).items()}


def _services(origin: str, containers: Iterable[Container], judge: Judge) -> dict[str, Service]:
    """Whole name → Service, for each name that has an endpoint."""
    members: dict[str, list[Made]] = {}
    for container in containers:
        if made := endpoints(origin, container):
            for name in names(origin, container)[0]:
                members.setdefault(name, []).append((container, made))
    found = {name: at_once(service.of(origin, name, members[name], judge)) for name in sorted(members)}
    for name, lost in claims.contested(found.values()).items():
        found[name] = contested(found[name], lost)
    return found


def contested(found: Service, lost: tuple[Problem, ...]) -> Service:
    """The service with its problems with claims that go to others."""
    return msgspec.structs.replace(found, problems=found.problems + lost) if lost else found


def names(origin: str, container: Container) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    """The whole names of the services that a container belongs to, and its problems with those that are none."""
    whole = [f"{short}.services.{origin}" for short in dict.fromkeys(container.services)]
    odd = [Problem(subject="service name", message=f"{n[:300]!r} is no DNS name: left out") for n in whole if not naming.is_name(n)]
    return (tuple(n for n in whole if naming.is_name(n)) if odd else tuple(whole)), tuple(odd)


def target(origin: str, container: Container) -> str:
    """The container's DNS name that SRV records point at."""
    return f"c{naming.label(container.short_id)}.containers.{origin}"


def endpoints(origin: str, container: Container) -> tuple[Endpoint, ...]:
    """One endpoint a port, not judged yet; none while the container has no address."""
    address = container.address or container.address6
    options = container.options
    if not address:
        return ()
    listed = container.ports
    if options.port is not None and not any(p.number == options.port and p.protocol == "tcp" for p in listed):
        listed = (*listed, ports.named(options.port, "tcp"))
    return tuple(_endpoint(origin, container, port, address) for port in sorted(listed))


def _endpoint(origin: str, container: Container, port: Port, address: str) -> Endpoint:
    options = container.options
    return Endpoint(
        id=f"{container.short_id}:{port.number}/{port.protocol}",
        container=container.id,
        container_name=container.name,
        target=target(origin, container),
        address=address,
        address6=container.address6,
        port=port.number,
        protocol=port.protocol,
        port_name=port.name,
        listener=ports.listener(port, options.port),
        weight=DEFAULT_WEIGHT if options.weight is None else options.weight,
        born=container.since if container.state == "running" else 0.0,
    )


def check(snapshot: Snapshot, before: Snapshot | None = None) -> Turns[None]:
    """Raise SnapshotError unless every reader can rely on `snapshot`. Of one with a change, what has changed is looked at.

    before: one that has passed: the very endpoints of it are well written.
    """
    changed = snapshot.services if snapshot.change is None else snapshot.change.services & snapshot.services.keys()
    for name in changed:
        found = snapshot.services[name]
        _require(name == found.name and naming.is_name(name), f"service name {name!r}")
        _require(name.endswith(f".services.{snapshot.origin}"), f"service {name!r} is outside of the origin")
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
