"""Whether Docker hides who asks: its userland proxy, Swarm's routing mesh and others like them connect in the client's stead.

They do so from a network's gateway, or from Swarm's ingress network. Then everybody counts as inside, and what HAYSTACK_ALLOW says is of no
use: that is told once, as a problem, when many connections have come from such an address and none from any other place outside of the
engines' networks. Never looks at a client itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from haystack.model.records import Problem

MANY = 20  # connections


class Counted(Protocol):
    """What a worker has counted."""

    @property
    def hidden(self) -> int:
        """Connections that came from the gateway of an engine's network, or over Swarm's ingress network."""

    @property
    def outside(self) -> int:
        """Connections from anywhere but the engines' networks and loopback."""

    @property
    def gateway(self) -> str:
        """The first such address; empty: none."""


class Hidden:
    """remark: takes the problem."""

    def __init__(self, remark: Callable[[Problem], None]) -> None:
        self._remark = remark
        self._done = False

    def look(self, workers: Iterable[Counted]) -> None:
        """Judge by what all workers have counted so far."""
        if self._done:
            return
        found = [(each.hidden, each.outside, each.gateway) for each in workers]
        if any(outside for _, outside, _ in found):
            self._done = True  # whoever comes from outside keeps his address
        elif sum(hidden for hidden, _, _ in found) >= MANY:
            self._done = True
            self._remark(_problem(next(gateway for _, _, gateway in found if gateway)))


def _problem(gateway: str) -> Problem:
    where = "the gateway of one or a node of Swarm's ingress"
    text = (
        f"all clients from outside the engines' networks have the address {gateway}, {where}: unless these are only programs of this"
        " machine, Docker's userland proxy or Swarm's routing mesh hides their addresses, and clients from anywhere count as private;"
        " see docs/access.md"
    )
    return Problem(subject="client addresses", message=text)
