"""What the shell's lists hold: which columns a person sees, and the JSON that a script gets (the shapes of /api).

Pure: reads one snapshot, makes text.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from heapq import merge
from operator import attrgetter, itemgetter

import msgspec

from haystack.console import departed, short_ids
from haystack.console.command_line import nearest_of
from haystack.console.listing import ALL, Listing, Wanted, json_array, json_object, shown
from haystack.console.long_text import Lines
from haystack.console.tables import Column, age, moment, tabled
from haystack.console.wrapping import prose
from haystack.loop.turns import Turns, ordered
from haystack.model import naming, unproxied
from haystack.model.readiness import of_service
from haystack.model.reasons import why
from haystack.model.records import SPOKEN, Container, Problem
from haystack.model.services import Carried, Endpoint, Service
from haystack.observe.safe_text import printable
from haystack.routing.rows import LISTENERS
from haystack.views import in_effect, shapes
from haystack.views.state import Picture, State


def whole(name: str, state: State) -> str:
    """The whole name of a service, given that or its short form."""
    text = name.lower().removesuffix(".")
    return naming.service_name(naming.short_name(text, state.snapshot.origin), state.snapshot.origin)


def short_names(state: State) -> list[str]:
    """Every service's name without ``.services.ORIGIN``."""
    suffix = naming.service_name("", state.snapshot.origin)  # once, for there may be thousands
    return sorted(name.removesuffix(suffix) for name in state.snapshot.services)


def absence(name: str, state: State) -> Turns[str]:
    """That there is no such service yet, and the one that may have been meant; empty: there is. name: its whole name."""
    if name in state.snapshot.services:
        return ""
    near = yield from nearest_of(naming.short_name(name, state.snapshot.origin), short_names(state))
    return f", which does not exist yet{near}"


def services_text(state: State, width: int | None, wanted: Wanted = ALL) -> Turns[list[str]]:
    """A line a service."""
    out, services = Lines(), state.snapshot.services
    if services:
        rows = (service_row(service) for _, service in sorted(services.items(), key=itemgetter(0)))
        yield from shown(out, SERVICE, rows, width, wanted)
    else:
        out.add("no services yet")
    out.add(*prose(trouble_lines(state), width))
    return out.pieces()


def trouble_lines(state: State) -> list[str]:
    """Which sources of containers don't answer: what is shown of them is old, or missing."""
    return [printable(line) for line in state.troubles()]


def service_row(service: Service) -> tuple[object, ...]:
    """Name, ready of all, ports, hosts, problems."""
    ports = sorted({(e.port, e.protocol) for e in service.endpoints})
    return (
        service.name,
        str(of_service(service)),
        [f"{port}/{protocol}" for port, protocol in ports],
        service.hosts,
        len(service.problems) or None,
    )


def service_text(state: State, service: Service, width: int | None, more: Iterable[str] = ()) -> Turns[list[str]]:
    """A service with its endpoints, hosts, options and problems, and some lines more."""
    snapshot = state.snapshot
    out, now = Lines(printable(service.name), *prose(filter(None, [unproxied.unheard(service)]), width)), time.time()
    for claim in service.claims:
        out.add(*prose([host_line(service, claim)], width))
        yield
    out.add(*prose(map(printable, (yield from in_effect.all_lines(state, service))), width))
    out.add(*prose((f"problem: {problem_line(problem)}" for problem in service.problems), width))
    yield from tabled(out, ENDPOINT, (endpoint_row(snapshot, e, now) for e in service.endpoints), width)
    out.add(*prose(more, width))
    return out.pieces()


def host_line(service: Service, claim: Carried) -> str:
    """A host, its prefix, and who carries them where that is not everybody."""
    carrying = dict.fromkeys(e.container_name for e in claim.endpoints)
    every = {e.container_name for e in service.endpoints if e.listener is not None}
    told = "" if every == carrying.keys() else f": {', '.join(carrying)}"
    return printable(f"host {claim.host}{'' if claim.path == '/' else claim.path or ' (TLS passed through)'}{told}")


