"""The routing table of the newest snapshot, kept up to date service by service, and what the workers are to be told of each change.

One container's change costs its services, not all there are. What it says equals what table.of and table.changes make of whole snapshots
(a property test holds them against each other). Never sends anything: the supervisor does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from haystack.proxy import table
from haystack.proxy.channel import ServiceRow, Table
from haystack.proxy.lingering import Lingering
from haystack.snapshot import Snapshot


class Tables:
    """defaults: for services that say nothing else. Every `now` is of one clock that only grows, in seconds."""

    def __init__(self, defaults: table.Defaults, lingering: Lingering | None = None) -> None:
        self._defaults = defaults
        self._lingering = lingering or Lingering()
        self._snapshot: Snapshot | None = None
        self._live: dict[str, ServiceRow] = {}
        self._told: dict[str, ServiceRow] = {}  # the live ones, and those that linger
        self._taken: Counter[tuple[str, str]] = Counter()

    def whole(self) -> Table:
        """All that a worker has to know."""
        return Table(self._version, tuple(self._told.values()))

    def next_end(self) -> float | None:
        """When `expire` has something to do; None: nothing lingers."""
        return self._lingering.next_end()

    def follow(self, snapshot: Snapshot, now: float) -> list[Table]:
        """Take in a snapshot. The parts that bring a worker up to date, in their order; one at least, for the version."""
        change, old = snapshot.change, self._snapshot
        names: Iterable[str] = {*snapshot.services, *self._live}
        if change is not None and old is not None and change.base == old.version:
            names = change.services
        before = {name: self._live.get(name) for name in names}
        changed = [name for name in before if self._put(snapshot, name, now)]
        self._snapshot = snapshot
        ended = {spot for name in changed for spot in self._ended(old, name, before[name])}
        return self._news([*changed, *self._lingering.expire(now)], tuple(ended))

    def expire(self, now: float) -> list[Table]:
        """Let go of those that have lingered for long enough; the parts that say so."""
        return self._news(self._lingering.expire(now), ())

    @property
    def _version(self) -> int:
        return self._snapshot.version if self._snapshot is not None else 0

    def _put(self, snapshot: Snapshot, name: str, now: float) -> bool:
        """Take in one service; whether its row is another one now."""
        service, old = snapshot.services.get(name), self._live.get(name)
        new = table.row(service, self._defaults) if service is not None and service.has_http else None
        if new == old:
            return False
        if old is not None:
            self._taken.subtract((host, old.path) for host in old.hosts)
            for host in old.hosts:
                if not self._taken[host, old.path]:
                    del self._taken[host, old.path]
        if new is not None:
            self._taken.update((host, new.path) for host in new.hosts)
            self._live[name] = new
            self._lingering.back(name)
        elif old is not None:
            del self._live[name]
            self._lingering.gone(old, now, snapshot.created)
        return True

    def _ended(self, old: Snapshot | None, name: str, before: ServiceRow | None) -> set[tuple[str, str, int]]:
        """The endpoints that left this service, and whose containers can't answer any more."""
        if before is None or old is None or self._snapshot is None:
            return set()
        after = self._live.get(name)
        left = table.spots(before) - (table.spots(after) if after is not None else set())
        if not left:
            return left
        owners = {e.id: e.container for e in old.services[name].endpoints}
        return {spot for spot in left if not table.lives(self._snapshot, owners[spot[0]], spot[0])}

    def _news(self, names: list[str], ended: tuple[tuple[str, str, int], ...]) -> list[Table]:
        """What differs from what was told, of these services and of all that linger."""
        wanted = {name: self._live.get(name) for name in names}
        wanted.update((row.name, row) for row in self._lingering.rows(self._taken))
        rows = [row for name, row in wanted.items() if row is not None and self._told.get(name) != row]
        removed = tuple(name for name, row in wanted.items() if row is None and name in self._told)
        self._told.update((row.name, row) for row in rows)
        for name in removed:
            del self._told[name]
        return list(table.parts(self._version, rows, removed, ended))
