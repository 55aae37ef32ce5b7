"""What a Snapshot holds beside containers and services, made of all listings: engines, networks, and what several sources list.

Pure; incremental.py builds the rest from what has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from haystack.health import policy
from haystack.health.policy import Condition
from haystack.model.records import Container, Engine, Listing, Network, Peer, Problem
from haystack.model.services import Endpoint, Service
from haystack.model.snapshot import Found
from haystack.model.sorted_map import SortedMap

T = TypeVar("T")


def unwatched(_container: Container, _endpoint: Endpoint) -> Condition:
    """Nothing is known against any endpoint."""
    return policy.WELL


def duplicates(listings: Mapping[str, Listing]) -> list[Found]:
    """What there is to say of containers that several sources list."""
    problems: list[Found] = []
    first: dict[str, str] = {}
    for source, listing in listings.items() if len(listings) > 1 else ():
        twice = [c.id for c in listing.containers if first.setdefault(c.id, source) != source]
        if twice:
            problems.append((source, Problem(subject="duplicates", message=_twice(twice, first[twice[0]], listing, listings))))
    return problems


def _twice(ids: list[str], other: str, listing: Listing, listings: Mapping[str, Listing]) -> str:
    """Of an engine that is named twice, no more than that: a number would make each container that comes or goes a new problem."""
    engine, there = listing.engine, listings[other].engine
    if engine is not None and there is not None and engine.id == there.id:
        return f"it leads to the engine of {other}, too: its containers are listed once"
    return f"{len(ids)} containers that {other} lists too, {ids[0][:12]} first: listed once"


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


def peers(listings: Mapping[str, Listing], old: tuple[Peer, ...]) -> tuple[Peer, ...]:
    """Haystack's own tasks, of all listings; the very same as before, where they are the same."""
    return kept(old, tuple(each for listing in listings.values() for each in listing.peers))


def contested(found: Service, lost: tuple[Problem, ...]) -> Service:
    """The service with its problems with claims that go to others."""
    return msgspec.structs.replace(found, problems=found.problems + lost) if lost else found


def kept(old: T, new: T) -> T:
    """The very same as before, where it is the same."""
    return old if old == new else new


def changed(old: Mapping[str, T], changes: Mapping[str, T | None]) -> Mapping[str, T]:
    """`old` with what has changed, None for what is gone; in the order of its keys."""
    return SortedMap.of(old).changed(changes) if changes else old
