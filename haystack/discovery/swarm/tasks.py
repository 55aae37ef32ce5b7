"""A task of a Swarm as a container, as far as managers know it; and what stands for a service without any. Pure.

Managers know the addresses of a task, its ports, labels and how far it is. Signals and health only the engine of its node knows: where
that is watched, its word counts (`sightings.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from msgspec.structs import replace

from haystack.discovery.docker import inspect
from haystack.discovery.docker.inspect import Found
from haystack.discovery.swarm.answers import Attachment, Port, Service, Task
from haystack.discovery.swarm.facts import HOST, INGRESS, Facts
from haystack.model import records
from haystack.model.records import ABSENT, AWAITED, STOPPING, Container, Obstacle, Published

RUNNING = "running"
COMING = ("new", "pending", "assigned", "accepted", "preparing", "ready", "starting")  # states of one that does not run yet
ANYWHERE = ("0.0.0.0", "::")  # of its node
NOWHERE = "0.0.0.0"  # the address of what stands for a service without a task
LEAVING = "its task is to shut down"


def name(task: Task, service: str) -> str:
    """As its container is called: SERVICE.SLOT.TASK, in a global service SERVICE.NODE.TASK."""
    return f"{service}.{task.slot or task.node}.{task.id}"


def attachments(task: Task) -> tuple[records.Attachment, ...]:
    """Its places on networks, by their names."""
    return tuple(sorted(map(_attachment, task.attachments or ()), key=lambda a: a.network))


def found(task: Task, facts: Facts, began: float, *, leaving: float = 0.0) -> Found:
    """The container of a task that runs. began, leaving: since when it runs, and is to end, Unix seconds."""
    container = Container(
        id=task.container,
        name=name(task, facts.name),
        engine=task.node,
        image=facts.image,
        image_name=facts.image_name,
        state=STOPPING if leaving else RUNNING,
        state_reason=LEAVING if leaving else RUNNING,
        since=leaving or began,
        attachments=attachments(task),
        ports=facts.ports,
        published=published(task, facts),
        services=facts.services,
        originals=facts.originals,
        options=facts.options,
        problems=facts.problems,
    )
    return Found(container=container, itself=facts.itself, task=facts.name, network_mode=HOST if _is_on_host(task) else "")


def published(task: Task, facts: Facts) -> tuple[Published, ...]:
    """Where its ports are at its node: those of the task alone, else those by which the node leads to any task of the service."""
    own = (task.status.port_status.ports if task.status.port_status is not None else None) or []
    places: dict[tuple[int, str], Published] = {}
    for each in (*(port for port in own if port.publish_mode == HOST and port.published_port), *facts.ingress):
        places.setdefault((each.target_port, each.protocol), at_node(each))
    return tuple(sorted(replace(place, address=each) for place in places.values() for each in ANYWHERE))


def at_node(port: Port) -> Published:
    """Where a port is at its node."""
    ingress = port.publish_mode == INGRESS
    return Published(port=port.target_port, protocol=port.protocol, address=ANYWHERE[0], host_port=port.published_port, ingress=ingress)


def reached(container: Container, node: str) -> Container:
    """A task that has an address on no network of the Swarm is at its node's address, as far as its ports are published there.

    node: that address, empty where it is not known.
    """
    if container.address or container.address6 or not container.published or not node:
        return container
    six = node if ":" in node else None
    return replace(
        container,
        address=None if six else node,
        address6=six,
        address_reason="its node's: it is on no network of the Swarm",
        obstacle=Obstacle(why="it is on no network of the Swarm", remedy="put it on an overlay network that Haystack is on", certain=True),
        problems=tuple(each for each in container.problems if each.subject != "address"),
    )


def absent(service: Service, facts: Facts, tasks: Iterable[Task], since: float) -> Container:
    """What stands for a service of which no task runs: no container, but its names, its hosts and its ports, and why there is nobody."""
    awaited, reason = _why(service, tuple(tasks))
    return Container(
        id=hashlib.sha256(f"service {service.id}".encode()).hexdigest(),
        name=f"{facts.name} (no task)",  # which is no other one's in DNS
        engine="",
        image=facts.image,
        image_name=facts.image_name,
        state=AWAITED if awaited else ABSENT,
        state_reason=reason,
        since=since,
        address=NOWHERE,
        address_reason="no task runs",
        ports=facts.ports,
        services=facts.services,
        originals=facts.originals,
        options=facts.options,
        problems=facts.problems,
    )


def _why(service: Service, tasks: tuple[Task, ...]) -> tuple[bool, str]:
    """Whether a task is expected within seconds, and what there is to say."""
    if service.scaled_to_zero:
        return False, "scaled to zero"
    coming = [task for task in tasks if task.status.state in COMING and not task.status.err]
    if coming:
        last = max(coming, key=lambda task: COMING.index(task.status.state))
        return True, f"its task is {last.status.state}"
    errors = (task.status.err for task in sorted(tasks, key=lambda task: task.status.timestamp, reverse=True))
    return False, next((f"no task runs: {error[:120]}" for error in errors if error), "no task runs")


def _attachment(told: Attachment) -> records.Attachment:
    addresses = told.addresses or []
    return records.Attachment(
        network=told.network.spec.name or told.network.id[:12],
        network_id=told.network.id,
        scope="swarm",
        ipv4=next(filter(None, (inspect.address(each, 4) for each in addresses)), None),
        ipv6=next(filter(None, (inspect.address(each, 6) for each in addresses)), None),
    )


def _is_on_host(task: Task) -> bool:
    return any(each.network.spec.name == HOST for each in task.attachments or ())