def endpoint_row(snapshot: Picture, endpoint: Endpoint, now: float) -> tuple[object, ...]:
    """An endpoint and why it is in or out. now: Unix seconds."""
    container = snapshot.containers.get(endpoint.container)
    place = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    return (
        endpoint.id,
        f"{place}:{endpoint.port}",
        spoken(endpoint),
        endpoint.weight if endpoint.share == 1.0 else f"{endpoint.weight} x {endpoint.share:.1f}",
        unproxied.called(endpoint.container_name, container.label if container is not None else ""),
        state_of(endpoint, now),
        age(now - endpoint.since) if endpoint.since > 0 else None,
    )


def state_of(endpoint: Endpoint, now: float) -> str:
    """In or out, and why. now: Unix seconds."""
    out = "out, awaited" if endpoint.awaited else "out"
    state = "ready" if endpoint.well else "panic" if endpoint.panicked else out
    return f"{state}: {why(endpoint, now)}"


def spoken(endpoint: Endpoint) -> str:
    """What its port is for, and how it is spoken to, where that is not HTTP/1.1 in plain text."""
    if endpoint.listener is None:  # where the name says otherwise, haystack.port has named another one
        return f"{endpoint.port_name}, not served" if endpoint.port_name in LISTENERS else endpoint.port_name
    if endpoint.connection.protocol == SPOKEN[0]:
        return endpoint.listener
    return f"{endpoint.listener} ({endpoint.connection.protocol})"


SERVICE = (Column("service", fold=True), "ready", Column("ports", fold=True), Column("hosts", fold=True), Column("problems", spare=1))
ENGINE = (
    Column("source", fold=True, squeezed=24),
    Column("id", spare=3),
    Column("name", fold=True, squeezed=24),
    Column("address", fold=True),
    Column("version", spare=1),
    Column("state", fold=True),
    Column("since", spare=2),
)
UNWELL = frozenset({"starting", "unhealthy"})
ENDPOINT = (
    "endpoint",
    Column("address", spare=2),
    Column("port", spare=3),
    Column("weight", spare=1),
    Column("container", fold=True, briefer=short_ids.name),
    Column("state", fold=True, squeezed=16),
    Column("since", spare=4),
)


def endpoints_text(state: State, width: int | None, wanted: Wanted = ALL) -> Turns[list[str]]:
    """A line for each endpoint of each service."""
    now, snapshot, left = time.time(), state.snapshot, sorted(departed.rows(state), key=itemgetter(0))
    if not (snapshot.services or (left and wanted.gone)):
        return Lines("no endpoints yet", *_hidden(left, wanted), *trouble_lines(state)).pieces()
    out, suffix = Lines(), naming.service_name("", snapshot.origin)
    here = ((each.name, endpoint_row(snapshot, each.endpoint, now)) for each in shapes.memberships(snapshot))
    every = merge(here, left if wanted.gone else (), key=itemgetter(0))
    rows = ((name.removesuffix(suffix), *row) for name, row in every)
    yield from shown(out, (Column("service", fold=True), *ENDPOINT), rows, width, wanted)
    if not wanted.texts:
        yield from add_health(out, snapshot.containers.values(), width)
        out.add(*_hidden(left, wanted), *prose(departed.lines(state), width))
    out.add(*prose(trouble_lines(state), width))
    return out.pieces()


def _hidden(left: Sequence[object], wanted: Wanted) -> list[str]:
    """That some are left out."""
    return [f"{len(left)} of containers that ended in the last minute: --gone shows them"] if left and not wanted.gone else []


def add_health(out: Lines, containers: Iterable[Container], width: int | None) -> Turns[None]:
    """What the checks of those said that are not well."""
    for container in containers:
        if container.health in UNWELL and container.health_output:
            out.add(*prose([health_line(container)], width))
        yield


