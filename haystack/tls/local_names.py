"""Certificates of the local authority for all names under ORIGIN that services have, and for their hosts under localhost.

`*.services.ORIGIN` stands for most; names with one label more (`web.nginx.services.ORIGIN`) need a wildcard of their own, made when the
first of them is there. None is kept: each start makes them anew. Follows snapshots in turns. Never does: touch a file.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable

from haystack.loop.turns import Turns, in_turns
from haystack.model import naming
from haystack.model.services import Service
from haystack.tls.acme import renewal
from haystack.tls.acme.wanted import Picture
from haystack.tls.local_ca import LOCALHOST, LocalCa
from haystack.tls.store import LOCAL, Store

MOST_WAIT = 3600.0  # seconds between two looks at what is due: the clock may be set


class LocalNames:
    """clock: Unix seconds."""

    def __init__(self, ca: LocalCa, store: Store, origin: str, clock: Callable[[], float] = time.time) -> None:
        self._ca = ca
        self._store = store
        self._origin = origin
        self._clock = clock
        self._version: int | None = None
        self._of: dict[str, frozenset[str]] = {}  # service → names
        self._users: Counter[str] = Counter()
        self._due: dict[str, float] = {}  # name → when its certificate is renewed
        self._make(self._own)

    @property
    def _own(self) -> tuple[str, ...]:
        """What is always there. The first is the key that the store has for it."""
        services = naming.service_name("*", self._origin)
        return tuple(dict.fromkeys((services, self._origin, f"ns.{self._origin}", LOCALHOST)))

    def follow(self, snapshot: Picture) -> Turns[None]:
        """A reader of snapshots."""
        change = snapshot.changed_since(self._version)
        changed = change.services if change is not None else {**self._of, **snapshot.services}
        for name in changed:
            self._take(name, names_of(snapshot.services.get(name), self._origin) - set(self._own))
            yield
        self._version = snapshot.version

    def _take(self, service: str, names: frozenset[str]) -> None:
        old = self._of.pop(service, frozenset())
        if names:
            self._of[service] = names
        self._users.update(names)
        self._users.subtract(old)
        for name in names - self._due.keys():
            self._make((name,))
        for name in [each for each in old if not self._users[each]]:
            del self._users[name], self._due[name]
            self._store.remove(LOCAL, name)

    def _make(self, names: tuple[str, ...]) -> None:
        """A name that can't have one is told, tried again later, and leaves all others alone."""
        try:
            made = self._ca.issue(names)
        except ValueError as error:
            self._due[names[0]] = self._clock() + MOST_WAIT
            self._store.fail(LOCAL, names[0], str(error))
            return
        due = renewal.due(made.fingerprint, made.not_before, made.not_after)
        self._due[names[0]] = due
        self._store.put(LOCAL, names[0], made, due)

    async def run(self) -> None:
        """Renew what is due, until it is cancelled."""
        while True:
            await asyncio.sleep(max(1.0, min(MOST_WAIT, min(self._due.values()) - self._clock())))
            await in_turns(self.renew())

    def renew(self) -> Turns[None]:
        """Make those anew that are due."""
        now = self._clock()
        for name in [name for name, due in self._due.items() if due <= now]:
            if name in self._due:
                self._make(self._own if name == self._own[0] else (name,))
            yield


def names_of(service: Service | None, origin: str) -> frozenset[str]:
    """What certificates are for, of one service: wildcards for its own names, and hosts under localhost as they are."""
    if service is None:
        return frozenset()
    own = {f"*.{name.partition('.')[2]}" for name in (service.name, *service.spelled)}
    hosts = {host for host in service.hosts if host.endswith(f".{LOCALHOST}") and not host.endswith(naming.service_name("", origin))}
    return frozenset(own | hosts)
