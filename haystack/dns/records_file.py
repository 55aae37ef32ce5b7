"""HAYSTACK_DNS_RECORDS: the records of a master file, read again whenever it changes; a broken one changes nothing.

Of any name below ORIGIN or elsewhere; a name elsewhere becomes Haystack's own, and those around it stay others'. Never does: decide what
wins where a container has a name too (the zone does). Not loaded unless the setting is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from haystack.dns import master_file, special_names, wire
from haystack.dns.master_file import Entry, MasterFileError
from haystack.loop import watched_file
from haystack.loop.turns import Turns, in_turns, stretches
from haystack.model.snapshot import RawRecord, Records
from haystack.settings import unreadable

_log = structlog.get_logger()


class RecordsFile:
    """The file at `path`. origin: HAYSTACK_ORIGIN; ttl: of records that say none, seconds."""

    def __init__(self, path: Path, origin: str, ttl: int) -> None:
        self.path = path.absolute()
        self._origin = origin
        self._ttl = ttl
        self._seen: tuple[int, ...] | None = watched_file.UNSEEN

    def read(self) -> Turns[Records]:
        """What it holds now. Raises OSError and MasterFileError."""
        state = watched_file.state(self.path)
        found = yield from read(self.path.read_bytes(), self._origin, self._ttl)
        self._seen = state
        return found

    async def run(self, take: Callable[[Records], None]) -> None:
        """Hand over what it holds, at once unless that was read before, and whenever it has changed, until cancelled."""
        async for _ in watched_file.changes(self.path, self._seen):
            try:
                records = await in_turns(self.read())
            except (OSError, MasterFileError) as error:
                _log.error("records.broken", error=complaint(self.path, error), kept="the records that were read last")
            else:
                _log.info("records.read", path=str(self.path), names=len(records))
                take(records)


def complaint(path: Path, error: OSError | MasterFileError) -> str:
    """One line: the file, the line, and what is wrong."""
    return f"{path}: {unreadable.why(error)}" if isinstance(error, OSError) else f"{path}: {error}"


def read(content: bytes, origin: str, ttl: int) -> Turns[Records]:
    """The records by their names. Raises MasterFileError."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MasterFileError(content[: error.start].count(b"\n") + 1, "it is not UTF-8") from None
    entries = yield from master_file.read(text, origin)
    apex = wire.name(origin)
    named: dict[bytes, list[Entry]] = {}
    for some in stretches(entries):
        for entry in some:
            if why := _refusal(entry.name, apex):
                raise MasterFileError(entry.line, why)
            named.setdefault(entry.name, []).append(entry)
        yield
    found: dict[bytes, tuple[RawRecord, ...]] = {}
    for some_names in stretches(tuple(named)):
        found.update((name, _united(named[name], ttl)) for name in some_names)
        yield
    return found


def _refusal(name: bytes, apex: bytes) -> str:
    """Why no record can be at this name; empty: one can."""
    text = wire.text(name)
    if not text:
        return "the root has no records here"
    if special_names.is_fixed(text):
        return f"{text} can't have records (RFC 6761)"
    if name.startswith(b"\1*") and not name.endswith(apex):
        return f"{text}: a wildcard is possible below HAYSTACK_ORIGIN alone"  # elsewhere, names are ours one by one
    return ""


def _united(entries: list[Entry], ttl: int) -> tuple[RawRecord, ...]:
    """Each record once; those of one type with the shortest of their TTLs (RFC 2181, section 5)."""
    lowest: dict[int, int] = {}
    for entry in entries:
        own = ttl if entry.ttl is None else entry.ttl
        lowest[entry.rtype] = min(own, lowest.get(entry.rtype, own))
    found = tuple(dict.fromkeys((entry.rtype, lowest[entry.rtype], entry.data) for entry in entries))
    if len(found) > 1 and wire.CNAME in lowest:
        raise MasterFileError(_second(entries).line, "a name with a CNAME has no other record (RFC 1034, section 3.6.2)")
    return found


def _second(entries: Iterable[Entry]) -> Entry:
    """The first that can't be there beside the one before it."""
    first, *others = entries
    return next(entry for entry in others if entry[2:] != first[2:])
