"""Services whose last endpoint went away a moment ago: still known to the workers, without endpoints.

Requests for them wait there for a container that is started anew, and a name that was there is answered 503 and not 404 for a while.
Pure but for what it remembers; runs in the control process, between table.of and table.changes.
"""

from __future__ import annotations

import msgspec

from haystack.proxy.channel import ServiceRow, Table

SECONDS = 60.0


class Lingering:
    """Remembers rows. seconds: how long."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._rows: dict[str, tuple[ServiceRow, float]] = {}

    def add(self, old: Table, new: Table, now: float) -> Table:
        """`new`, and behind it the rows of `old` that it lacks, without endpoints, until their time is up.

        A host that a live service has taken over is no longer theirs. now: seconds of any steady clock.
        """
        live = {row.name for row in new.services}
        for row in old.services:
            if row.name not in live and row.name not in self._rows:
                self._rows[row.name] = (msgspec.structs.replace(row, listeners=((),)), now + self._seconds)
        self._rows = {name: kept for name, kept in self._rows.items() if name not in live and kept[1] > now}
        if not self._rows:
            return new
        taken = {(host, row.path) for row in new.services for host in row.hosts}
        rows = (row for row, _ in self._rows.values())
        left = (msgspec.structs.replace(row, hosts=tuple(h for h in row.hosts if (h, row.path) not in taken)) for row in rows)
        return msgspec.structs.replace(new, services=(*new.services, *left))

    def next_end(self) -> float | None:
        """When the first of them is to go; None: there is none."""
        return min((end for _, end in self._rows.values()), default=None)
