"""What one engine is known to hold: the mutable picture behind a provider's whole lists. One thread's own.

Events and inspections change it, listing() tells it. Never does: I/O, deciding what an event means (events.py).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from msgspec.structs import replace

from haystack.discovery import local
from haystack.discovery.graves import Graves
from haystack.discovery.inspect import SHARED, Found
from haystack.discovery.place import Surroundings, placed
from haystack.model import Container, Engine, Listing, Network, Record


class Mark(Record, frozen=True, kw_only=True):
    """A container that was told to stop and may not have done so yet. at: Unix seconds."""

    signal: str
    at: float


class View:
    """Containers by id, networks by id, and marks of those that are stopping.

    own: Haystack's own container id, 64 or 12 hex digits, or empty; here: its addresses, for when it is in no container.
    """

    def __init__(self, own: str = "", here: tuple[local.Address, ...] = ()) -> None:
        self.engine: Engine | None = None
        self.graves = Graves()
        self._own = own
        self._here = here
        self._networks: dict[str, Network] = {}
        self._found: dict[str, Found] = {}
        self._marks: dict[str, Mark] = {}
        self._order: list[str] = []  # the ids of `_found`, sorted
        self._sharers: set[str] = set()  # those on the network stack of another container
        self._hidden: set[str] = set()  # Haystack itself, here or elsewhere
        self._shown: dict[str, Container] = {}  # as they were listed last
        self._stale: set[str] = set()  # of these: those that may look different by now
        self._around = Surroundings()
        self._all_networks: tuple[Network, ...] = ()

    def __contains__(self, identity: str) -> bool:
        return identity in self._found

    def set_networks(self, networks: Iterable[Network]) -> None:
        """Take these as all the networks there are."""
        self._networks = {n.id: n for n in networks}
        self._all_networks = tuple(self._networks.values())

    def put(self, found: Found) -> None:
        """Take this as the truth about one container. A mark older than its start says nothing any more."""
        identity = found.container.id
        if identity not in self._found:
            insort(self._order, identity)
        self._set(identity, found)
        mark = self._marks.get(identity)
        if mark is not None and found.container.since > mark.at:
            self.unmark(identity)

    def _set(self, identity: str, found: Found) -> None:
        self._found[identity] = found
        self._stale.add(identity)
        (self._sharers.add if found.network_mode.startswith(SHARED) else self._sharers.discard)(identity)
        (self._hidden.add if found.itself or self._is_own(identity) else self._hidden.discard)(identity)

    def remove(self, identity: str) -> None:
        """Forget a container."""
        if self._found.pop(identity, None) is not None:
            del self._order[bisect_left(self._order, identity)]
        self._marks.pop(identity, None)
        self._shown.pop(identity, None)
        for kept in (self._stale, self._sharers, self._hidden):
            kept.discard(identity)

    def bury(self, identity: str, at: float, status: str) -> None:
        """Forget a container whose process has ended, but for how."""
        found = self._found.get(identity)
        if found is not None and identity not in self._hidden:
            self.graves.bury(self._marked(placed(found, self._surroundings(), self._found)), at, status)
        self.remove(identity)

    def keep(self, identities: Iterable[str]) -> None:
        """Forget every container but these."""
        wanted = set(identities)
        for identity in self._found.keys() - wanted:
            self.remove(identity)

    def stop_signal(self, identity: str) -> str:
        """The signal with which this container says it stops; empty when it doesn't say."""
        found = self._found.get(identity)
        return found.stop_signal if found else ""

    def started(self, identity: str) -> float:
        """When a container last started, Unix seconds; 0.0 when not known."""
        found = self._found.get(identity)
        return found.container.since if found else 0.0

    def name(self, identity: str) -> str:
        """A container's name; empty when it is not known."""
        found = self._found.get(identity)
        return found.container.name if found else ""

    def health(self, identity: str) -> str:
        """A container's health; empty when it is not known."""
        found = self._found.get(identity)
        return found.container.health if found else ""

    def signal(self, identity: str) -> str | None:
        """The signal by which a container was told to stop; None where it was not."""
        mark = self._marks.get(identity)
        return mark.signal if mark else None

    def mark(self, identity: str, signal: str, at: float) -> None:
        """Note that a container was told to stop; it may not have been seen yet."""
        self._marks[identity] = Mark(signal=signal, at=at)
        self._doubt(identity)

    def stopping(self) -> tuple[str, ...]:
        """Those that were told to stop."""
        return tuple(self._marks)

    def unmark(self, identity: str) -> None:
        """Forget that a container was told to stop."""
        if self._marks.pop(identity, None) is not None:
            self._doubt(identity)

    def _doubt(self, identity: str) -> None:
        if identity in self._found:
            self._stale.add(identity)

    def pause(self, identity: str) -> None:
        """Note that a container is paused."""
        found = self._found.get(identity)
        if found is not None:
            self._set(identity, replace(found, container=replace(found.container, state="paused", state_reason="paused")))

    def listing(self) -> Listing:
        """The whole list as of now: Haystack itself left out, addresses chosen, those that stop so marked.

        What has not changed is the same object as in the list before, which is how others see quickly what has.
        """
        around = self._surroundings()
        if around != self._around:
            self._around, self._stale = around, set(self._found)
        for identity in self._stale | self._sharers:
            shown = self._marked(placed(self._found[identity], around, self._found))
            if shown != self._shown.get(identity):
                self._shown[identity] = shown
        self._stale.clear()
        order = [i for i in self._order if i not in self._hidden] if self._hidden else self._order
        containers = tuple(map(self._shown.__getitem__, order))
        departures = self.graves.departures()
        return Listing(engine=self.engine, networks=self._all_networks, containers=containers, departures=departures)

    def _surroundings(self) -> Surroundings:
        address = self.engine.address if self.engine else None
        return Surroundings(networks=self._networks, own=self._own_networks(), engine_address=address)

    def _is_own(self, identity: str) -> bool:
        return bool(self._own) and identity.startswith(self._own)

    def _own_networks(self) -> frozenset[str]:
        """Those of Haystack's own container; without one here, those that an address of this machine lies in."""
        for identity in self._hidden:
            found = self._found[identity]
            if self._is_own(identity) and found.network_mode != "host":
                return frozenset(a.network_id for a in found.container.attachments)
        return local.networks_of(self._networks.values(), self._here)

    def _marked(self, container: Container) -> Container:
        mark = self._marks.get(container.id)
        if mark is None or container.state != "running":
            return container
        return replace(container, state="stopping", state_reason=f"kill {mark.signal}", since=mark.at or container.since)
