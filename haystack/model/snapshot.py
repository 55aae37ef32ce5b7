"""The published picture: one immutable, versioned Snapshot of all engines, containers, services and endpoints. catalog/ builds it."""

from __future__ import annotations

from collections.abc import Mapping

from haystack.model.overrides import NONE, Overrides
from haystack.model.records import Container, Engine, Network, Peer, Problem, Record
from haystack.model.services import Service

RawRecord = tuple[int, int, bytes]  # type, TTL in seconds, and data in wire form without compression
Records = Mapping[bytes, tuple[RawRecord, ...]]  # by name in lower-case wire form
Found = tuple[str, Problem]  # and where it was found: a source, a container's id or a service's whole name


class Change(Record, frozen=True, kw_only=True):
    """How a snapshot differs from version `base`: ids of containers and names of services that are new, other or gone."""

    base: int
    containers: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()


class Snapshot(Record, frozen=True, kw_only=True):
    """All that is published. created: Unix seconds; mappings are by id, services by whole name.

    change: for readers that keep something of the version before; None: everything may be different. stopped: ids of containers that
    have ended of late, because they were told to. records: those of HAYSTACK_DNS_RECORDS; overrides: of operators; peers: Haystack's own
    tasks in a Swarm, this one first.
    """

    version: int
    created: float
    origin: str
    engines: Mapping[str, Engine] = {}
    networks: Mapping[str, Network] = {}
    containers: Mapping[str, Container] = {}
    services: Mapping[str, Service] = {}
    problems: tuple[Found, ...] = ()
    change: Change | None = None
    stopped: frozenset[str] = frozenset()
    records: Mapping[bytes, tuple[RawRecord, ...]] = {}
    overrides: Overrides = NONE
    peers: tuple[Peer, ...] = ()

    def changed_since(self, version: int | None) -> Change | None:
        """What differs from that version; None where that is not known, and everything may."""
        return self.change if self.change is not None and self.change.base == version else None

    def same_content(self, other: Snapshot) -> bool:
        """True when only version, time of making and change differ."""
        return all(getattr(self, name) == getattr(other, name) for name in CONTENT)


CONTENT = tuple(name for name in Snapshot.__struct_fields__ if name not in ("version", "created", "change", "stopped"))


def together(sources: list[Records], before: Records) -> Records:
    """The records of all sources, those of one name one behind the other; the very same as before, where they are the same."""
    found: dict[bytes, tuple[RawRecord, ...]] = dict(sources[0]) if sources else {}
    if len(sources) == 1:
        return sources[0]
    for source in sources[1:]:
        for name, records in source.items():
            found[name] = found.get(name, ()) + records
    return before if found == before else found