def health_line(container: Container) -> str:
    """What the health check of a container said last."""
    return printable(f"{container.name}: health {container.health}: {container.health_output}")


def networks_text(state: State, width: int | None, wanted: Wanted = ALL) -> Turns[list[str]]:
    """A line a network."""
    found = yield from ordered(state.snapshot.networks.values(), lambda n: f"{n.name}\0{n.id}")
    if not found:
        return ["no networks yet"]
    out = Lines()
    rows = ((n.id[: short_ids.DIGITS], n.name, n.scope, n.driver, n.gateway, n.subnet) for n in found)
    titles = (
        "id",
        Column("name", fold=True),
        "scope",
        Column("driver", spare=1),
        Column("gateway", fold=True),
        Column("subnet", fold=True),
    )
    yield from shown(out, titles, rows, width, wanted)
    return out.pieces()


def engines_text(state: State, width: int | None, wanted: Wanted = ALL) -> Turns[list[str]]:
    """A line a source of containers, answering or not."""
    rows = []
    for name, source in sorted(state.registry.sources.items()):
        engine = source.engine
        known = (engine.short_id, engine.name, engine.address, engine.version) if engine else (None,) * 4
        rows.append((name, *known, "connected" if source.connected else f"lost: {source.error}", moment(source.since)))
    if not rows:
        return ["no engines yet"]
    out = Lines()
    yield from shown(out, ENGINE, rows, width, wanted)
    return out.pieces()


def engines_json(state: State, wanted: Wanted = ALL) -> Turns[list[str]]:
    """Engines by id and sources by name, as in /api/info."""
    engines = {key: msgspec.to_builtins(engine) for key, engine in state.snapshot.engines.items() if wanted.fits((key, engine))}
    found = {key: shapes.source_shape(source) for key, source in state.registry.sources.items()}
    sources = {key: shape for key, shape in found.items() if wanted.fits((key, *shape.values()))}
    return (yield from json_object({"engines": engines, "sources": sources}.items()))


def services_json(state: State, wanted: Wanted = ALL) -> Turns[list[str]]:
    """/api/services."""
    return (yield from _members_json(state, shapes.memberships(state.snapshot), wanted))


def endpoints_json(state: State, wanted: Wanted = ALL) -> Turns[list[str]]:
    """The same, with those that have gone where they are wanted."""
    left = departed.memberships(state) if wanted.gone else ()
    return (yield from _members_json(state, merge(shapes.memberships(state.snapshot), left, key=attrgetter("name")), wanted))


def service_json(state: State, service: Service) -> Turns[list[str]]:
    """The part of /api/services that is this one's, each endpoint with the options in effect for what leads to it."""
    ttl, now, made = shapes.ttl_of(state), time.time(), shapes.member_of(state.snapshot, service)
    options = yield from in_effect.shapes(state, service)
    every = ({**shapes.service_shape(member, ttl, now), "options": options(member)} for member in map(made, service.endpoints))
    return (yield from json_array(every))


def _members_json(state: State, members: Iterable[shapes.Membership], wanted: Wanted) -> Turns[list[str]]:
    ttl, now = shapes.ttl_of(state), time.time()
    every = (shapes.service_shape(each, ttl, now) for each in members)
    return (yield from json_array(each for each in every if wanted.fits(each.values())))


def networks_json(state: State, wanted: Wanted = ALL) -> Turns[list[str]]:
    """/api/networks."""
    every = ((key, shapes.network_shape(network)) for key, network in state.snapshot.networks.items())
    return (yield from json_object((key, shape) for key, shape in every if wanted.fits((key, *shape.values()))))


def problem_line(problem: Problem) -> str:
    """A problem as one line."""
    return printable(f"{problem.subject}: {problem.message}")


SERVICES = Listing(services_text, services_json)
ENDPOINTS = Listing(endpoints_text, endpoints_json)
NETWORKS = Listing(networks_text, networks_json)
ENGINES = Listing(engines_text, engines_json)
