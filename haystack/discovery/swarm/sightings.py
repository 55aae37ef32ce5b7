"""Where the lists of engines and that of their Swarm become one: a container is listed once, by whoever knows it best.

Between the providers and the registry, on the loop. The engine of a node, where it is watched and answers, says which containers are there;
managers say so of all other nodes. Never does: asking anybody. What has not changed stays the same object, and costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain

from msgspec.structs import replace

from haystack.discovery.provider import Nowhere, Provider, Sink
from haystack.discovery.swarm.listened import Listened
from haystack.discovery.swarm.merging import lost_by, merged, service_of
from haystack.discovery.swarm.picture import Picture
from haystack.model.listed import Listed, changed_ids, differing
from haystack.model.records import Container, Listing

PassOn = Callable[[str, Listing], None]
NOBODY: Mapping[str, Container] = {}


class Seen:
    """One engine: what it listed, and what was passed on of that. connected: it answers."""

    def __init__(self) -> None:
        self.listing = Listing()
        self.tasks: dict[str, Container] = {}  # by id: those of a Swarm's services, by their names
        self.passed = Listed()
        self.connected = False
        self.ended: set[str] = set()  # ids of those that managers have told to have ended, since it answered last

    @property
    def node(self) -> str:
        """The node that it is in its Swarm; empty: it is in none."""
        return _node(self.listing)


class Sightings:
    """A Sink before another one, for engines; `take` is for the Swarm, whose source is `source`.

    poke: called when managers may have news.
    """

    def __init__(self, source: str) -> None:
        self.poke: Callable[[], None] = lambda: None
        self.picture = Picture()
        self._source = source
        self._sink: Sink = Nowhere()
        self._there = False
        self._engines: dict[str, Seen] = {}
        self._services: dict[str, set[str]] = {}  # by service: ids of containers that engines list
        self._at: dict[str, tuple[str, ...]] = {}  # by id of such a container: its sources, for DOCKER_HOST may name an engine twice
        self._listened = Listened()
        self._passed = Listed()
        self._standing: dict[str, str] = {}  # by service without a task: the id of what stands for it
        self._silent: Mapping[str, str] = {}

    def before(self, sink: Sink) -> Sightings:
        """Pass on to this one."""
        self._sink = sink
        return self

    @property
    def covered(self) -> set[str]:
        """The nodes whose engines are watched, and answer."""
        return {seen.node for seen in self._engines.values() if seen.connected and seen.node}

    # -- engines

    def replace(self, source: str, listing: Listing) -> None:
        """An engine's list."""
        seen = self._engines.setdefault(source, Seen())
        before, seen.listing = seen.listing, listing
        was, seen.connected = (seen.connected, _node(before)), True
        seen.ended.clear()
        if not seen.node:  # it is in no Swarm: nothing of it is anybody else's affair
            self._alone(source, seen, left=bool(was[1]))
            return
        old, new = differing(before.containers, listing.containers)
        after: dict[str, Container | None] = dict.fromkeys(c.id for c in chain.from_iterable(old))
        after.update({c.id: c for c in reversed(tuple(chain.from_iterable(new)))})  # where it lists one twice, the first counts
        names = {name for identity, container in after.items() for name in self._note(source, seen, identity, container)}
        anew = was != (True, seen.node)
        self._pass(source, seen, {*after, *(c.id for c in listing.containers)} if anew else after)
        if anew or names:
            self._pass_swarm(None if anew else after, names)
        if names or anew:
            self.poke()

    def _alone(self, source: str, seen: Seen, *, left: bool) -> None:
        """Pass on the list of an engine in no Swarm as it is. left: until now it was in one."""
        names = {name for identity in tuple(seen.tasks) for name in self._note(source, seen, identity, None)}
        seen.passed = Listed()
        self._sink.replace(source, seen.listing)
        if left:
            self._pass_swarm(None)
        if names:
            self.poke()

    def failed(self, source: str, error: str) -> None:
        """An engine does not answer: of its node, managers say who is there."""
        seen = self._engines.get(source)
        if seen is not None and seen.connected:
            seen.connected = False
            if seen.node:
                self._pass(source, seen, tuple(seen.tasks))
                self._pass_swarm(None)
                self.poke()
        self._sink.failed(source, error)

    def outdated(self, source: str, listing: Listing) -> None:
        """What is left of an engine that has not answered for long: of its tasks, managers alone say from now on how they are."""
        seen = self._engines.get(source)
        if seen is None or not seen.node:
            self._sink.outdated(source, listing)
            return
        tasks = tuple(seen.tasks)
        for identity in tasks:
            self._note(source, seen, identity, None)
        left = {c.id: c for c in listing.containers if c.id not in tasks}
        seen.listing = replace(listing, containers=Listed().changed(left))
        self._pass(source, seen, {*left, *tasks}, self._sink.outdated)
        self._pass_swarm(None)

    def withdraw(self, source: str) -> None:
        """A source is none any more."""
        self._sink.withdraw(source)

    def _note(self, source: str, seen: Seen, identity: str, container: Container | None) -> set[str]:
        """Take in one container of an engine, None: it has gone. The services whose tasks have come, gone, or become others by it."""
        old = seen.tasks.pop(identity, None)
        was, name = (service_of(each) if each is not None else "" for each in (old, container))
        if old is not None:
            self._leave(source, identity, was)
        if container is not None and name:
            seen.tasks[identity] = container
            self._services.setdefault(name, set()).add(identity)
            self._at[identity] = (*self._at.get(identity, ()), source)
            self._listened.note(name, container)
        if old is not None and container is not None and (was, old.state) == (name, container.state):
            return set()
        return {each for each in (was, name) if each}

    def _leave(self, source: str, identity: str, name: str) -> None:
        """A source lists this container of a service no more, or as another one."""
        others = tuple(each for each in self._at.pop(identity) if each != source)
        if others:
            self._at[identity] = others
        if not any(service_of(self._engines[each].tasks[identity]) == name for each in others):
            self._services[name].discard(identity)
            if not self._services[name]:
                del self._services[name]

    def _pass(self, source: str, seen: Seen, identities: Iterable[str], deliver: PassOn | None = None) -> None:
        """Pass on what an engine listed: these may look different. deliver: the method of the sink, where it is none of the usual ones."""
        listed = _by_id(seen.listing, identities)
        changes: dict[str, Container | None] = {}
        for identity in identities:
            container = listed.get(identity)
            made = self._merged(seen, container) if container is not None else None
            if made is not seen.passed.by_id.get(identity) and made != seen.passed.by_id.get(identity):
                changes[identity] = made
        seen.passed = seen.passed.changed(changes)
        usual = self._sink.replace if seen.connected else self._sink.outdated  # a list that it does not answer for connects it to nobody
        (deliver or usual)(source, replace(seen.listing, containers=seen.passed))

    def _merged(self, seen: Seen, container: Container) -> Container | None:
        """As it is passed on; None: it is not, for it has ended, as managers say while its engine does not answer."""
        lost = self._silent.get(seen.node, "") if seen.node else ""
        if container.id in seen.tasks:
            if not seen.connected and self._has_ended(seen, container.id):
                return None
            facts = self.picture.made.get(container.id) or self.picture.services.get(service_of(container))
            task = self.picture.containers.by_id.get(container.id)
            container = merged(container, facts, task, seen.listing.engine.address if seen.listing.engine is not None else None)
        return lost_by(container, lost)

    def _has_ended(self, seen: Seen, identity: str) -> bool:
        """Whether managers say so, or have: they remember the last ones only. A node that was away for a while may have it again."""
        if identity in self.picture.ended:
            seen.ended.add(identity)
        elif identity in self.picture.containers.by_id:
            seen.ended.discard(identity)
        return identity in seen.ended

    # -- the Swarm

    def take(self, picture: Picture) -> None:
        """What managers say."""
        old, self.picture, self._there = self.picture, picture, True
        changed = changed_ids(old.containers, picture.containers)
        names = {name for name in {*old.services, *picture.services} if old.services.get(name) is not picture.services.get(name)}
        suspects = (changed | (old.ended ^ picture.ended)).intersection(self._at)
        suspects.update(identity for name in names for identity in self._services.get(name, ()))
        suspects.update(identity for identity in self._at if old.made.get(identity) is not picture.made.get(identity))
        self._pass_engines(suspects)
        self._listened.keep(picture.services, self._services)
        absent = {name for name in {*old.absent, *picture.absent} if old.absent.get(name) is not picture.absent.get(name)}
        self._pass_swarm(changed, absent, always=True)

    def refused(self, error: str) -> None:
        """No manager answers: what was told last stays."""
        self._sink.failed(self._source, error)

    def dissolve(self) -> None:
        """There is no Swarm, or none any more."""
        known, self.picture, self._there = self._there, Picture(), False
        if known:
            self._pass_engines(set(self._at))
        self._passed, self._standing = Listed(), {}
        self._sink.withdraw(self._source)

    def silence(self, nodes: Mapping[str, str]) -> None:
        """These nodes are believed to be away, and why."""
        other = {node for node in {*nodes, *self._silent} if nodes.get(node) != self._silent.get(node)}
        self._silent = dict(nodes)
        for source, seen in self._engines.items():
            if seen.node in other:
                self._pass(source, seen, [c.id for c in seen.listing.containers])
        if other and self._there:
            self._pass_swarm({c.id for c in self.picture.containers if c.engine in other})
        if other:
            self.poke()

    def _pass_engines(self, identities: set[str]) -> None:
        by_source: dict[str, set[str]] = {}
        for identity in identities:
            for source in self._at[identity]:
                by_source.setdefault(source, set()).add(identity)
        for source, some in by_source.items():
            self._pass(source, self._engines[source], some)

    def _pass_swarm(self, identities: Iterable[str] | None, names: Iterable[str] = (), *, always: bool = False) -> None:
        """Pass on what managers list beside what engines do: these may look different, and services of these names; None: all may."""
        if not self._there:
            return
        if identities is None:
            identities, names = {*self.picture.containers.by_id, *self._passed.by_id}, {*self.picture.absent, *self._standing}
        covered, changes = self.covered, dict[str, Container | None]()
        for identity in identities:
            changes[identity] = self._listed(identity, covered)
        for name in names:
            self._stand_in(name, changes)
        held = self._passed.by_id
        changes = {identity: made for identity, made in changes.items() if made is not (old := held.get(identity)) and made != old}
        if changes or always:
            self._passed = self._passed.changed(changes)
            told = self.picture
            listing = Listing(networks=told.networks, containers=self._passed, problems=told.problems, peers=told.peers)
            self._sink.replace(self._source, listing)

    def _listed(self, identity: str, covered: set[str]) -> Container | None:
        """A task as it is passed on; None: it is not, for its engine says what is with it."""
        task = self.picture.containers.by_id.get(identity)
        if task is None or task.engine in covered or identity in self._at:
            return None
        return lost_by(self._listened.completed(service_of(task), task), self._silent.get(task.engine, ""))

    def _stand_in(self, name: str, changes: dict[str, Container | None]) -> None:
        """What stands for a service without a task, where no engine lists one."""
        manned = any(i in self._engines[source].passed.by_id for i in self._services.get(name, ()) for source in self._at[i])
        container = self.picture.absent.get(name) if not manned else None
        if name in self._standing:
            changes[self._standing.pop(name)] = None
        if container is None:
            return
        changes[container.id] = self._listened.completed(name, container)
        self._standing[name] = container.id


class Sighted:
    """A provider of an engine, whose lists pass through the sightings."""

    def __init__(self, provider: Provider, sightings: Sightings) -> None:
        self.source = provider.source
        self.provider = provider
        self._sightings = sightings

    async def run(self, sink: Sink) -> None:
        """Publish until cancelled."""
        await self.provider.run(self._sightings.before(sink))


def _node(listing: Listing) -> str:
    return listing.engine.node if listing.engine is not None else ""


def _by_id(listing: Listing, identities: Iterable[str]) -> Mapping[str, Container]:
    """Containers of a list by their ids; of a plain one, where ids may be there twice, the first counts."""
    if isinstance(listing.containers, Listed):
        return {i: found for i in identities if (found := listing.containers.by_id.get(i)) is not None}
    return {c.id: c for c in reversed(tuple(listing.containers))} if identities else NOBODY
