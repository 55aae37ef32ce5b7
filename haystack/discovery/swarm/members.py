"""The mutable picture behind a Swarm's lists: services, tasks and nodes, and the containers that they make. One thread's own.

Each poll is held against the one before: a task, a service and a node that are the very same objects make the very same container, and
where all are, there is nothing to tell. Never does: I/O, deciding when to poll (session.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from operator import is_
from typing import NamedTuple

from msgspec.structs import replace

from haystack.discovery import own_place
from haystack.discovery.address import Surroundings, placed
from haystack.discovery.docker import inspect
from haystack.discovery.reachability import INGRESS, Stand, Standpoint
from haystack.discovery.swarm import facts, tasks
from haystack.discovery.swarm.answers import ContainerSpec, Node, Service, Task
from haystack.discovery.swarm.facts import Facts, Image
from haystack.discovery.swarm.picture import Picture, Place
from haystack.model.listed import Listed
from haystack.model.records import Container, Network, Peer, Problem

ENDED = 200  # containers of tasks that have left: as many are remembered
NO_SPEC = ContainerSpec()


class Told(NamedTuple):
    """One poll. tasks: those that are to run; leaving: those that were, and have not ended.

    images: by reference, None: no manager has it.
    """

    services: list[Service]
    nodes: list[Node]
    tasks: list[Task]
    leaving: list[Task]
    networks: tuple[Network, ...]
    images: Mapping[str, Image | None]
    problems: tuple[Problem, ...] = ()


class Row(NamedTuple):
    """A task's container and what it was made of. began: when it was first reported to run; leaving: since when it is to end, or 0.0."""

    task: Task
    facts: Facts
    node: Place
    began: float
    leaving: float
    container: Container


Spec = tuple[str, str, tuple[tuple[str, str], ...], tuple[str, ...]]  # a service's id, an image, labels and variables of containers


