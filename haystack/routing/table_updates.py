"""The routing table of the newest snapshot, kept up to date service by service, and what the workers are to be told of each change.

One container's change costs its services, not all there are. To find out what is other takes turns; all of it counts at once. What it
says equals what tests/oracles/routing_table.py makes of whole snapshots (a property test holds them against each other). Never
sends anything: the supervisor does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from haystack.loop.turns import Turns, at_once, stretches
from haystack.model.services import Cause, Endpoint, Service
from haystack.model.snapshot import Snapshot
from haystack.routing import routing_table
from haystack.routing.rows import ServiceRow, Table
from haystack.routing.tombstones import Lingering


class Changed(NamedTuple):
    """One service. rows: as they are to be, by key; old: those that are others, as they were (None: not there).

    ended, stopped: as in Table.
    """

    name: str
    rows: dict[str, ServiceRow]
    old: dict[str, ServiceRow | None]
    ended: set[routing_table.Spot]
    stopped: set[routing_table.Spot]


class Tables:
    """usual: of services that say nothing else. Every `now` is of one clock that only grows, in seconds."""

    def __init__(self, usual: routing_table.Usual, lingering: Lingering | None = None) -> None:
        self._usual = usual
        self._lingering = lingering or Lingering()
        self._snapshot: Snapshot | None = None
        self._keys: dict[str, tuple[str, ...]] = {}  # by service: those of its rows that are live
        self._live: dict[str, ServiceRow] = {}
        self._told: dict[str, ServiceRow] = {}  # the live ones, and those that linger
        self._taken: Counter[tuple[str, str]] = Counter()
        self._withheld: set[str] = set()  # services without HTTP, where requests may still wait for it

    def whole(self) -> Table:
        """All that a worker has to know."""
        return Table(self._version, tuple(self._told.values()))

    def next_end(self) -> float | None:
        """When `expire` has something to do; None: nothing lingers."""
        return self._lingering.next_end()

    def follow(self, snapshot: Snapshot, now: float) -> Turns[list[Table]]:
        """Take in a snapshot. The parts that bring a worker up to date, in their order; one at least, for the version."""
        change = snapshot.changed_since(self._snapshot.version if self._snapshot is not None else None)
        names: Iterable[str] = change.services if change is not None else {*snapshot.services, *self._keys}
        living = routing_table.Living(snapshot)
        found: list[Changed] = []
        for name in names:
            found.append((yield from self._look(snapshot, name, living)))
            yield
        for each in found:
            self._put(each, now, snapshot.created)
        self._snapshot = snapshot
        before = [key for each in found for key in each.old]
        ended = tuple({spot for each in found for spot in each.ended})
        return self._news([*before, *self._expired(now)], ended, tuple({spot for each in found for spot in each.stopped}))

    def expire(self, now: float) -> list[Table]:
        """Let go of those that have lingered for long enough; the parts that say so."""
        return self._news(self._expired(now))

    @property
    def _version(self) -> int:
        return self._snapshot.version if self._snapshot is not None else 0

    def _look(self, snapshot: Snapshot, name: str, living: routing_table.Living) -> Turns[Changed]:
        """What is other about one service."""
        found = snapshot.services.get(name)
        before = self._snapshot.services.get(name) if self._snapshot is not None else None
        made = (yield from routing_table.made(found, self._usual, before, self._live)) if found is not None else []
        rows = {row.key: row for row in made if not (row.mute and self._spoke(row.key))}
        (self._withheld.add if len(rows) < len(made) else self._withheld.discard)(name)
        keys = dict.fromkeys((*self._keys.get(name, ()), *rows))
        old = {key: was for key in keys if (was := self._live.get(key)) is not (new := rows.get(key)) and was != new}
        yield
        ended: set[routing_table.Spot] = set()
        for key, was in old.items():
            if was is not None and self._snapshot is not None and (left := _left(was, rows.get(key))):
                owners = {e.id: e.container for e in self._snapshot.services[name].endpoints}
                ended |= {spot for spot in left if not living.has(owners[spot[0]], spot[0])}
                yield
        ended |= yield from _muted(before, found)
        return Changed(name, rows, old, ended, (yield from _stopped(before, found, snapshot)))

    def _put(self, changed: Changed, now: float, since: float) -> None:
        """Take in one service."""
        for key, old in changed.old.items():
            self._swap(key, old, changed.rows.get(key), now, since)
        if changed.rows:
            self._keys[changed.name] = tuple(changed.rows)
        else:
            self._keys.pop(changed.name, None)

    def _swap(self, key: str, old: ServiceRow | None, new: ServiceRow | None, now: float, since: float) -> None:
        """Put one row in the place of another. since: when this was, Unix seconds."""
        if old is not None:
            claims = [(host, old.path) for host in old.hosts]
            self._taken.subtract(claims)
            for claim in claims:
                if not self._taken[claim]:
                    del self._taken[claim]
        if new is not None:
            self._taken.update((host, new.path) for host in new.hosts)
            self._live[key] = new
            self._lingering.back(key)
        elif old is not None:
            del self._live[key]
            if not old.mute:
                self._lingering.gone(old, now, since)

    def _spoke(self, key: str) -> bool:
        """Whether HTTP was served there until now, or a moment ago: who asks still waits for that to be back."""
        live = self._live.get(key)
        return (live is not None and not live.mute) or key in self._lingering

    def _expired(self, now: float) -> list[str]:
        """Let go of those that have lingered for long enough; their keys, and what is there instead counts from now on."""
        over = self._lingering.expire(now)
        for name in [each for each in self._withheld if each not in self._lingering]:
            self._withheld.discard(name)
            if self._snapshot is not None:
                self._put(at_once(self._look(self._snapshot, name, routing_table.Living(self._snapshot))), now, self._snapshot.created)
                over.append(name)
        return over

    def _news(
        self, keys: list[str], ended: tuple[routing_table.Spot, ...] = (), stopped: tuple[routing_table.Spot, ...] = ()
    ) -> list[Table]:
        """What differs from what was told, of these rows and of all that linger."""
        wanted = {key: self._live.get(key) for key in keys}
        wanted.update((row.key, row) for row in self._lingering.rows(self._taken))
        rows = [row for key, row in wanted.items() if row is not None and self._told.get(key) != row]
        removed = tuple(key for key, row in wanted.items() if row is None and key in self._told)
        self._told.update((row.key, row) for row in rows)
        for key in removed:
            del self._told[key]
        return list(routing_table.parts(self._version, rows, removed, ended, stopped))


def _left(before: ServiceRow, after: ServiceRow | None) -> set[routing_table.Spot]:
    """The endpoints that this row has lost."""
    return routing_table.spots(before) - (routing_table.spots(after) if after is not None else set())


def _muted(before: Service | None, after: Service | None) -> Turns[set[routing_table.Spot]]:
    """The endpoints that had left for another reason, and are known to answer nobody only now: what waits there has ended, too."""
    mute: list[Endpoint] = []
    for some in stretches(after.endpoints if after is not None else ()):
        mute += [e for e in some if routing_table.is_mute(e)]
        yield
    known = {e.id: e for e in before.endpoints if not e.ready} if before is not None and mute else {}
    were = [(was, e) for e in mute if (was := known.get(e.id)) is not None]
    # where it was then; one that was silent may have kept what is repeated for a better reason alone
    return {routing_table.spot(was) for was, e in were if was.cause not in (e.cause, Cause.LOST, Cause.GONE)}


def _stopped(before: Service | None, after: Service | None, snapshot: Snapshot) -> Turns[set[routing_table.Spot]]:
    """The endpoints of a service that have ended since `before` through no request's fault: some had left already, for what came of it.

    Their containers were told to stop, or run on a host that is lost.
    """
    found: list[Endpoint] = []
    for some in stretches(after.endpoints if after is not None else ()):
        found += [e for e in some if e.cause in (Cause.STOPPING, Cause.LOST) or _is_cut_off(e, snapshot)]
        yield
    for some in stretches(before.endpoints if before is not None and snapshot.stopped else ()):
        found += [e for e in some if e.container in snapshot.stopped and e.container not in snapshot.containers]
        yield
    known = (
        {e.id for e in before.endpoints if e.cause in (Cause.STOPPING, Cause.LOST, Cause.GONE)} if before is not None and found else set()
    )
    return {routing_table.spot(e) for e in found if e.id not in known}


def _is_cut_off(endpoint: Endpoint, snapshot: Snapshot) -> bool:
    """Whether its container runs by all that is known, but on a host that is lost (health/policy.py)."""
    if endpoint.cause is not Cause.GONE:
        return False
    container = snapshot.containers.get(endpoint.container)
    return container is not None and container.state == "running"
