"""Problems of services whose redirect to HTTPS has no effect, for there is no certificate for their names: nobody is redirected then.

Follows snapshots by what has changed in them, and the store. Judges in turns, beside everything else. Never does: get a certificate.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from haystack.loop.turns import Turns, in_turns
from haystack.model.records import Problem
from haystack.model.services import Service
from haystack.tls.acme.wanted import Picture
from haystack.tls.sources import UNSEALED
from haystack.tls.store import ACME, Certificates, Store, key_of_name

REDIRECT = "redirect"
NAMED = 3  # hosts that a problem names
AT_ONCE = 5.0  # seconds for a certificate that is put there, or made, with its container
ORDERED = 120.0  # seconds for one that an authority is asked for
BURST = 1.0  # seconds for which changes gather before all is judged, as while thousands of certificates come one by one
Told = Mapping[str, tuple[Problem, ...]]


class Asking(NamedTuple):
    """Hosts of one service that are to be redirected, by label, or by the setting."""

    labelled: tuple[str, ...] = ()
    usual: tuple[str, ...] = ()


class Redirects:
    """tell: hears of the problems of all services, by their names, each time that they change.

    usual: haystack.https of public names that have none; sealed: something listens for https; grace: seconds that a certificate may take;
    clock: seconds that only grow.
    """

    def __init__(
        self,
        store: Store,
        tell: Callable[[Told], None],
        *,
        usual: str = "on",
        sealed: bool = True,
        grace: float = AT_ONCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._tell = store, tell
        self._usual, self._sealed, self._grace = usual, sealed, grace
        self._clock = clock
        self._version: int | None = None
        self._asking: dict[str, Asking] = {}  # by service
        self._since: dict[str, float] = {}  # by host: since when it has no certificate
        self._told: Told = {}
        self._news = asyncio.Event()
        store.subscribe(lambda _picture: self._news.set())

    def follow(self, snapshot: Picture) -> Turns[None]:
        """A reader of snapshots."""
        change = snapshot.changed_since(self._version)
        for name in change.services if change is not None else {**self._asking, **snapshot.services}:
            asking = of(snapshot.services.get(name), self._usual)
            if self._asking.pop(name, None) != (asking if any(asking) else None):
                self._news.set()
            if any(asking):
                self._asking[name] = asking
            yield
        self._version = snapshot.version

    async def run(self) -> None:
        """Judge whenever something is new, or a time is up, until cancelled."""
        due: float | None = None
        while True:
            try:
                async with asyncio.timeout(due):
                    await self._news.wait()
            except TimeoutError:
                pass
            else:
                await asyncio.sleep(BURST)
            self._news.clear()
            due = await in_turns(self.judge())

    def judge(self) -> Turns[float | None]:
        """Tell what is wrong now. Returns the seconds until something may be that is not yet; None: nothing is."""
        picture, now, since = self._store.picture, self._clock(), dict[str, float]()
        found: dict[str, tuple[Problem, ...]] = {}
        for name, asking in tuple(self._asking.items()):
            problems = []
            for subject, hosts in zip(("label haystack.https", "HAYSTACK_HTTPS"), asking, strict=True):
                lacking = [host for host in hosts if not _has(picture, host)]
                since.update((host, self._since.get(host, now)) for host in lacking)
                late = [host for host in lacking if self._is_late(picture, host, since[host], now)]
                # without a listener, each service would say what one setting is the cause of, which is told once (startup/certificates.py)
                if late and (self._sealed or hosts is asking.labelled):
                    problems.append(Problem(subject=subject, message=self._message(picture, late)))
                yield
            if problems:
                found[name] = tuple(problems)
        self._since = since
        if found != self._told:
            self._told = found
            self._tell(found)
        coming = [at + self._grace - now for at in since.values() if at + self._grace > now]
        return min(coming, default=None)

    def _is_late(self, picture: Certificates, host: str, since: float, now: float) -> bool:
        return not self._sealed or bool(_error(picture, host)) or now - since >= self._grace

    def _message(self, picture: Certificates, hosts: list[str]) -> str:
        more = f" and {len(hosts) - NAMED} more" if len(hosts) > NAMED else ""
        error = next(filter(None, (_error(picture, host) for host in hosts)), "")
        why = f"no certificate is for {'it' if len(hosts) == 1 else 'them'}{f' ({error})' * bool(error)}" if self._sealed else UNSEALED
        return f"'redirect' has no effect for {', '.join(hosts[:NAMED])}{more}: {why}"


def of(service: Service | None, usual: str) -> Asking:
    """The hosts of a service that are to be redirected. Its own name is one where it has no other: no authority has certificates for it."""
    if service is None or not service.has_http:
        return Asking()
    if not service.claims:
        asked = service.https or (usual if service.public else "on")
        names = (service.name,) if asked == REDIRECT else ()
        return Asking(names) if service.https else Asking(usual=names)
    claims = [c for c in service.claims if c.path and c.host not in service.passed]
    return Asking(
        tuple(dict.fromkeys(c.host for c in claims if c.https == REDIRECT)),
        tuple(dict.fromkeys(c.host for c in claims if c.https is None and usual == REDIRECT)),
    )


def _has(picture: Certificates, host: str) -> bool:
    """Whether a request for this host is redirected, as far as certificates go."""
    found = picture.find(host)
    return found is not None and found.covers(host)


def _error(picture: Certificates, host: str) -> str:
    """Why an authority has given none."""
    entry = picture.entries.get((ACME, key_of_name(host)))
    return entry.error if entry is not None else ""
