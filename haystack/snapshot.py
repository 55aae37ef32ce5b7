"""The published picture: one immutable, versioned Snapshot of all engines, containers, services and endpoints.

build is pure: listings in, Snapshot out, however odd they are; what can't be published is left out with a Problem.
check is the second opinion before publication. Never does: I/O, keeping state. The registry calls both.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from haystack import claims, naming, ports
from haystack.health import policy, ramp
from haystack.health.policy import Condition, Verdict
from haystack.model import Container, Endpoint, Engine, Listing, Network, Port, Problem, Record, Service

DEFAULT_WEIGHT = 100
HEAVIEST = 65535  # what an SRV record can say (RFC 2782)
Found = tuple[str, Problem]
Member = tuple[Container, Endpoint]
Conditions = Callable[[Container, Endpoint], Condition]


class SnapshotError(Exception):
    """The snapshot breaks a rule that its readers rely on."""


class Snapshot(Record, frozen=True, kw_only=True):
    """All that is published. created: Unix seconds; mappings are by id, services by whole name."""

    version: int
    created: float
    origin: str
    engines: Mapping[str, Engine] = {}
    networks: Mapping[str, Network] = {}
    containers: Mapping[str, Container] = {}
    services: Mapping[str, Service] = {}
    problems: tuple[Found, ...] = ()

    def same_content(self, other: Snapshot) -> bool:
        """True when only version and time of making differ."""
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
) -> Snapshot:
    """The Snapshot of `listings` (source → Listing, first source wins where two list the same container).

    previous: gives endpoints whose verdict has not changed their `since`; conditions: what is known of each endpoint.
    """
    problems: list[Found] = [(source, p) for source, listing in listings.items() for p in listing.problems]
    containers = _containers(listings, problems)
    return Snapshot(
        version=version,
        created=now,
        origin=origin,
        engines={e.id: e for e in (listing.engine for listing in listings.values()) if e is not None},
        networks=_networks(listings),
        containers=containers,
        services=_services(origin, containers.values(), Judge(_since(previous), now, conditions), problems),
        problems=tuple(problems),
    )


def _containers(listings: Mapping[str, Listing], problems: list[Found]) -> dict[str, Container]:
    """Every enabled container once, in the order of their ids."""
    found: dict[str, Container] = {}
    origin: dict[str, str] = {}
    for source, listing in listings.items():
        twice = [c.id for c in listing.containers if origin.setdefault(c.id, source) != source]
        for container in listing.containers:
            found.setdefault(container.id, container)
        if twice:
            text = f"{len(twice)} containers that {origin[twice[0]]} lists too, {twice[0][:12]} first: listed once"
            problems.append((source, Problem(subject="duplicates", message=text)))
    enabled = {i: found[i] for i in sorted(found) if found[i].options.enable}
    problems.extend((i, p) for i, c in enabled.items() for p in c.problems)
    return enabled


def _networks(listings: Mapping[str, Listing]) -> dict[str, Network]:
    """Every network once; a Swarm's networks are the same on all its engines."""
    found: dict[str, Network] = {}
    for listing in listings.values():
        for network in listing.networks:
            found.setdefault(network.id, network)
    return found


def _since(previous: Snapshot | None) -> dict[tuple[str, str], Endpoint]:
    services = previous.services if previous else {}
    return {(name, e.id): e for name, service in services.items() for e in service.endpoints}


def _services(
    origin: str,
    containers: Iterable[Container],
    judge: Judge,
    problems: list[Found],
) -> dict[str, Service]:
    """Whole name → Service, for each name that has an endpoint."""
    members: dict[str, dict[str, Member]] = {}
    for container in containers:
        made = _endpoints(origin, container)
        for short in container.services:
            name = f"{short}.services.{origin}"
            if not naming.is_name(name):
                problem = Problem(subject="service name", message=f"{name[:300]!r} is no DNS name: left out")
                problems.append((container.id, problem))
            elif made:
                members.setdefault(name, {}).update((e.id, (container, e)) for e in made)
    found = {name: _service(name, list(members[name].values()), judge, problems) for name in sorted(members)}
    for name, lost in claims.contested(found.values()).items():
        found[name] = msgspec.structs.replace(found[name], problems=found[name].problems + lost)
        problems.extend((name, problem) for problem in lost)
    return found


def target(origin: str, container: Container) -> str:
    """The container's DNS name that SRV records point at."""
    return f"c{naming.label(container.short_id)}.containers.{origin}"


