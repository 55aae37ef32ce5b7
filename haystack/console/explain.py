"""`explain URL`: which service answers, by which claim, which of its endpoints are in and why, and how one of them is chosen.

Pure. Follows the rules of docs/routing.md on the snapshot, as the workers' router does in its own way: a test holds the two against
each other.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from haystack.catalog import host_names
from haystack.catalog.claims import prefix, rank
from haystack.console import departed, lists
from haystack.console.long_text import Lines
from haystack.console.tables import tabled
from haystack.loop.turns import Turns
from haystack.model import unheard
from haystack.model.endpoints import names
from haystack.model.records import Container, Endpoint, Service
from haystack.observe.safe_text import printable
from haystack.routing.routing_table import own_hosts, serving
from haystack.routing.rows import LISTENERS
from haystack.views.state import State

NAMED = 50  # of those among which one is picked; the table has all


class Asked(NamedTuple):
    """A URL as a worker sees it. port None: not told."""

    host: str
    port: int | None
    path: str
    tls: bool = False


class Found(NamedTuple):
    """Who answers, and the claim that made it so."""

    service: Service
    host: str
    path: str
    endpoints: tuple[Endpoint, ...]


def read(url: str) -> Asked:
    """The parts that count. Raises ValueError where there is no host or an odd port."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if not parts.hostname:
        raise ValueError("no host name in it")
    return Asked(parts.hostname.lower().removesuffix("."), parts.port, parts.path or "/", parts.scheme == "https")


def matching(services: Iterable[Service], asked: Asked) -> Turns[list[Found]]:
    """All claims that fit, in the order in which they are followed: the first one has the request, and shadows the others.

    The most specific host is first, then the longest path, then as claims.rank has it. None: nobody answers.
    """
    claims: dict[str, list[Found]] = {}
    wanted = set(_names(asked.host))
    for service in services:
        for claim in _claims(service):
            if claim.host in wanted and _below(claim.path, asked.path):
                claims.setdefault(claim.host, []).append(claim)
        yield
    found: list[Found] = []
    for host in _names(asked.host):
        found += sorted(claims.get(host, ()), key=lambda f: (-len(f.path), rank(f.service.name, f.host)))
    return found


def find(services: Iterable[Service], asked: Asked) -> Turns[Found | None]:
    """The service that answers; None: none does."""
    return next(iter((yield from matching(services, asked))), None)


def _claims(service: Service) -> Iterator[Found]:
    """What leads to a service, and to which of its endpoints."""
    if service.has_http:
        yield from (Found(service, host, prefix(service.path), service.endpoints) for host in own_hosts(service))
        yield from (Found(service, c.host, c.path, c.endpoints) for c in service.claims)


def _names(host: str) -> Iterator[str]:
    """The host and each `*.` name that stands for it, the most specific first."""
    yield host
    _, dot, above = host.partition(".")
    while dot:
        yield f"*.{above}"
        _, dot, above = above.partition(".")


def _below(claimed: str, path: str) -> bool:
    return claimed in ("/", path) or path.startswith(f"{claimed}/")


def text(state: State, asked: Asked, width: int | None) -> Turns[tuple[list[str], bool]]:
    """What there is to say, in pieces, and whether some service answers."""
    rules = yield from matching(state.snapshot.services.values(), asked)
    if not rules:
        return (yield from _nobody(state, asked)), False
    found = rules[0]
    out, name, now = Lines(*_lead(state, asked, found)), found.service.name, time.time()
    for container in dict.fromkeys(e.container for e in found.endpoints):
        out.add(*_health(state.snapshot.containers.get(container)))
        yield
    for endpoint in found.endpoints:
        out.add(*_probe(state, endpoint))
        yield
    out.add(*_shadowed(rules), *departed.lines(state, [name]), *(yield from _mute(state, name, placeless=True)))
    yield from tabled(out, lists.ENDPOINT, (lists.endpoint_row(state.snapshot, e, now) for e in found.endpoints), width)
    return out.pieces(), True


def _shadowed(rules: list[Found]) -> Iterator[str]:
    """The rules that fit too, and why they are not followed."""
    winner = rules[0]
    for rule in rules[1 : NAMED + 1]:
        if rule.host != winner.host:
            why = "its host is less specific"
        elif rule.path != winner.path:
            why = "its path is shorter"
        else:
            why = "that name is the other's own" if winner.host == winner.service.name else "the other comes first by name"
        where = f"{rule.host}{'' if rule.path == '/' else rule.path}"
        yield printable(f"shadowed: {rule.service.name}, by {where}: {why}")
    if len(rules) > NAMED + 1:
        yield f"shadowed: {len(rules) - NAMED - 1} more"


def _nobody(state: State, asked: Asked) -> Turns[list[str]]:
    """What there is to say where no service answers."""
    otherwise = _otherwise(state, asked)
    if any(asked.host in departed.served(state, d) for d in state.registry.departures):
        otherwise = "its last container has gone: requests wait for a while, then 503; 404 after a minute"
    out = Lines(f"no service claims {printable(asked.host)}{printable(asked.path)}: {otherwise}")
    if (whole := lists.whole(asked.host, state)) in state.snapshot.services:
        out.add(f"did you mean {printable(whole)}?")
    if state.settings.expose == "labelled":
        out.add("HAYSTACK_EXPOSE=labelled: a container without a haystack.* label is in no service")
    out.add(*departed.lines(state, [asked.host]), *(yield from _mute(state, asked.host)), *(yield from _refused(state, asked.host)))
    out.add(*lists.trouble_lines(state))
    return out.pieces()


