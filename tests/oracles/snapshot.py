"""A Snapshot made of whole listings, without any knowledge of the one before: what the incremental builder is held against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from haystack.catalog import claims, service
from haystack.catalog.build import contested, duplicates, engines, networks, peers, unwatched
from haystack.catalog.service import Made
from haystack.catalog.verdicts import Conditions, Judge
from haystack.loop.turns import at_once
from haystack.model import naming
from haystack.model.endpoints import endpoints, names
from haystack.model.overrides import NONE, Overrides
from haystack.model.records import Container, Listing, Problem
from haystack.model.services import Endpoint, Service
from haystack.model.snapshot import Found, Snapshot


def build(
    version: int,
    origin: str,
    listings: Mapping[str, Listing],
    now: float,
    previous: Snapshot | None = None,
    conditions: Conditions = unwatched,
    steady: float | None = None,
    overrides: Overrides = NONE,
) -> Snapshot:
    """The Snapshot of `listings` (source → Listing, first source wins where two list the same container).

    previous: gives endpoints whose verdict has not changed their `since`; conditions: what is known of each endpoint; steady: seconds of
    a clock that never jumps, from which slow starts count (None: now); overrides: of operators.
    """
    problems: list[Found] = [(source, p) for source, listing in listings.items() for p in listing.problems]
    problems += duplicates(listings)
    listed = _containers(listings)
    containers = {i: _named(c, listed.values()) for i, c in listed.items()}
    judge = Judge(_since(previous), now, now if steady is None else steady, conditions, overrides=overrides)
    services = _services(origin, listed.values(), judge)
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
        overrides=overrides,
        peers=peers(listings, ()),
    )


def _containers(listings: Mapping[str, Listing]) -> dict[str, Container]:
    """Every enabled container once, in the order of their ids."""
    found: dict[str, Container] = {}
    for listing in listings.values():
        for container in listing.containers:
            found.setdefault(container.id, container)
    return {i: found[i] for i in sorted(found) if found[i].options.enable}


def _named(container: Container, others: Iterable[Container]) -> Container:
    """With the name that it has in DNS where others would have its own, and that problem."""
    label = naming.label(container.name)
    ids = [c.id for c in others if naming.id_label(c.short_id) == label]
    called = {c.name for c in others if naming.label(c.name) == label}
    longer = naming.longer_label(container.name, container.short_id)
    if not label or container.id in ids[:1] or (not ids and (container.name == label or called == {container.name})):
        return container
    whose = f"which is for the id {ids[0][:12]}" if ids else f"which container {label} has" if label in called else "as those of others do"
    problem = Problem(subject="container name", message=f"{container.name!r} gives {label} in DNS, {whose}: it is called {longer} there")
    return replace(container, label=longer, problems=(*container.problems, problem))


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