class Members:
    """own: Haystack's own container id, 64 or 12 hex digits, or empty; aliases: HAYSTACK_ALIASES."""

    def __init__(self, own: str = "", aliases: tuple[str, ...] = ()) -> None:
        self._own, self._aliases = own, aliases
        self._told: Told | None = None
        self._services: dict[str, Service] = {}
        self._facts: dict[Spec, Facts] = {}
        self._places: dict[str, Place] = {}
        self._rows: dict[str, Row] = {}
        self._absent: dict[str, Container] = {}
        self._listed = Listed()
        self._images: Mapping[str, Image | None] = {}
        self._around = self._seen = Surroundings()  # now, and as of the rows
        self._ended: dict[str, Task] = {}  # by id of its container

    def running(self, gone_from: Iterable[Task]) -> list[str]:
        """The ids of tasks that ran as of the last poll, or were to end, and are not among these."""
        there = {task.id for task in gone_from}
        return [identity for identity in self._rows if identity not in there]

    def take(self, told: Told, manager: str) -> Picture | None:
        """This is what there is now. None: nothing of it is new."""
        old, self._told = self._told, told
        if old is not None and _same(old, told):
            return None
        self._note_services(told)
        own = next((task for task in told.tasks if self._own and task.container.startswith(self._own)), None)
        self._note_places(told.nodes, own)
        here = self._standpoint(told.networks, own)
        self._around = Surroundings(networks={n.id: n for n in told.networks}, here=here)
        self._listed = self._listed.changed(self._note_tasks(told))
        return Picture(
            containers=self._listed,
            absent=self._note_absent(told),
            services={each.name: self._of(each, each.spec.task_template.container or NO_SPEC) for each in told.services},
            made=self._made(),
            nodes=self._places,
            networks=told.networks,
            problems=told.problems,
            ended=frozenset(self._ended),
            peers=self._peers(told.tasks, own),
            here=here,
            manager=manager,
        )

    # -- services and nodes

    def _note_services(self, told: Told) -> None:
        """Forget what was made of services that are others now, or of images of which more is known."""
        services = {each.id: each for each in told.services}
        same = {i for i, each in services.items() if self._services.get(i) is each}
        self._facts = {spec: made for spec, made in self._facts.items() if spec[0] in same and self._knows(spec[1], told.images)}
        self._services, self._images = services, dict(told.images)

    def _knows(self, image: str, images: Mapping[str, Image | None]) -> bool:
        return self._images.get(image) is images.get(image)

    def _of(self, service: Service, spec: ContainerSpec) -> Facts:
        key = service.id, spec.image, tuple((spec.labels or {}).items()), spec.environment
        made = self._facts.get(key)
        if made is None:
            made = self._facts[key] = facts.of(service, spec, self._images.get(spec.image), self._aliases)
        return made

    def _made(self) -> dict[str, Facts]:
        """What the containers of tasks were made of, also of those that have left: their engines may have them for a while."""
        ended = {
            i: self._of(service, task.spec.container or NO_SPEC)
            for i, task in self._ended.items()
            if (service := self._services.get(task.service))
        }
        return ended | {row.container.id: row.facts for row in self._rows.values()}

    def _note_places(self, nodes: list[Node], own: Task | None) -> None:
        made = {
            node.id: Place(id=node.id, name=node.name, address=node.address, here=own is not None and own.node == node.id)
            for node in nodes
            if node.status.state != "down"
        }
        old = self._places
        self._places = {identity: was if (was := old.get(identity)) == new else new for identity, new in made.items()}

    def _standpoint(self, networks: tuple[Network, ...], own: Task | None) -> Standpoint:
        """Where Haystack is: on the networks of its own task; else, where its addresses are."""
        if own is not None:
            mine = frozenset(each.network.id for each in own.attachments or () if each.network.spec.name != INGRESS)
            return Standpoint(stand=Stand.INSIDE, own=mine, name=own.container[:12], task=self._name_of(own), remote=True)
        mine = own_place.networks_of((each for each in networks if not each.ingress), own_place.addresses())
        if self._own:
            return Standpoint(stand=Stand.ELSEWHERE, own=mine, name=self._own[:12], remote=True)
        return Standpoint(stand=Stand.MACHINE, own=mine, remote=True)

    def _name_of(self, task: Task) -> str:
        service = self._services.get(task.service)
        return service.name if service is not None else ""

    # -- tasks

    def _note_tasks(self, told: Told) -> dict[str, Container | None]:
        """Take the tasks in: the containers that are new, other or gone (None)."""
        rows: dict[str, Row] = {}
        changes: dict[str, Container | None] = {}
        around = self._around
        other = around != self._seen
        self._seen = around
        now = time.time()
        for ones, leaving in ((told.tasks, False), (told.leaving, True)):
            for task in ones:
                row = self._row(task, now if leaving else 0.0, anew=other)
                if row is None:
                    continue
                rows[task.id] = row
                old = self._rows.get(task.id)
                if old is None or old.container is not row.container:
                    changes[row.container.id] = row.container
        there = {row.container.id for row in rows.values()}
        for back in there & self._ended.keys():  # its node was down for a while
            del self._ended[back]
        left = [row for identity, row in self._rows.items() if identity not in rows]
        gone = {row.container.id: row.task for row in left if row.container.id not in there}
        changes.update(dict.fromkeys(gone))
        self._ended.update(gone)
        while len(self._ended) > max(ENDED, len(gone)):  # all that have left at once are told
            del self._ended[next(iter(self._ended))]
        self._rows = rows
        return changes

    def _row(self, task: Task, leaving: float, *, anew: bool) -> Row | None:
        """What a task makes; None: it has no container that runs, or is none that serves."""
        service, node = self._services.get(task.service), self._places.get(task.node)
        if service is None or node is None or task.status.state != tasks.RUNNING or not task.container:
            return None
        made = self._of(service, task.spec.container or NO_SPEC)
        if made.itself or self._is_own(task):
            return None
        old = self._rows.get(task.id)
        since = (old.leaving if old is not None else 0.0) or leaving if leaving else 0.0
        if old is not None and not anew and old.task is task and old.facts is made and old.node is node and old.leaving == since:
            return old
        # its state has another time whenever it is reported anew, as all are when another manager leads
        began = old.began if old is not None and old.task.container == task.container else inspect.moment(task.status.timestamp)
        found = tasks.found(task, made, began, leaving=since)
        container = tasks.reached(placed(found, _at(self._around, node), {}), node.address)
        container = replace(container, remote=not node.here)
        if old is not None and old.container == container:
            container = old.container
        return Row(task, made, node, began, since, container)

    def _is_own(self, task: Task) -> bool:
        """Whether it is one of Haystack's own tasks, here or elsewhere."""
        return bool(self._around.here.task) and self._name_of(task) == self._around.here.task

    def _note_absent(self, told: Told) -> dict[str, Container]:
        """What stands for services without a task that runs, by their names."""
        manned = {row.task.service for row in self._rows.values()}
        waiting: dict[str, list[Task]] = {}
        for task in told.tasks:
            if task.service not in manned:
                waiting.setdefault(task.service, []).append(task)
        absent: dict[str, Container] = {}
        for service in told.services:
            made = self._of(service, service.spec.task_template.container or NO_SPEC)
            if service.id in manned or made.job or made.itself or service.name == self._around.here.task:
                continue
            old = self._absent.get(service.name)
            new = tasks.absent(service, made, waiting.get(service.id, ()), old.since if old is not None else time.time())
            absent[service.name] = old if old is not None and old == new else new
        self._absent = absent
        return absent

    # -- Haystack itself

    def _peers(self, running: list[Task], own: Task | None) -> tuple[Peer, ...]:
        """The tasks of Haystack's own service, itself first; none where it is no task."""
        if own is None:
            return ()
        mine = [task for task in running if task.service == own.service and task.status.state == tasks.RUNNING]
        return tuple(self._peer(task, own=task is own) for task in sorted(mine, key=lambda task: (task is not own, task.id)))

    def _peer(self, task: Task, *, own: bool) -> Peer:
        node = self._places.get(task.node)
        there = tasks.attachments(task)
        near = tuple((a.network_id, a.ipv4, a.ipv6) for a in there if a.network != INGRESS and (a.ipv4 or a.ipv6))
        return Peer(name=node.name if node is not None else task.node, address=node.address if node is not None else "", near=near, own=own)


def _at(around: Surroundings, node: Place) -> Surroundings:
    return Surroundings(networks=around.networks, here=around.here, engine_address=node.address or None)


def _same(old: Told, new: Told) -> bool:
    """Whether all that is told is the very same."""
    lists = (old.services, new.services), (old.nodes, new.nodes), (old.tasks, new.tasks), (old.leaving, new.leaving)
    if any(len(a) != len(b) or not all(map(is_, a, b)) for a, b in lists):
        return False
    return (old.networks, old.images, old.problems) == (new.networks, new.images, new.problems)