def _lead(state: State, asked: Asked, found: Found) -> list[str]:
    """Which service it is, why, and how one of its endpoints is chosen."""
    number, listener = _listener(state, asked.port)
    lines = [
        f"service {printable(found.service.name)}, by host {printable(found.host)} and path prefix {printable(found.path)}",
        f"listener {listener}, port {number}" + (f"; no listener on port {asked.port}" if asked.port not in (None, number) else ""),
        _choice(state, found.service, serving(found.endpoints, listener)),
        *_apart(found),
        *_askers(found),
    ]
    lines += ["Haystack does not support TLS: this shows the same URL with http"] if asked.tls else []
    return lines + [f"problem: {lists.problem_line(problem)}" for problem in found.service.problems]


def _health(container: Container | None) -> list[str]:
    """What the check of a container said last, where it is not well."""
    told = container is not None and container.health in lists.UNWELL and container.health_output
    return [lists.health_line(container)] if container is not None and told else []


def _probe(state: State, endpoint: Endpoint) -> list[str]:
    """What the probe of an endpoint said last."""
    watcher = state.registry.watcher
    told = watcher.told(endpoint.id) if watcher is not None else ""
    return [f"health check of {endpoint.id}: {printable(told)}"] if told else []


def _apart(found: Found) -> list[str]:
    """That the host leads to some of the service's containers only."""
    carrying, every = ({e.container for e in of if e.listener is not None} for of in (found.endpoints, found.service.endpoints))
    if carrying == every:
        return []
    lead = f"{len(carrying)} of its {len(every)} containers: those with these labels haystack.host and haystack.path"
    return [f"this leads to {lead}; {printable(found.service.name)} leads to all"]


def _askers(found: Found) -> list[str]:
    """That not everybody may ask."""
    public = found.service.public
    if found.host not in own_hosts(found.service):
        public = any(c.public for c in found.service.claims if (c.host, c.path) == (found.host, found.path))
    return [] if public else ["only for clients in HAYSTACK_ALLOW, others get 404; the label haystack.public changes this"]


def _refused(state: State, host: str) -> Turns[list[str]]:
    """The containers that ask for this host, and may not have it."""
    found, wanted = [], set(_names(host))
    for container in state.snapshot.containers.values():
        for name, why in host_names.refused(state.snapshot.origin, container).items():
            if name in wanted:
                found.append(printable(f"{container.name} has the label haystack.host={name}, which is ignored: it {why}"))
        yield
    return found


def _listener(state: State, port: int | None) -> tuple[int, str]:
    """The listener on this port; the first one where none is."""
    ports = state.proxy.ports
    name = next((name for name in LISTENERS if port is not None and ports.get(name) == port), LISTENERS[0])
    return ports.get(name, 0), name


def _otherwise(state: State, asked: Asked) -> str:
    """What happens to a request that no service claims."""
    origin = state.snapshot.origin
    itself = asked.host in {"localhost", origin, f"ns.{origin}"} or asked.host.replace(".", "").isdigit() or ":" in asked.host
    return "Haystack itself answers" if itself else "404"


def _mute(state: State, host: str, *, placeless: bool = False) -> Turns[list[str]]:
    """The containers that would be this service's, but have no address, or no port that speaks HTTP. placeless: the former alone."""
    found, origin = [], state.snapshot.origin
    for container in state.snapshot.containers.values():
        yield
        own = names(origin, container)[0]
        if not own or host not in (*own, *host_names.of(origin, container)):
            continue
        called = unheard.called(container.name, container.label)
        if not (container.address or container.address6):
            found.append(printable(f"{called} belongs to it, but has no address: {container.address_reason}"))
        elif not placeless:
            what = unheard.silent((p.number, p.protocol) for p in container.ports) if container.ports else unheard.NO_PORTS
            found.append(printable(f"{called} belongs to it, but {what}"))
    return found


def _choice(state: State, service: Service, served: list[Endpoint]) -> str:
    """How one of those that are in would be chosen."""
    ready = [e for e in served if e.ready]
    if not ready:
        told = "no endpoint is ready, but one is expected" if any(e.awaited for e in served) else "no endpoint is ready"
        return f"{told}: 503" if service.wait == 0 else f"{told}: requests wait for a while, then 503"
    heavy = [e for e in ready if e.weight] or ready
    names = ", ".join(f"{e.id} (weight {e.weight})" for e in heavy[:NAMED])
    names += f" and {len(heavy) - NAMED} more" if len(heavy) > NAMED else ""
    if len(heavy) == 1:
        return f"picked: {names}, the only endpoint that is in"
    sticky = f"the endpoint in cookie {printable(service.sticky)}, else " if service.sticky else ""
    return f"picked: {sticky}by {service.balance or state.settings.balance} among {names}"
