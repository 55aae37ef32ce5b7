"""What is known of each endpoint beside its container's state: follows every snapshot, and has it built again when something changes.

It looks at those endpoints that speak HTTP: others join when their containers run. Never decides who is in (policy.py), never touches
a snapshot. On the control loop's thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from haystack.health.arrivals import UNKNOWN, Arrivals, Connect
from haystack.health.connect import accepts
from haystack.health.policy import WELL, Condition
from haystack.model import Container, Endpoint
from haystack.snapshot import Snapshot

Life = tuple[str, int, float]  # address, port and the container's start: whoever has another one is another endpoint


YOUNG = 60.0  # seconds for which a container may be starting still


class Monitor:
    """changed: have a snapshot built; connect: how to see whether a port accepts; clock: seconds that only grow."""

    def __init__(self, changed: Callable[[], None], connect: Connect = accepts, clock: Callable[[], float] = time.monotonic) -> None:
        self._arrivals = Arrivals(changed, connect, clock)
        self._lives: dict[str, Life] = {}
        self._expected: set[str] = set()

    def expect(self, containers: Iterable[Container]) -> None:
        """These containers ran before we looked: in the next snapshot they are in, but for those that may be starting with us."""
        now = time.time()
        self._expected.update(c.id for c in containers if not now - YOUNG < c.since < now + YOUNG)

    def condition(self, container: Container, endpoint: Endpoint) -> Condition:
        """What is known of an endpoint; of a new one, that it has to show itself first. Changes nothing."""
        if endpoint.listener is None or container.state != "running":
            return WELL
        if self._lives.get(endpoint.id) != _life(container, endpoint):
            return WELL if container.id in self._expected else Condition(waiting=f"port {endpoint.port} {UNKNOWN}")
        why, overdue = self._arrivals.state(endpoint.id)
        return Condition(waiting=why, overdue=overdue) if why else WELL

    def follow(self, snapshot: Snapshot) -> None:
        """Watch the endpoints of this snapshot whose containers run, and no others: who stopped or paused has to show itself anew."""
        lives: dict[str, Life] = {}
        owners: dict[str, str] = {}
        for service in snapshot.services.values():
            for endpoint in service.endpoints:
                container = snapshot.containers[endpoint.container]
                if endpoint.listener is not None and container.state == "running":
                    lives[endpoint.id] = _life(container, endpoint)
                    owners[endpoint.id] = container.id
        for identity in [i for i, life in self._lives.items() if lives.get(i) != life]:
            self._forget(identity)
        for identity, life in lives.items():
            if identity not in self._lives:
                self._lives[identity] = life
                self._arrivals.add(identity, life[0], life[1], running=owners[identity] in self._expected)
        self._expected.clear()

    def close(self) -> None:
        """Stop looking."""
        self._lives.clear()
        self._arrivals.close()

    def _forget(self, identity: str) -> None:
        del self._lives[identity]
        self._arrivals.drop(identity)


def _life(container: Container, endpoint: Endpoint) -> Life:
    return endpoint.address, endpoint.port, container.since
