"""What one engine is known to hold: the mutable picture behind a provider's whole lists. One thread's own.

Events and inspections change it, listing() tells it. Never does: I/O, deciding what an event means (events.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from haystack.discovery import local
from haystack.discovery.inspect import Found
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
        self._own = own
        self._here = here
        self._networks: dict[str, Network] = {}
        self._found: dict[str, Found] = {}
        self._marks: dict[str, Mark] = {}

    def __contains__(self, identity: str) -> bool:
        return identity in self._found

    def set_networks(self, networks: Iterable[Network]) -> None:
        """Take these as all the networks there are."""
        self._networks = {n.id: n for n in networks}

    def put(self, found: Found) -> None:
        """Take this as the truth about one container. A mark older than its start says nothing any more."""
        identity = found.container.id
        self._found[identity] = found
        mark = self._marks.get(identity)
        if mark is not None and found.container.since > mark.at:
            del self._marks[identity]

    def remove(self, identity: str) -> None:
        """Forget a container."""
        self._found.pop(identity, None)
        self._marks.pop(identity, None)

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

    def stopping(self) -> tuple[str, ...]:
        """Those that were told to stop."""
        return tuple(self._marks)

    def unmark(self, identity: str) -> None:
        """Forget that a container was told to stop."""
        self._marks.pop(identity, None)

    def pause(self, identity: str) -> None:
        """Note that a container is paused."""
        found = self._found.get(identity)
        if found is not None:
            self._found[identity] = replace(found, container=replace(found.container, state="paused", state_reason="paused"))

    def listing(self) -> Listing:
        """The whole list as of now: Haystack itself left out, addresses chosen, those that stop so marked."""
        around = Surroundings(
            networks=dict(self._networks),
            own=self._own_networks(),
            engine_address=self.engine.address if self.engine else None,
        )
        shown = [f for i, f in sorted(self._found.items()) if not (f.itself or self._is_own(i))]
        containers = tuple(self._marked(placed(f, around, self._found)) for f in shown)
        return Listing(engine=self.engine, networks=tuple(self._networks.values()), containers=containers)

    def _is_own(self, identity: str) -> bool:
        return bool(self._own) and identity.startswith(self._own)

    def _own_networks(self) -> frozenset[str]:
        """Those of Haystack's own container; without one here, those that an address of this machine lies in."""
        for identity, found in self._found.items():
            if self._is_own(identity) and found.network_mode != "host":
                return frozenset(a.network_id for a in found.container.attachments)
        return local.networks_of(self._networks.values(), self._here)

    def _marked(self, container: Container) -> Container:
        mark = self._marks.get(container.id)
        if mark is None or container.state != "running":
            return container
        return replace(container, state="stopping", state_reason=f"kill {mark.signal}", since=mark.at or container.since)
