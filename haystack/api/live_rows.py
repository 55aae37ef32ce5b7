"""The rows of /api/events as they are now, and which of them a newer snapshot changes. Each is written once, for all who read them.

Never decides when it looks, and never knows who reads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from haystack.loop.turns import Turns
from haystack.model import naming
from haystack.model.records import Problem
from haystack.model.services import Endpoint, Service
from haystack.model.snapshot import Change
from haystack.tls.store import Entry
from haystack.views import certificates, live
from haystack.views.state import Picture, State

ENTRIES = 200  # of the journal


class Touched:
    """What snapshots have changed since it was looked at; false where nothing has. everything: any row may be other."""

    def __init__(self, *, everything: bool = True) -> None:
        self.everything = everything
        self.services: set[str] = set()
        self.containers: set[str] = set()
        self._snapshots = 0

    def __bool__(self) -> bool:
        return self.everything or self._snapshots > 0

    def note(self, change: Change | None) -> None:
        """One snapshot more."""
        self._snapshots += 1
        if change is None:
            self.everything = True
        else:
            self.services |= change.services
            self.containers |= change.containers


class Member(NamedTuple):
    """An endpoint of a service, with its row."""

    endpoint: Endpoint
    dns: str
    row: bytes


class Shown(NamedTuple):
    """A service with its row, and its endpoints by id."""

    service: Service
    row: bytes
    members: dict[str, Member]


class LiveRows:
    """Over one state."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._services: dict[str, Shown] = {}
        self._containers: dict[str, bytes] = {}
        self._problems: dict[str, tuple[list[Problem], bytes]] = {}
        self._certificates: dict[tuple[str, str], tuple[Entry, bytes]] = {}
        self._vouched: object = None
        self._told: object = None
        self._summary = b""
        self._happened = 0  # the number of the newest entry that was told
        self._entries: deque[bytes] = deque(maxlen=ENTRIES)

    def take(self, snapshot: Picture, touched: Touched) -> Turns[list[bytes]]:
        """The rows that are other in this snapshot."""
        made: list[bytes] = []
        containers: Iterable[str] = touched.containers
        services = set(touched.services)
        if touched.everything:
            containers = [*snapshot.containers, *(self._containers.keys() - snapshot.containers.keys())]
            services = {*snapshot.services, *self._services}
        for identity in containers:
            self._container(snapshot, identity, made)
            services.update(() if touched.everything else _services_of(snapshot, identity))
            yield
        for name in services:
            yield from self._service(snapshot, name, made)
        if self._told is not snapshot.problems:
            yield from self._take_problems(snapshot, made)
        return made

    def take_summary(self, snapshot: Picture) -> list[bytes]:
        """The row of what may change without a snapshot; none: it has not."""
        row = live.row(live.SUMMARY, "", live.summary(self._state, snapshot))
        if row == self._summary:
            return []
        self._summary = row
        return [row]

    def take_entries(self) -> list[bytes]:
        """The rows of what has happened since."""
        found = self._state.journal.after(max(self._happened, self._state.journal.last - ENTRIES))
        self._happened = self._state.journal.last
        rows = [live.row(live.ENTRY, str(entry.number), live.entry_shape(entry)) for entry in found]
        self._entries.extend(rows)
        return rows

    def take_certificates(self) -> Turns[list[bytes]]:
        """The rows of certificates that are other."""
        picture, made = self._state.certificates.picture, []
        if picture is self._vouched:
            return []
        for key, entry in picture.entries.items():
            if key not in self._certificates or self._certificates[key][0] is not entry:
                self._certificates[key] = entry, live.row(live.CERTIFICATE, " ".join(key), certificates.shape(entry))
                made.append(self._certificates[key][1])
            yield
        for key in self._certificates.keys() - picture.entries.keys():
            del self._certificates[key]
            made.append(live.row(live.CERTIFICATE, " ".join(key), None))
        self._vouched = picture
        return made

    def whole(self) -> Iterator[bytes]:
        """All rows. What changes meanwhile may be in it or not: the changes are told as well, and each row says all of its own."""
        yield self._summary
        for name in list(self._services):
            shown = self._services.get(name)
            if shown is not None:
                yield shown.row
                yield from (member.row for member in list(shown.members.values()))
        yield from list(self._containers.values())
        yield from [row for _, row in self._problems.values()]
        yield from [row for _, row in self._certificates.values()]
        yield from list(self._entries)

    def _service(self, snapshot: Picture, name: str, made: list[bytes]) -> Turns[None]:
        service, shown = snapshot.services.get(name), self._services.get(name)
        if service is None:
            if self._services.pop(name, None) is not None:
                made.append(live.row(live.SERVICE, name, None))
            return
        row = live.row(live.SERVICE, name, live.service_shape(service, self._state))
        if shown is None or shown.row != row:
            made.append(row)
        members = yield from self._members(snapshot, service, shown.members if shown is not None else {}, made)
        self._services[name] = Shown(service, row, members)

    def _members(self, snapshot: Picture, service: Service, before: Mapping[str, Member], made: list[bytes]) -> Turns[dict[str, Member]]:
        found: dict[str, Member] = {}
        for endpoint in service.endpoints:
            dns, old = live.container_dns(snapshot, endpoint), before.get(endpoint.id)
            if old is None or (old.endpoint, old.dns) != (endpoint, dns):
                old = Member(endpoint, dns, _row_of(service.name, endpoint, dns))
                made.append(old.row)
            found[endpoint.id] = old
            yield
        for identity, member in before.items():
            if identity not in found:
                made.append(live.row(live.ENDPOINT, live.endpoint_key(service.name, member.endpoint), None))
            yield
        return found

    def _container(self, snapshot: Picture, identity: str, made: list[bytes]) -> None:
        container, old = snapshot.containers.get(identity), self._containers.pop(identity, None)
        shape = live.container_shape(snapshot.origin, container) if container is not None else None
        if shape is not None:
            self._containers[identity] = live.row(live.CONTAINER, identity[:12], shape)
            made += [self._containers[identity]] if self._containers[identity] != old else []
        elif old is not None:
            made.append(live.row(live.CONTAINER, identity[:12], None))

    def _take_problems(self, snapshot: Picture, made: list[bytes]) -> Turns[None]:
        by_about: dict[str, list[Problem]] = {}
        for about, problem in snapshot.problems:
            by_about.setdefault(about, []).append(problem)
            yield
        for about, problems in by_about.items():
            if about not in self._problems or self._problems[about][0] != problems:
                shapes = live.problem_shapes(self._state, snapshot, about, problems)
                self._problems[about] = problems, live.row(live.PROBLEMS, live.known_as(self._state, about), shapes)
                made.append(self._problems[about][1])
            yield
        for about in self._problems.keys() - by_about.keys():
            del self._problems[about]
            made.append(live.row(live.PROBLEMS, live.known_as(self._state, about), None))
        self._told = snapshot.problems

    def forget(self) -> Turns[None]:
        """Let all rows go, a service at a time: freeing thousands of them takes milliseconds."""
        while self._services:
            self._services.popitem()
            yield


def _services_of(snapshot: Picture, identity: str) -> Iterator[str]:
    """The services of a container: its endpoints are shown with what it is called in DNS."""
    found = snapshot.containers.get(identity)
    yield from (naming.service_name(short, snapshot.origin) for short in (found.services if found is not None else ()))


def _row_of(service: str, endpoint: Endpoint, dns: str) -> bytes:
    return live.row(live.ENDPOINT, live.endpoint_key(service, endpoint), live.endpoint_shape(endpoint, dns))
