"""Who is ejected for the failures of its own traffic: has the histories, a timer for each end of an ejection, and tells log and journal.

Never decides who is, or for how long (outliers.py). On the control loop's thread.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Container

import structlog
from msgspec.structs import replace

from haystack.health import outliers
from haystack.health.outliers import History
from haystack.health.policy import Condition
from haystack.model.reports import FailureRow
from haystack.observe.journal import Note

_log = structlog.get_logger()


class Ejections:
    """changed: is told of each endpoint that goes out or returns; clock: seconds that only grow; note: the journal."""

    def __init__(self, changed: Callable[[str], None], clock: Callable[[], float], note: Note) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()  # by service and cause: faults, silent
        self._changed = changed
        self._clock = clock
        self._note = note
        self._names: dict[str, str] = {}  # of the containers of the endpoints that are watched
        self._exempt: set[str] = set()  # by haystack.eject=off
        self._histories: dict[str, History] = {}
        self._out: dict[str, tuple[asyncio.TimerHandle, float]] = {}  # who is ejected: when that ends, Unix seconds

    def watch(self, identity: str, name: str, *, exempt: bool) -> None:
        """This endpoint is one of a container of this name; exempt: it is never ejected, and not any longer where it is."""
        self._names[identity] = name
        self._exempt.discard(identity)
        if exempt:
            self._exempt.add(identity)
            self._return(identity)

    def forget(self, identity: str) -> None:
        """It is watched no more."""
        self._names.pop(identity, None)
        self._exempt.discard(identity)
        self._histories.pop(identity, None)
        self._cancel(identity)

    def keep(self, services: Container[str]) -> None:
        """Count for these services alone: there are no others any more."""
        for key in [key for key in self.counts if key[0] not in services]:
            del self.counts[key]

    def hear(self, row: FailureRow) -> None:
        """What a worker saw of an endpoint that is watched: one that fails too often is put out for a while."""
        if row.key in self._exempt:
            return
        now = self._clock()
        old = self._histories.get(row.key, History(heard=now))
        new = self._histories[row.key] = outliers.hear(old, row, now)
        if new.until > old.until:
            self._eject(row, new)

    def applied(self, identity: str, known: Condition) -> Condition:
        """The condition of an endpoint, with its ejection if it is ejected."""
        if identity not in self._out:
            return known
        history, (_, until) = self._histories[identity], self._out[identity]
        return replace(known, ejected=history.why, silent=history.silent, ejected_at=history.since, until=until)

    def _eject(self, row: FailureRow, history: History) -> None:
        seconds = history.until - history.since
        self.counts[row.service, "silent" if history.silent else "faults"] += 1
        self._cancel(row.key)  # its time may be up by the clock, and its timer late
        _log.warning("endpoint.ejected", endpoint=row.key, service=row.service, reason=history.why, seconds=seconds, times=history.times)
        text = f"is ejected for {seconds:g} s: {history.why}"
        self._note("endpoint.ejected", self._names.get(row.key, row.key), text, (row.service,), identity=row.key)
        self._out[row.key] = asyncio.get_running_loop().call_later(seconds, self._return, row.key), time.time() + seconds
        self._changed(row.key)

    def _cancel(self, identity: str) -> None:
        """Its ejection, where it is out, has no end of its own any more."""
        if identity in self._out:
            self._out.pop(identity)[0].cancel()

    def _return(self, identity: str) -> None:
        """Its time is up, or it is ejected no more."""
        if identity not in self._out:
            return
        self._cancel(identity)
        _log.info("endpoint.returned", endpoint=identity)
        self._note("endpoint.returned", self._names.get(identity, identity), "its ejection is over", identity=identity)
        self._changed(identity)
