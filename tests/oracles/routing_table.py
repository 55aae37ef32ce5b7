"""The routing table made of a whole Snapshot, and its changes made of two whole tables: what routing/table_updates.py is held against."""

from __future__ import annotations

from collections.abc import Iterator

from haystack.loop.turns import at_once
from haystack.model.services import Cause, Service
from haystack.model.snapshot import Snapshot
from haystack.routing.routing_table import ALIVE, Spot, Usual, is_mute, made, parts, spot, spots
from haystack.routing.rows import ServiceRow, Table


def of(snapshot: Snapshot, usual: Usual) -> Table:
    """The table of all services."""
    return Table(version=snapshot.version, services=tuple(r for s in snapshot.services.values() for r in rows(s, usual)))


def alive(snapshot: Snapshot) -> frozenset[str]:
    """Ids of the endpoints that may still answer what they were asked: their containers run, told to stop or not, and they are not mute."""
    every = (e for s in snapshot.services.values() for e in s.endpoints)
    return frozenset(e.id for e in every if snapshot.containers[e.container].state in ALIVE and not is_mute(e))


def rows(service: Service, usual: Usual) -> list[ServiceRow]:
    """One service as the workers see it: its own name, and each claim."""
    return at_once(made(service, usual))


def changes(old: Table, new: Table, living: frozenset[str] | None = None) -> Iterator[Table]:
    """The parts, in their order, that make `new` of `old`. There is always one, for the version.

    living: `alive` of the new snapshot; the endpoints that left the table and are not among them have ended (None: none has).
    """
    before = {each.key: each for each in old.services}
    changed, replaced = [], []
    for each in new.services:
        was = before.pop(each.key, None)
        if was != each:
            changed.append(each)
            replaced.append(was)
    ended = () if living is None else _ended([*before.values(), *(r for r in replaced if r)], living)
    yield from parts(new.version, changed, tuple(before), ended)


def muted(old: Snapshot, new: Snapshot) -> set[Spot]:
    """Endpoints that had left for another reason than that they answer nobody, which they do now."""
    out = {e.id: e for s in old.services.values() for e in s.endpoints if not e.ready and e.cause not in (Cause.LOST, Cause.GONE)}
    mute = [e for s in new.services.values() for e in s.endpoints if is_mute(e) and e.id in out]
    return {spot(out[e.id]) for e in mute if out[e.id].cause != e.cause}


def _ended(left: list[ServiceRow], living: frozenset[str]) -> tuple[Spot, ...]:
    return tuple({spot for row in left for spot in spots(row) if spot[0] not in living})
