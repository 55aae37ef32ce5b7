"""From services to rows of the workers' routing table, and a change of it as messages.

Pure; runs in the control process. What a worker makes of it is in worker_routes.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol, Self

from msgspec.structs import replace

from haystack.catalog.claims import ALL, prefix
from haystack.loop.turns import Turns, stretches
from haystack.model import service_options, unproxied
from haystack.model.naming import service_name
from haystack.model.overrides import drain_of
from haystack.model.records import STOPPING
from haystack.model.service_options import Defaults, ServiceOptions
from haystack.model.services import PASSTHROUGH, Carried, Cause, Endpoint, Service
from haystack.model.snapshot import Snapshot
from haystack.routing import locality
from haystack.routing.rows import LISTENERS, EndpointRow, ServiceRow, Table

Spot = tuple[str, str, int]  # an endpoint's id, address and port
ALIVE = ("running", STOPPING)
NOTHING: Mapping[str, ServiceRow] = MappingProxyType({})
RAW = "raw"  # https of a row that leads TLS which is passed through
DRAINED, MAINTENANCE = "drained", "in maintenance"  # what clients are told: who did it, and why, is not for them
PART = 50  # services in one message: a worker takes them in within about two milliseconds, and serves in between


class Policy(Defaults, Protocol):
    """The settings by which rows are made."""

    @property
    def locality(self) -> bool: ...  # noqa: D102 - docs/settings.md


class Usual(NamedTuple):
    """The options of services without labels: of those with a public name, and of others.

    near: endpoints on Haystack's own host come first.
    """

    public: ServiceOptions
    inside: ServiceOptions
    near: bool

    @classmethod
    def of(cls, settings: Policy) -> Self:
        """By these settings."""
        return cls(service_options.usual(settings, public=True), service_options.usual(settings, public=False), settings.locality)


def is_mute(endpoint: Endpoint) -> bool:
    """Whether it answers nothing that it was asked: its host is lost, or a worker found that it accepts and never answers.

    The other workers have requests waiting there, too few to find it themselves.
    """
    return not endpoint.ready and endpoint.cause in (Cause.SILENT, Cause.LOST, Cause.GONE)


def parts(
    version: int, told: list[ServiceRow], removed: tuple[str, ...], ended: tuple[Spot, ...], stopped: tuple[Spot, ...] = ()
) -> Iterator[Table]:
    """A change as messages that are not too long, in their order; one at least, for the version."""
    at = 0
    while len(told) - at > PART:
        yield Table(version, tuple(told[at : at + PART]), whole=False, last=False)
        at += PART
    yield Table(version, tuple(told[at:]), removed, whole=False, ended=ended, stopped=stopped)


def spots(row: ServiceRow) -> set[Spot]:
    """The endpoints of a row."""
    return {(e.id, e.address, e.port) for listener in row.listeners for e in listener}


def spot(endpoint: Endpoint) -> Spot:
    """Where a worker knows it."""
    return endpoint.id, endpoint.address or endpoint.address6 or "", endpoint.port


class Living:
    """Which endpoints may still answer what they were asked: their containers run, told to stop or not, and they are not mute.

    Each service is looked through once, however many of its endpoints are asked for.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._answering: dict[str, frozenset[str]] = {}

    def has(self, container: str, endpoint: str) -> bool:
        """Of an endpoint of this container."""
        found = self._snapshot.containers.get(container)
        if found is None or found.state not in ALIVE:
            return False
        return any(endpoint in self._of(service_name(short, self._snapshot.origin)) for short in found.services)

    def _of(self, name: str) -> frozenset[str]:
        if name not in self._answering:
            service = self._snapshot.services.get(name)
            self._answering[name] = frozenset(e.id for e in service.endpoints if not is_mute(e)) if service is not None else frozenset()
        return self._answering[name]


def made(
    service: Service, usual: Usual, before: Service | None = None, live: Mapping[str, ServiceRow] = NOTHING
) -> Turns[list[ServiceRow]]:
    """One service as the workers see it: its own name, and each claim. Where it does not speak HTTP, its name says so.

    before, live: the service as it was, and rows by their keys: what has not changed is taken from there.
    """
    if service.has_http:
        own = own_hosts(service), prefix(service.path)
        found = [(yield from _row(service, service, usual, *own, live=live))]
    else:
        found = [_mute(service, usual)]
    passed = service.passed
    old = {(c.host, c.path): c for c in before.claims} if before is not None else {}
    changed = passed ^ before.passed if before is not None else passed
    for c in service.claims:
        claim = f"{c.host}{c.path}"
        row = live.get(f"{service.name} {claim}") if old.get((c.host, c.path)) == c and c.host not in changed else None
        found.append(row or (yield from _row(service, c, usual, (c.host,), c.path, claim, live, passed=c.host in passed)))
        yield
    return found


