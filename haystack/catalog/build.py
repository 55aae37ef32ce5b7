"""From listings to a Snapshot, however odd they are: what can't be published is left out with a Problem.

Pure. incremental.py, which the registry uses, makes the same of what has changed alone, with the same functions; a property test holds it
against build.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from haystack.catalog import claims, service
from haystack.catalog.service import Made
from haystack.catalog.verdicts import Conditions, Judge
from haystack.health import policy
from haystack.health.policy import Condition
from haystack.loop.turns import at_once
from haystack.model.endpoints import endpoints, names
from haystack.model.records import Container, Endpoint, Engine, Listing, Network, Problem, Service
from haystack.model.snapshot import Found, Snapshot


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
