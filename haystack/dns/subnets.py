"""Which network of the engines an asker is on, by its address: a number for each network, and the table in which a worker looks it up.

Never does: know a container.
"""

from __future__ import annotations

from collections.abc import Mapping

from haystack.loop.turns import Turns, stretches
from haystack.model.records import Network
from haystack.net import access

ASIDE = "docker_gwbridge"  # by which tasks of a Swarm reach their host, and not one another: nobody asks from there as a neighbour


class Subnets:
    """Numbers of networks, from 1 on; one that is gone leaves its number to nobody."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._networks: Mapping[str, Network] = {}
        self.table = access.Table(b"", b"")

    def number(self, network: str) -> int:
        """The number of a network, by its id."""
        return self._numbers.setdefault(network, len(self._numbers) + 1)

    def follow(self, networks: Mapping[str, Network]) -> Turns[bool]:
        """These are the networks, by their ids: whether the table is another one. The same mapping as before costs nothing.

        Of two with the same subnet, as two engines may have, the first by its id counts: nobody can say on which of them an asker is.
        """
        if networks is self._networks:
            return False
        rows = []
        for some in stretches(sorted(networks)):
            known = ((each, networks[each]) for each in some)
            rows += [(span, self.number(each)) for each, it in known if it.name != ASIDE for span in access.spans(it.subnets)]
            yield
        table = yield from access.flattened(rows, _inner)
        self._networks = networks
        changed, self.table = table != self.table, table
        return changed


def _inner(inner: int, outer: int) -> int:
    return inner or outer