def own_hosts(service: Service) -> tuple[str, ...]:
    """The host names that lead to all of a service."""
    return service.name, *service.spelled


def _row(
    service: Service,
    of: Service | Carried,
    usual: Usual,
    hosts: tuple[str, ...],
    path: str,
    claim: str = "",
    live: Mapping[str, ServiceRow] = NOTHING,
    *,
    passed: bool = False,
) -> Turns[ServiceRow]:
    """Of a service's own name, or of a claim of it. passed: the TLS of its host is passed through."""
    was = live.get(f"{service.name} {claim}" if claim else service.name)
    before = {e.id: e for listener in was.listeners for e in listener} if was else {}
    listeners = yield from _listeners(of.endpoints, before, near=usual.near)
    why, since = _last(of.endpoints)
    yield
    options = service_options.effective(of, usual.public if service.has_public_name(of) else usual.inside)
    if path == ALL:
        options = replace(options, https=RAW)
    elif of.https == PASSTHROUGH or passed:
        options = replace(options, https=PASSTHROUGH if passed else "on")
    if closed := in_maintenance(of.endpoints):
        options = replace(options, wait=0.0)  # nobody is expected within seconds
    return ServiceRow(
        name=service.name,
        hosts=hosts,
        options=options,
        listeners=listeners,
        path=path,
        awaited=any(e.awaited for e in of.endpoints),
        why=MAINTENANCE if closed else why,
        since=0.0 if closed else since,
        claim=claim,
        public=of.public,
    )


def in_maintenance(endpoints: Iterable[Endpoint]) -> bool:
    """Whether operators have drained all of those that speak HTTP."""
    web = [e for e in endpoints if e.listener is not None]
    return bool(web) and all(drain_of(e.overrides) for e in web)


def _mute(service: Service, usual: Usual) -> ServiceRow:
    text = f"{service.name} exists, but {unproxied.unheard(service)}"
    return ServiceRow(service.name, own_hosts(service), ServiceOptions(balance=usual.inside.balance), ((),), mute=text)


def serving(endpoints: tuple[Endpoint, ...], listener: str) -> list[Endpoint]:
    """Those for one listener, ready or not; where there is only the other kind of port, it is served there too.

    Of a claim of TLS: those to which it is passed through.
    """
    mine = [e for e in endpoints if e.listener == listener]
    return mine or [e for e in endpoints if e.speaks_http] or [e for e in endpoints if e.listener is not None]


def _listeners(
    endpoints: tuple[Endpoint, ...], before: Mapping[str, EndpointRow], *, near: bool
) -> Turns[tuple[tuple[EndpointRow, ...], ...]]:
    """Who is in for each of LISTENERS; one for all of them where they are the same. before: rows of those that were, by id.

    near: those on Haystack's own host come first.
    """
    sets = [serving(endpoints, listener) for listener in LISTENERS]
    found: list[tuple[EndpointRow, ...]] = []
    for each in sets[:1] if sets[0] == sets[1] else sets:
        yield
        rows: list[EndpointRow] = []
        weights = locality.weights(each) if near and any(e.remote for e in each) else list(map(locality.weight_of, each))
        yield
        for some in stretches(list(zip(each, weights, strict=True))):
            new = (_endpoint(e, weight) for e, weight in some if e.ready and (e.address or e.address6))
            rows += [was if (was := before.get(row.id)) == row else row for row in new]  # the very same are compared in no time
            yield
        found.append(tuple(rows))
    return tuple(found[:1]) if len(found) > 1 and found[0] == found[1] else tuple(found)


def _last(endpoints: tuple[Endpoint, ...]) -> tuple[str, float]:
    """Of a listener where nobody is in: why the last one is out, for clients, and since when; empty: somebody is, everywhere."""
    for listener in LISTENERS:
        candidates = serving(endpoints, listener)
        if candidates and not any(e.ready for e in candidates):
            last = max(candidates, key=lambda e: e.since)
            return (DRAINED if last.cause is Cause.DRAINED else last.reason), last.since
    return "", 0.0


def _endpoint(endpoint: Endpoint, weight: int) -> EndpointRow:
    address = endpoint.address or endpoint.address6 or ""
    return EndpointRow(endpoint.id, address, endpoint.port, weight, endpoint.born, endpoint.connection)