def _endpoints(origin: str, container: Container) -> list[Endpoint]:
    """One endpoint a port; none while the container has no address."""
    address = container.address or container.address6
    options = container.options
    if not address:
        return []
    listed = container.ports
    if options.port is not None and not any(p.number == options.port and p.protocol == "tcp" for p in listed):
        listed = (*listed, ports.named(options.port, "tcp"))
    return [_endpoint(origin, container, port, address) for port in sorted(listed)]


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
    )


def _service(name: str, members: list[Member], judge: Judge, problems: list[Found]) -> Service:
    """Endpoints judged side by side, and the options on which its containers agree."""
    endpoints, panics = judge.judged(name, members)
    containers = list({c.id: c for c, _ in members}.values())
    options, odd = _agreed(containers)
    problems.extend((name, panic) for panic in panics)
    hosts = tuple(dict.fromkeys(h for c in containers for h in c.options.hosts))
    return Service(name=name, endpoints=endpoints, hosts=hosts, problems=odd + panics, **options)  # type: ignore[arg-type]


def _kind(endpoint: Endpoint) -> str:
    """Endpoints of one kind can stand in for one another."""
    return endpoint.listener or f"{endpoint.port_name}/{endpoint.protocol}"


class Judge(NamedTuple):
    """Verdicts in one build. before: endpoints of the snapshot before, by service and id; now: Unix seconds."""

    before: Mapping[tuple[str, str], Endpoint]
    now: float
    conditions: Conditions

    def judged(self, name: str, members: list[Member]) -> tuple[tuple[Endpoint, ...], tuple[Problem, ...]]:
        """The endpoints of a service with their verdicts, and a Problem for each kind of which nobody is well."""
        kinds: dict[str, list[Member]] = {}
        for member in members:
            kinds.setdefault(_kind(member[1]), []).append(member)
        found: dict[str, Endpoint] = {}
        panics: list[Problem] = []
        for kind, peers in kinds.items():
            verdicts = policy.judge([(c, self.conditions(c, e)) for c, e in peers])
            found.update((e.id, self._with(name, c, e, v)) for (c, e), v in zip(peers, verdicts, strict=True))
            if any(v.panic for v in verdicts):
                panics.append(Problem(subject=f"health of {kind}", message="too few endpoints are well: some that are not are in (panic)"))
        return tuple(found[e.id] for _, e in members), tuple(panics)

    def _with(self, name: str, container: Container, endpoint: Endpoint, verdict: Verdict) -> Endpoint:
        old = self.before.get((name, endpoint.id))
        since = container.since or self.now
        if old is not None:
            since = old.since if (old.ready, old.reason) == (verdict.ready, verdict.reason) else self.now
        slow = ramp.length(container.options) if verdict.ready else 0.0
        return msgspec.structs.replace(
            endpoint,
            ready=verdict.ready,
            reason=verdict.reason,
            since=since,
            until=verdict.until,
            awaited=verdict.awaited,
            share=ramp.share(slow, since, self.now),
        )


def _agreed(containers: list[Container]) -> tuple[dict[str, object], tuple[Problem, ...]]:
    """What is asked for the service as a whole; where its containers differ, the first one's word counts."""
    agreed: dict[str, object] = {}
    problems: list[Problem] = []
    for field in ("path", "balance", "sticky", "max_connections", "timeout", "wait", "retry"):
        asked = {c.id: getattr(c.options, field) for c in containers if getattr(c.options, field) is not None}
        if not asked:
            continue
        first = next(iter(asked))
        agreed[field] = asked[first]
        if len(set(asked.values())) > 1:
            text = f"its containers differ; {asked[first]!r} of {first[:12]} counts"
            problems.append(Problem(subject=f"label haystack.{field}", message=text))
    return agreed, tuple(problems)


def check(snapshot: Snapshot) -> None:
    """Raise SnapshotError unless every reader can rely on `snapshot`."""
    for name, service in snapshot.services.items():
        _require(name == service.name and naming.is_name(name), f"service name {name!r}")
        _require(name.endswith(f".services.{snapshot.origin}"), f"service {name!r} is outside of the origin")
        _require(bool(service.endpoints), f"service {name!r} has no endpoint")
        ids = [e.id for e in service.endpoints]
        _require(len(ids) == len(set(ids)), f"service {name!r} has an endpoint twice")
        for endpoint in service.endpoints:
            _check_endpoint(snapshot, endpoint)


def _check_endpoint(snapshot: Snapshot, endpoint: Endpoint) -> None:
    _require(endpoint.container in snapshot.containers, f"endpoint {endpoint.id} is of no container")
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
