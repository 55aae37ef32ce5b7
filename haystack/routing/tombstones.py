"""Services, and claims of services, whose last endpoint went away a moment ago: still known to the workers, without endpoints.

Requests for them wait there for a container that is started anew, and a name that was there is answered 503 and not 404 for a while.
Remembers rows, and nothing else; table_updates.py asks it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

import msgspec

from haystack.routing.rows import ServiceRow

SECONDS = 60.0


class Lingering:
    """Rows by key. seconds: how long; every `now` is of one clock that only grows."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._rows: dict[str, tuple[ServiceRow, float]] = {}

    def gone(self, row: ServiceRow, now: float, since: float = 0.0) -> None:
        """This one has lost its last endpoint, at that moment in Unix seconds. It stays for as long as its requests may wait."""
        told = {} if row.why else {"why": "gone", "since": since}
        end = now + max(self._seconds, row.options.wait or 0.0)
        self._rows[row.key] = msgspec.structs.replace(row, listeners=((),), awaited=False, **told), end

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def back(self, key: str) -> None:
        """It is there again."""
        self._rows.pop(key, None)

    def expire(self, now: float) -> list[str]:
        """Forget those whose time is up; their keys."""
        over = [key for key, (_, end) in self._rows.items() if end <= now]
        for key in over:
            del self._rows[key]
        return over

    def rows(self, taken: Container[tuple[str, str]]) -> Iterator[ServiceRow]:
        """Those that linger. taken: (host, path) of live services: such a host is no longer theirs."""
        for row, _ in self._rows.values():
            hosts = tuple(host for host in row.hosts if (host, row.path) not in taken)
            yield row if hosts == row.hosts else msgspec.structs.replace(row, hosts=hosts)

    def next_end(self) -> float | None:
        """When the first of them is to go; None: there is none."""
        return min((end for _, end in self._rows.values()), default=None)
