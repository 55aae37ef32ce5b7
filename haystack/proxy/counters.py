"""What the workers count, by the name that was asked for and the endpoint that was chosen; and the end of such a series.

A series belongs to a container's port, not to an address: whoever has the address next begins a new one. It leaves GRACE seconds after its
endpoint: by then every scraper has seen its last value. Never counts anything itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from haystack.loop.turns import Turns
from haystack.model.services import Endpoint, Service
from haystack.model.snapshot import Snapshot

GRACE = 120.0  # seconds: two scrapes of one that comes by once a minute

Asked = tuple[str, int]  # a service's name, and the listener's port


class Place(Struct, frozen=True, gc=False, cache_hash=True):
    """An endpoint: its id, which begins with its container's, and where it was."""

    id: str
    address: str
    port: int


Counts = dict[Place, int]  # requests by endpoint


class Series:
    """All counts. Every `now` is of one clock that only grows, in seconds."""

    def __init__(self) -> None:
        self.counts: dict[Asked, Counts] = {}
        self._ports: dict[str, set[int]] = {}
        self._services: Mapping[str, Service] = {}
        self._known: dict[str, dict[str, Endpoint]] = {}  # endpoints of services in this snapshot, as far as they were asked for
        self._version: int | None = None
        self._gone: dict[tuple[Asked, Place], float] = {}  # since when, the earliest first

    def put(self, asked: Asked, place: Place, number: int, now: float) -> None:
        """Count so many requests more. One that left may still end some: its series is there for a while again."""
        counts = self.counts.get(asked)
        if counts is None:
            counts = self.counts[asked] = Counts()
            self._ports.setdefault(asked[0], set()).add(asked[1])
        if place not in counts and not self._has(asked[0], place):
            self._gone[asked, place] = now
        counts[place] = counts.get(place, 0) + number

    def follow(self, snapshot: Snapshot, now: float) -> Turns[None]:
        """Note who is gone, or back. What costs is what has changed."""
        change = snapshot.changed_since(self._version)
        names: Iterable[str] = tuple(self._ports) if change is None else change.services & self._ports.keys()
        self._services, self._version = snapshot.services, snapshot.version
        self._known.clear()
        for name in names:
            there = self.endpoints(name)
            yield
            for asked in [(name, port) for port in self._ports.get(name, ())]:
                for place in self.counts[asked]:
                    if _is_at(there.get(place.id), place):
                        self._gone.pop((asked, place), None)
                    else:
                        self._gone.setdefault((asked, place), now)
            yield

    def _has(self, service: str, place: Place) -> bool:
        return _is_at(self.endpoints(service).get(place.id), place)

    def has(self, service: str) -> bool:
        """Whether the snapshot that it followed last has this service."""
        return service in self._services

    def endpoints(self, service: str) -> Mapping[str, Endpoint]:
        """Of a service in that snapshot, by id, ready or not."""
        known = self._known.get(service)
        if known is None:
            found = self._services.get(service)
            known = self._known[service] = {e.id: e for e in found.endpoints} if found is not None else {}
        return known

    def expire(self, now: float) -> None:
        """Let go of those whose time is up."""
        while self._gone:
            (asked, place), since = next(iter(self._gone.items()))
            if since + GRACE > now:
                return
            del self._gone[asked, place]
            self._end(asked, place)

    def _end(self, asked: Asked, place: Place) -> None:
        self.counts[asked].pop(place, None)
        if self.counts[asked]:
            return
        del self.counts[asked]
        self._ports[asked[0]].discard(asked[1])
        if not self._ports[asked[0]]:
            del self._ports[asked[0]]


def _is_at(endpoint: Endpoint | None, place: Place) -> bool:
    """Whether an endpoint of that id is there still."""
    return endpoint is not None and (endpoint.address or endpoint.address6 or "", endpoint.port) == (place.address, place.port)
