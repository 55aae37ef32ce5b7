"""A container that its engine has seen, with what the managers of its Swarm know of it. Pure.

The engine's word counts for how the container is, for that comes at once; the managers' for what the service asks for, and for where else
it can be reached.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from haystack.discovery.swarm.facts import Facts
from haystack.discovery.swarm.tasks import at_node
from haystack.model import naming
from haystack.model.records import STOPPING, Attachment, Container, Options, Problem, Published

_TASK = re.compile(r"(.+)\.(?:[0-9]+|[a-z0-9]{25})\.[a-z0-9]{25}")  # SERVICE.SLOT.TASK or SERVICE.NODE.TASK
UNASKED = Options()


def service_of(container: Container) -> str:
    """The Swarm service that a container is of by its name, which others may have given themselves; empty: of none."""
    match = _TASK.fullmatch(container.name)
    return match.group(1) if match else ""


def merged(seen: Container, facts: Facts | None, task: Container | None, address: str | None) -> Container:
    """seen: by its engine, whose address this is; task: as the managers list it, None where they do not, or not yet."""
    if facts is not None:
        seen = _served(seen, facts, task, address)
    if task is not None and task.state == STOPPING and seen.state == "running":
        seen = replace(seen, state=STOPPING, state_reason=task.state_reason, since=task.since)
    return seen


def _served(seen: Container, facts: Facts, task: Container | None, address: str | None) -> Container:
    """With the labels, names and ports of its service."""
    if facts.job:
        return replace(seen, services=(), originals=(), withheld="it is a task of a job")
    options = _asked(seen, facts, task)
    others = tuple(each for each in seen.problems if each not in facts.own_problems)
    problems = (*others, *(each for each in facts.problems if each not in others))
    made = replace(
        seen,
        options=options,
        problems=problems,
        ports=tuple(sorted({*seen.ports, *facts.ports})),
        published=_published(seen, facts, address),
        **_names(seen, facts, options),
    )
    return _moved(made) if options.network != seen.options.network else made


def _asked(seen: Container, facts: Facts, task: Container | None) -> Options:
    """What managers know that it asks for, and beside that what its image does, where no manager has that.

    A task that managers have not told of yet may be of a service that was changed just now: its own word counts, where it is another.
    """
    if seen.options == facts.own:
        return facts.options if task is None else task.options
    if task is None:
        return overlaid(seen.options, facts.options)
    image = {name: value for name in Options.__struct_fields__ if (value := getattr(seen.options, name)) != getattr(facts.own, name)}
    health = {key: text for key, text in seen.options.health.items() if facts.own.health.get(key) != text}
    return overlaid(task.options, replace(UNASKED, **image | {"health": health}))


def overlaid(own: Options, service: Options) -> Options:
    """What a container asks for itself, and where it asks for nothing, what its service does."""
    if service in (own, UNASKED):
        return own
    asked = {name: value for name in Options.__struct_fields__ if (value := getattr(own, name)) != getattr(UNASKED, name)}
    return replace(service, **asked | {"health": {**service.health, **own.health}}) if asked else service


def _names(seen: Container, facts: Facts, options: Options) -> dict[str, tuple[str, ...]]:
    image = seen.image_name or facts.image_name
    names, _ = naming.services(seen.name, image, options, facts.labels)
    return {"services": names, "originals": naming.originals(seen.name, image, options, facts.labels)}


def _published(seen: Container, facts: Facts, address: str | None) -> tuple[Published, ...]:
    """Where its engine publishes it, and for ports that it does not, where all nodes do. address: of its engine."""
    places = {(each.port, each.protocol): each for each in seen.published}
    for each in facts.ingress if address else ():
        places.setdefault((each.target_port, each.protocol), replace(at_node(each), address=address))
    return tuple(sorted(places.values()))


def _moved(container: Container) -> Container:
    """On the network that its service asks for, where it is on that."""
    wanted = container.options.network
    at = next((each for each in container.attachments if wanted in (each.network, each.network_id)), None)
    if at is None or not (at.ipv4 or at.ipv6):
        message = f"it has no address on a network {(wanted or '')[:80]!r}; label ignored"
        return replace(container, problems=(*container.problems, Problem(subject="label haystack.network", message=message)))
    return _at(container, at)


def _at(container: Container, at: Attachment) -> Container:
    reason = f"network {at.network}: set by label haystack.network"
    obstacle = container.obstacle if container.network == at.network else None
    return replace(container, network=at.network, address=at.ipv4, address6=at.ipv6, address_reason=reason, obstacle=obstacle)


def lost_by(container: Container, why: str) -> Container:
    """The container on a node that is believed to be away for this reason; empty: it is not."""
    return replace(container, lost=why) if container.lost != why else container
