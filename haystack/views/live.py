"""The rows of /api/events, made of the snapshot: what the page shows of services, endpoints, containers and problems.

A row says nothing that changes with time alone: `since` and `until` are moments, and the page counts from there. So a row is written once,
and again only when what it tells of is another. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from haystack.model import naming, unproxied
from haystack.model.records import Container, Problem
from haystack.model.services import Cause, Endpoint, Service
from haystack.observe.journal import Entry
from haystack.views import in_effect, shapes
from haystack.views.answers import LiveEndpoint, Standing
from haystack.views.shapes import Shape
from haystack.views.state import Picture, State

SERVICE, ENDPOINT, CONTAINER, PROBLEMS, SUMMARY, ENTRY = "service", "endpoint", "container", "problems", "summary", "entry"  # kinds of rows
CERTIFICATE = "certificate"

OUT: dict[Cause, Standing] = {Cause.STOPPING: "draining", Cause.DRAINED: "drained", Cause.GONE: "gone"}


def standing(endpoint: Endpoint) -> Standing:
    """How an endpoint stands, in a word to colour it by: in, kept, awaited, draining, drained, gone or out.

    kept: it is in although something speaks against it, for nobody is better (panic).
    """
    if endpoint.ready:
        return "kept" if endpoint.panicked else "in"
    if endpoint.cause in OUT:
        return OUT[endpoint.cause]
    return "awaited" if endpoint.awaited or endpoint.cause in (Cause.WAITING, Cause.STARTING) else "out"


def row(kind: str, key: str, shape: object) -> bytes:
    """``[kind, key, value]``; null for a value: it is no more."""
    return shapes.encode((kind, key, shape))


def endpoint_key(service: str, endpoint: Endpoint) -> str:
    """Of the row of an endpoint as a member of this service."""
    return f"{service} {endpoint.id}"


def service_shape(service: Service, state: State) -> Shape:
    """A service without its endpoints, which have rows of their own, and without its problems."""
    return {
        "name": service.name,
        "hosts": [
            {"host": c.host, "path": c.path, "public": c.public, "https": c.https or state.settings.https} for c in service.claims if c.path
        ],
        "path": service.path,
        "public": service.public,
        "http": service.has_http,
        "https": service.https or state.settings.https,
        "balance": service.balance or state.settings.balance,
        "sticky": service.sticky,
        "labelled": in_effect.labelled(state, service),
        "hint": unproxied.unheard(service) or None,
    }


def endpoint_shape(endpoint: Endpoint, dns: str) -> LiveEndpoint:
    """An endpoint as a member of one service. reason: without its time; dns: as in Membership. since, until: Unix seconds; 0: not known."""
    return {
        "id": endpoint.id,
        "address": endpoint.address,
        "address6": endpoint.address6,
        "address_reason": endpoint.detour.why if endpoint.detour is not None else None,
        "port": endpoint.port,
        "type": endpoint.protocol,
        "port_name": endpoint.port_name,
        "listener": endpoint.listener,
        "protocol": endpoint.connection.protocol if endpoint.listener is not None else None,
        "weight": endpoint.weight,
        "share": endpoint.share,
        "standing": standing(endpoint),
        "reason": endpoint.reason,
        "since": endpoint.since,
        "until": endpoint.until,
        "unreachable": endpoint.unreachable,
        "override": shapes.override_shape(endpoint.overrides[0]) if endpoint.overrides else None,
        "overrides": [shapes.override_shape(each) for each in endpoint.overrides],
        "container": endpoint.container[:12],
        "container_name": endpoint.container_name,
        "container_dns": dns,
    }


def container_dns(snapshot: Picture, endpoint: Endpoint) -> str:
    """The name that its container has in DNS."""
    container = snapshot.containers.get(endpoint.container)
    return naming.container(snapshot.origin, container) if container is not None else endpoint.target


def container_shape(origin: str, container: Container) -> Shape | None:
    """A container that runs and is an endpoint of nothing, and why; None of any other."""
    why = unproxied.unserved(container) if container.state == "running" else ""
    return {"name": container.name, "dns": naming.container(origin, container), "why": why} if why else None


def entry_shape(entry: Entry) -> Shape:
    """An entry of the journal, without what is for the shell alone."""
    return {
        "time": entry.time,
        "kind": entry.kind,
        "about": entry.about,
        "id": entry.id,
        "services": list(entry.services),
        "text": entry.text,
        "by": entry.by or None,
    }


def known_as(state: State, about: str) -> str:
    """What a problem is about, as everybody may know it: a source is not told by where it is."""
    return next((name for name, source in state.public_sources() if source is state.registry.sources.get(about)), about)


def problem_shapes(state: State, snapshot: Picture, about: str, problems: Iterable[Problem]) -> list[Shape]:
    """The problems of a source, a container or a service. name: the container's, where it is one."""
    container = snapshot.containers.get(about)
    name = container.name if container is not None else ""
    return [{"about": known_as(state, about), "name": name, **each} for each in shapes.problem_shapes(problems)]


def summary(state: State, snapshot: Picture) -> Shape:
    """How Haystack itself is: as /api/info says it, with what is wrong. Nothing in it changes with time alone."""
    told = shapes.summary(state, snapshot)
    wrong = {"unready": state.unready(), "troubles": state.ailing(public=True), "lost_peers": state.lost_peers()}
    return {**told, "containers": len(snapshot.containers), **wrong}
