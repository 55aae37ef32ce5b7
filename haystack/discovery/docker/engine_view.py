"""What one engine is known to hold: the mutable picture behind a provider's whole lists. One thread's own.

Events and inspections change it, listing() tells it. Never does: I/O, deciding what an event means (events.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from haystack.discovery import network_stack, own_place
from haystack.discovery.address import Surroundings, placed
from haystack.discovery.docker.departures import Departures
from haystack.discovery.docker.inspect import SHARED, Found
from haystack.discovery.reachability import Stand, Standpoint
from haystack.model.listed import Listed
from haystack.model.records import STOPPING, Container, Engine, Listing, Network, Record


class Mark(Record, frozen=True, kw_only=True):
    """A container that was told to stop and may not have done so yet.

    at: Unix seconds; started: its start, which it goes by, in Unix seconds, 0.0 when that was not known; until: when it is believed
    no more, in seconds of a clock that only grows.
    """

    signal: str
    at: float
    started: float
    until: float


class View:
    """Containers by id, networks by id, and marks of those that are stopping.

    own: Haystack's own container id, 64 or 12 hex digits, or empty; aliases: HAYSTACK_ALIASES.
    """

    def __init__(self, own: str = "", aliases: tuple[str, ...] = ()) -> None:
        self.aliases = aliases
        self.engine: Engine | None = None
        self.gone = Departures()
        self.told = False  # it has been listed to somebody
        self._own = own
        self._networks: dict[str, Network] = {}
        self._found: dict[str, Found] = {}
        self._marks: dict[str, Mark] = {}
        self._ill: set[str] = set()  # those that are told to be unhealthy, and have not been looked at since
        self._pauses: dict[str, float] = {}  # since when those are paused of which that is known, Unix seconds
        self._listed = Listed()  # as they were listed last
        self._sharers: set[str] = set()  # those on the network stack of another container
        self._hidden: set[str] = set()  # Haystack itself, here or elsewhere
        self._stale: set[str] = set()  # those that may look different by now, or have gone
        self._around = Surroundings()
        self._all_networks: tuple[Network, ...] = ()
        self._attached: tuple[str, ...] = ()  # the subnets that Haystack's addresses are in
        self._ours: dict[bool, frozenset[str]] = {}  # the networks that they are on; by whether the engine is on another host

    def move(self, attached: tuple[str, ...]) -> bool:
        """Haystack's addresses are in these subnets now; whether that may make a difference to what is listed."""
        before, self._attached = self._attached, attached
        return before != attached and self._standpoint().remote

    def __contains__(self, identity: str) -> bool:
        return identity in self._found

    @property
    def networks(self) -> tuple[Network, ...]:
        """Those of the engine, as they were told last. From any thread."""
        return self._all_networks

    def set_networks(self, networks: Iterable[Network], here: tuple[own_place.Address, ...] = (), attached: tuple[str, ...] = ()) -> None:
        """Take these as all the networks there are. here: Haystack's addresses, for when it is in no container; attached: their subnets."""
        old = self._networks
        self._networks = {n.id: kept if (kept := old.get(n.id)) == n else n for n in networks}
        self._all_networks = tuple(self._networks.values())
        self._attached = attached
        far = [n for n in self._all_networks if n.driver != "bridge"]  # each host has bridges of its own, with the same gateways
        self._ours = {False: own_place.networks_of(self._all_networks, here), True: own_place.networks_of(far, here)}

    def put(self, found: Found) -> None:
        """Take this as the truth about one container. A mark of another life than this one says nothing any more."""
        identity = found.container.id
        self._set(identity, found)
        self._ill.discard(identity)
        if found.container.state != "paused":
            self._pauses.pop(identity, None)
        mark, started = self._marks.get(identity), found.container.since
        # Another start is another life, whatever the clock was set to between the two; only of an unknown one the times have to tell.
        if mark is not None and (started != mark.started if mark.started else started > mark.at):
            self.unmark(identity)

    def _set(self, identity: str, found: Found) -> None:
        self._found[identity] = found
        self._stale.add(identity)
        (self._sharers.add if found.network_mode.startswith(SHARED) else self._sharers.discard)(identity)
        (self._hidden.add if found.itself or self._is_own(identity) else self._hidden.discard)(identity)

    def remove(self, identity: str) -> None:
        """Forget a container."""
        if self._found.pop(identity, None) is not None:
            self._stale.add(identity)
        for known in (self._marks, self._pauses):
            known.pop(identity, None)
        for kept in (self._sharers, self._hidden, self._ill):
            kept.discard(identity)

    def end(self, identity: str, at: float, status: str) -> None:
        """Forget a container whose process has ended, but for how."""
        found = self._found.get(identity)
        if found is not None and identity not in self._hidden:
            self.gone.ended(self._marked(placed(found, self._surroundings(), self._found)), at, status)
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

    def falls_ill(self, found: Found) -> bool:
        """Whether a container is unhealthy, and was not when it was looked at before."""
        identity = found.container.id
        old = self._found.get(identity)
        well = old is None or old.container.health != "unhealthy" or identity in self._ill
        return well and found.container.health == "unhealthy"

    def ail(self, identity: str) -> None:
        """Note that a container is told to be unhealthy."""
        found = self._found.get(identity)
        if found is not None and found.container.health != "unhealthy":
            self._ill.add(identity)
            self._set(identity, replace(found, container=replace(found.container, health="unhealthy")))

    def signal(self, identity: str) -> str | None:
        """The signal by which a container was told to stop; None where it was not."""
        mark = self._marks.get(identity)
        return mark.signal if mark else None

    def mark(self, identity: str, signal: str, at: float, until: float) -> None:
        """Note that a container was told to stop, as in `Mark`; it may not have been seen yet."""
        self._marks[identity] = Mark(signal=signal, at=at, started=self.started(identity), until=until)
        self._doubt(identity)

    def stopping(self) -> dict[str, float]:
        """Those that were told to stop, and until when that is believed, in seconds of a clock that only grows."""
        return {identity: mark.until for identity, mark in self._marks.items()}

    def unmark(self, identity: str) -> None:
        """Forget that a container was told to stop."""
        if self._marks.pop(identity, None) is not None:
            self._doubt(identity)

    def _doubt(self, identity: str) -> None:
        if identity in self._found:
            self._stale.add(identity)

    def pause(self, identity: str, at: float) -> None:
        """Note that a container is paused. at: Unix seconds."""
        found = self._found.get(identity)
        if found is not None:
            self._pauses[identity] = at
            self._set(identity, replace(found, container=replace(found.container, state="paused", state_reason="paused")))

    def listing(self) -> Listing:
        """The whole list as of now: Haystack itself left out, addresses chosen, those that stop so marked.

        What has not changed is the same object as in the list before, which is how others see quickly what has.
        """
        self.told = True
        around = self._surroundings()
        if around != self._around:
            self._around = around
            self._stale.update(self._found)
        changes: dict[str, Container | None] = {}
        for identity in self._stale | self._sharers:
            shown = self._shown(identity)
            if shown != self._listed.by_id.get(identity):
                changes[identity] = shown
        self._stale.clear()
        self._listed = self._listed.changed(changes)
        departures = self.gone.departures()
        if self.engine is not None and self.engine.remote != around.here.remote:
            self.engine = replace(self.engine, remote=around.here.remote)  # it has Haystack's own container
        return Listing(engine=self.engine, networks=self._all_networks, containers=self._listed, departures=departures)

    def _shown(self, identity: str) -> Container | None:
        """A container as it is listed; None where it is not."""
        found = self._found.get(identity)
        return self._marked(placed(found, self._around, self._found)) if found and identity not in self._hidden else None

    def _surroundings(self) -> Surroundings:
        address = self.engine.address if self.engine else None
        return Surroundings(networks=self._networks, here=self._standpoint(), engine_address=address)

    def _is_own(self, identity: str) -> bool:
        return bool(self._own) and identity.startswith(self._own)

    def _standpoint(self) -> Standpoint:
        """Where Haystack is: on the networks of its own container, or of the one whose stack that is on; else, where its addresses are."""
        mine = next((self._found[i] for i in self._hidden if self._is_own(i)), None)
        stack = network_stack.of(mine, self._found) if mine is not None else None
        if mine is not None and stack is not None and stack.owner is not None and stack.owner.network_mode != "host":
            container = stack.owner.container
            own = frozenset(a.network_id for a in container.attachments)
            return Standpoint(stand=Stand.INSIDE, own=own, name=container.name, task=mine.task)
        remote = mine is None and self.engine is not None and self.engine.remote
        attached = self._attached if remote else ()
        own = self._ours.get(remote, frozenset())
        if mine is None and self._own:
            return Standpoint(stand=Stand.ELSEWHERE, own=own, name=self._own[:12], remote=remote, attached=attached)
        return Standpoint(stand=Stand.MACHINE, own=own, remote=remote, attached=attached)

    def _marked(self, container: Container) -> Container:
        if container.state == "paused":
            return replace(container, since=self._pauses.get(container.id, container.since))
        mark = self._marks.get(container.id)
        if mark is None or container.state != "running":
            return container
        return replace(container, state=STOPPING, state_reason=f"kill {mark.signal}", since=mark.at or container.since)
