"""What the log tells of containers and services as they come and go, in the order in which a person asks: who, and then what that means.

The journal is told the same at once, and how containers lived beside that. Knows nothing itself: lives, moves and outages look, the crowd
counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from haystack.loop.turns import Turns
from haystack.model.ports import suffix
from haystack.model.records import Departure
from haystack.model.snapshot import Snapshot
from haystack.observe.bursts import Crowd
from haystack.observe.container_lifecycle import Lives
from haystack.observe.history import Past
from haystack.observe.log_and_journal import Telling
from haystack.observe.membership import Moves
from haystack.observe.outages import Outages


class SnapshotLog:
    """port: of the http listener; departures: how containers ended of late, the latest last; past: is told of it all."""

    def __init__(
        self,
        port: Callable[[], int],
        departures: Callable[[], Iterable[Departure]],
        past: Past,
    ) -> None:
        self._port = port
        self._crowd = Crowd("haystack.services")
        self._lives = Lives(past.journal.add, departures)
        telling = Telling(self._crowd, past.journal.add, self._size)
        self._moves = Moves(telling, departures, past.attendance)
        self._outages = Outages(self._url, telling, why=self._moves.why)

    def follow(self, snapshot: Snapshot) -> Turns[None]:
        """A reader of snapshots."""
        yield from self._lives.follow(snapshot)
        yield from self._moves.follow(snapshot)
        yield from self._outages.follow(snapshot)

    def flush(self) -> None:
        """Have what was counted told now."""
        self._crowd.flush()

    def _size(self, service: str) -> int:
        return self._moves.size(service)

    def _url(self, host: str) -> str:
        """Of a host with its path, if any, for who can look its name up."""
        name, _, path = host.partition("/")
        return f"http://{name}{suffix(self._port())}/{path}"
