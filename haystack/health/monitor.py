"""What is known of each endpoint beside its container's state: follows every snapshot, and has it built again when something changes.

It looks at those endpoints that speak HTTP: others join when their containers run. Never decides who is in (policy.py), never touches
a snapshot. On the control loop's thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from haystack.health import probe_address, ramp
from haystack.health.admission import LOOKS, UNKNOWN, Arrivals, Connect
from haystack.health.asking import ask
from haystack.health.ejections import Ejections
from haystack.health.endpoint_tls import Seal, Unsealed, unsealed
from haystack.health.orphans import Orphans
from haystack.health.policy import WELL, Condition
from haystack.health.prober import AT_ONCE, Ask, Prober
from haystack.health.tcp_check import GREETINGS, accepts
from haystack.loop.turns import Turns
from haystack.model.endpoints import endpoints, names
from haystack.model.reasons import span
from haystack.model.records import Container
from haystack.model.reports import FailureRow
from haystack.model.services import Endpoint, Service
from haystack.model.snapshot import Snapshot
from haystack.observe.journal import Note, unnoted

# Address, port, the container's start, and how it is spoken to: whoever has another one is another endpoint.
Life = tuple[object, ...]
YOUNG = 60.0  # seconds for which a container may be starting still


class Monitor:
    """changed: have a snapshot built; connect: how to see whether a port accepts; asker: how to probe; clock: seconds that only grow.

    looks, probes: connections at once, to see whether ports accept and for probes; note: the journal hears of ejections.
    """

    def __init__(
        self,
        changed: Callable[[], None],
        connect: Connect = accepts,
        asker: Ask = ask,
        clock: Callable[[], float] = time.monotonic,
        *,
        looks: int = LOOKS,
        probes: int = AT_ONCE,
        note: Note = unnoted,
    ) -> None:
        self.seal: Callable[[Endpoint], Seal | Unsealed] = unsealed  # how to speak to one that is within TLS
        self.ejections = Ejections(self._doubt, clock, note)
        self._changed = changed
        self._clock = clock
        self._connect, self._ask = connect, asker
        self._arrivals = Arrivals(changed, connect, clock, looks)
        self._arrivals.moved = self._moved
        self._orphans = Orphans(self._arrivals)
        self._prober = Prober(changed, asker, clock, probes)
        self._version: int | None = None
        self._lives: dict[str, Life] = {}
        self._published: dict[str, tuple[Container, Endpoint]] = {}  # who may be reached at a published port instead
        self._of: dict[str, frozenset[str]] = {}  # by container: its endpoints among `_lives`
        self._slow: dict[str, float] = {}  # who starts slowly: the seconds of a step
        self._expected: set[str] = set()
        self._doubtful: set[str] = set()
        self._step: asyncio.TimerHandle | None = None

    def expect(self, containers: Iterable[Container]) -> None:
        """These containers ran before we looked: in the next snapshot they are in, but for those that may be starting with us."""
        now = time.time()
        self._expected.update(c.id for c in containers if not now - YOUNG < c.since < now + YOUNG)

    def condition(self, container: Container, endpoint: Endpoint) -> Condition:
        """What is known of an endpoint; of a new one, that it has to show itself first. Changes nothing."""
        if endpoint.listener is None or container.state != "running":
            return WELL
        known, place = self._condition(container, endpoint), probe_address.place(self._arrivals, container, endpoint)
        return known if place is None else replace(known, place=place)

    def _trusted(self, container: Container) -> bool:
        """Whether it is in before it has shown itself."""
        return container.id in self._expected and not probe_address.is_doubtful(container)

    def _condition(self, container: Container, endpoint: Endpoint) -> Condition:
        if endpoint.connection.is_sealed and isinstance(seal := self.seal(endpoint), Unsealed):
            return Condition(waiting=seal.why, overdue=not seal.pending)  # workers can't, either
        if self._lives.get(endpoint.id) != _life(container, endpoint):
            return WELL if self._trusted(container) else Condition(waiting=f"port {endpoint.port} {UNKNOWN}")
        if gone := self._orphans.gone(container.id, endpoint.id):
            return Condition(gone=gone)
        if unreachable := self._arrivals.unreached(endpoint.id):
            return Condition(unreachable=unreachable)
        why, overdue = self._arrivals.state(endpoint.id)
        waiting, failing = self._prober.verdict(endpoint.id)
        known = WELL
        if why or waiting or failing:
            known = Condition(waiting=why or waiting, overdue=overdue, lost=self._arrivals.lost(endpoint.id), failing=failing)
        return self.ejections.applied(endpoint.id, known)

    def doubtful(self) -> set[str]:
        """Ids of endpoints whose condition may have changed since this was asked last."""
        found = self._doubtful | self._arrivals.changed | self._prober.changed
        for kept in (self._doubtful, self._arrivals.changed, self._prober.changed):
            kept.clear()
        return found

    def doubt(self, orphans: Iterable[str]) -> None:
        """Look whether the endpoints of these containers accept connections still: they are all whose engines don't answer."""
        if doubtful := self._orphans.take(orphans, self._of):
            self._doubtful |= doubtful
            self._changed()

    def reseal(self) -> None:
        """Some that can be spoken to within TLS may be others now."""
        self._doubtful.update(key for key, life in self._lives.items() if life[-1] is not None)
        self._changed()

    def told(self, identity: str) -> str:
        """``200 from /up 1.2 s ago``: what an endpoint's probe said last; empty where it has none or has said nothing yet."""
        state = self._prober.state(identity)
        return f"{state.told} {span(self._clock() - state.at)} ago" if state is not None and state.told else ""

    def failures(self, rows: Sequence[FailureRow]) -> None:
        """What a worker saw of endpoints: those that refused are looked at, and those that fail too often are put out for a while."""
        for row in rows:
            if row.key not in self._lives:
                continue
            if row.refused or (row.timeouts and self._arrivals.hindered(row.key)):
                self._arrivals.doubt(row.key, worked=row.requests > row.refused + row.resets + row.timeouts)
            self.ejections.hear(row)

    def _doubt(self, identity: str) -> None:
        """Something else is known of this endpoint now."""
        self._doubtful.add(identity)
        self._changed()

    def follow(self, snapshot: Snapshot) -> Turns[None]:
        """Watch the endpoints of this snapshot whose containers run, and no others: who stopped or paused has to show itself anew."""
        change = snapshot.changed_since(self._version)
        if change is None:
            self._slow.clear()
            containers, services = frozenset({*snapshot.containers, *self._of}), frozenset(snapshot.services)
        else:
            containers, services = change.containers, change.services
        self._version = snapshot.version
        for identity in containers:
            self._follow(snapshot, identity)
            yield
        for name in services & snapshot.services.keys():
            self._note_slow(snapshot, snapshot.services[name])
            yield
        self.ejections.keep(snapshot.services)
        self._warm(min(self._slow.values(), default=0.0))
        self._expected.clear()

    def _follow(self, snapshot: Snapshot, identity: str) -> None:
        """Watch the endpoints of one container."""
        container = snapshot.containers.get(identity)
        lives: dict[str, tuple[Container, Endpoint]] = {}
        if container is not None and container.state == "running":
            each = endpoints(snapshot.origin, container) if names(snapshot.origin, container)[0] else ()
            lives = {e.id: (container, e) for e in each if e.listener is not None}
        for gone in self._of.get(identity, frozenset()):
            if gone not in lives or self._lives.get(gone) != _life(*lives[gone]):
                self._forget(gone)
        for key, life in lives.items():
            if key not in self._lives:
                self._lives[key] = _life(*life)
                self._begin(*life)
            elif probe_address.probe_of(self._arrivals, *life) != self._prober.probe(key):
                self._probe_anew(*life)
            if (there := probe_address.published(life[0], life[1].port, life[1].protocol)) is not None:
                self._published[key] = life
            self._arrivals.note(key, life[0].obstacle, there)
            self.ejections.watch(key, life[0].name, exempt=not life[0].options.eject)
        self._of.pop(identity, None)
        if lives:
            self._of[identity] = frozenset(lives)

    def _note_slow(self, snapshot: Snapshot, service: Service) -> None:
        for endpoint in service.endpoints:
            self._slow.pop(endpoint.id, None)
        for endpoint in (*service.endpoints, *(e for claim in service.claims for e in claim.endpoints)):  # one can be in for a claim alone
            if endpoint.share < 1.0:
                self._slow[endpoint.id] = ramp.length(snapshot.containers[endpoint.container].options) / ramp.STEPS

    def _warm(self, seconds: float) -> None:
        """Have a snapshot built every so many seconds, for somebody starts slowly; 0: nobody does."""
        if self._step is not None:
            self._step.cancel()
        self._step = asyncio.get_running_loop().call_later(seconds, self._warmer, seconds) if seconds else None

    def _warmer(self, seconds: float) -> None:
        """A step is due. The next one is set now: a snapshot that comes out the same is not published, and follow not called."""
        self._warm(seconds)
        self._changed()

    def close(self) -> None:
        """Stop looking."""
        self._warm(0.0)
        for identity in tuple(self._lives):
            self._forget(identity)

    def _begin(self, container: Container, endpoint: Endpoint) -> None:
        running = self._trusted(container)
        how: dict[str, Any] = {}
        if endpoint.connection.is_sealed:
            how["sealer"] = partial(self.seal, endpoint)
        if endpoint.connection.proxy_protocol:
            how["greeting"] = GREETINGS[endpoint.connection.proxy_protocol]
        connect: Connect | None = partial(self._connect, **how) if how else None
        self._arrivals.add(endpoint.id, endpoint.address, endpoint.port, running=running, connect=connect)
        self._probe(container, endpoint, running=running)

    def _probe(self, container: Container, endpoint: Endpoint, *, running: bool) -> None:
        """As its labels ask for. Another port than its own is spoken to without TLS."""
        asked = probe_address.probe_of(self._arrivals, container, endpoint)
        if asked is None:
            self._prober.drop(endpoint.id)
            return
        within = endpoint.connection.is_sealed and int(container.options.health.get("port", endpoint.port)) == endpoint.port
        asker = partial(self._ask, sealer=partial(self.seal, endpoint)) if within else None
        self._prober.add(endpoint.id, asked, running=running, asker=asker)

    def _probe_anew(self, container: Container, endpoint: Endpoint) -> None:
        """The labels of one that stays say something else by now, as those in a static file may: it is in until it shows otherwise."""
        self._probe(container, endpoint, running=True)
        self._doubt(endpoint.id)

    def _moved(self, identity: str) -> None:
        """It is reached at another place than before: its probe goes there, too."""
        if identity in self._published:
            self._probe(*self._published[identity], running=False)

    def _forget(self, identity: str) -> None:
        self._lives.pop(identity, None)
        self._published.pop(identity, None)
        self._slow.pop(identity, None)
        self._arrivals.drop(identity)
        self._prober.drop(identity)
        self.ejections.forget(identity)


def _life(container: Container, endpoint: Endpoint) -> Life:
    return endpoint.address, endpoint.port, container.since, endpoint.connection
