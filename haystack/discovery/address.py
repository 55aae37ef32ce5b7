"""Chooses the address that is used for a container, and says why. Pure: the same container always gets the same answer.

The order: the label's network; a network that Haystack is on; global scope before local; the network's
name. No I/O: everything it needs is passed in. The docker provider's view calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from msgspec.structs import replace

from haystack.discovery import network_stack, reachability
from haystack.discovery.docker.inspect import Found
from haystack.discovery.reachability import GLOBAL, INGRESS, Standpoint
from haystack.model.records import Attachment, Container, Network, Problem, Published, Record


class Surroundings(Record, frozen=True, kw_only=True):
    """What the choice depends on besides the container. networks: by id; here: Haystack's own place."""

    networks: Mapping[str, Network] = {}
    here: Standpoint = Standpoint()
    engine_address: str | None = None


def placed(found: Found, around: Surroundings, others: Mapping[str, Found]) -> Container:
    """The container with its chosen address and related problems. others: by id, for one that shares another's network stack."""
    container = _chosen_of(found, around, others)
    remote = around.here.remote
    if not (remote or container.published):
        return container
    elsewhere = _published(container, around) if remote or found.task else ()
    return replace(container, remote=remote, published=elsewhere)


def _chosen_of(found: Found, around: Surroundings, others: Mapping[str, Found]) -> Container:
    stack = network_stack.of(found, others)
    if stack.owner is None:
        reason = f"shares the network of {stack.missing[:12]}, which is not running; start that, then restart this container"
        return _told(replace(found.container, address_reason=reason))
    if stack.owner is found:
        return _told(_placed(found.container, found, around))
    there = tuple(replace(a, aliases=()) if a.aliases else a for a in stack.owner.container.attachments)
    container = replace(found.container, attachments=there, published=stack.owner.container.published)
    container = _placed(container, stack.owner, around)
    reason = f"shares the network of {stack.owner.container.name}: {container.address_reason}"
    return _told(replace(container, address_reason=reason, obstacle=stack.obstacle or container.obstacle), stale=bool(stack.restart))


def _published(container: Container, around: Surroundings) -> tuple[Published, ...]:
    """The published addresses of its ports, for a container on another host, or a task of a Swarm.

    Another container on Haystack's own host needs none: Haystack can join its network.
    A port that is bound to all IPv4 or all IPv6 addresses is used at its engine's address, if that is of the same family. A port that is
    bound to a loopback address is only for its own host.
    """
    if container.network == "host":
        return ()
    found: dict[tuple[int, str], Published] = {}
    engine = around.engine_address
    version = 6 if ":" in (engine or "") else 4
    for each in container.published:
        bound = ip_address(each.address)
        address = each.address
        if bound.is_unspecified:
            address = engine if engine and bound.version == version else ""
        if address and not bound.is_loopback:
            found.setdefault((each.port, each.protocol), replace(each, address=address))
    return tuple(found.values())


def _told(container: Container, *, stale: bool = False) -> Container:
    """Adds a problem if the container has no address, or shares the network stack of a container that has gone."""
    problem = None
    if container.state == "running" and not (container.address or container.address6):
        problem = Problem(subject="address", message=f"it has none, so it gets no requests: {container.address_reason}")
    elif stale and container.obstacle is not None:
        problem = Problem(subject="network", message=container.obstacle.told)
    return container if problem is None else replace(container, problems=(*container.problems, problem))


def _placed(container: Container, owner: Found, around: Surroundings) -> Container:
    """The container with its address, chosen as `owner` asks: the owner of its network stack, which may be the container itself."""
    attachments = _scoped(container.attachments, around)
    if owner.network_mode == "host" or any(a.network == "host" for a in attachments):
        return _on_host(container, attachments, around)
    return _chosen(container, attachments, around, owner.container.options.network)


def _scoped(attachments: tuple[Attachment, ...], around: Surroundings) -> tuple[Attachment, ...]:
    """The attachments with the scopes of their networks."""
    return tuple(replace(a, scope=around.networks[a.network_id].scope) if a.network_id in around.networks else a for a in attachments)


def _on_host(container: Container, attachments: tuple[Attachment, ...], around: Surroundings) -> Container:
    address = around.engine_address
    six = address if address and ":" in address else None
    return replace(
        container,
        attachments=attachments,
        network="host",
        address=None if six else address,
        address6=six,
        address_reason="host network: its engine's address" if address else "host network, but its engine's address is not known",
    )


def _chosen(container: Container, attachments: tuple[Attachment, ...], around: Surroundings, default: str | None) -> Container:
    """default: the network for containers that name none."""
    usable = [a for a in attachments if a.ipv4 or a.ipv6]
    problems = container.problems
    if (wanted := container.options.network) and not _is_on(wanted, usable):
        message = f"it has no address on a network {wanted[:80]!r}; label ignored"
        problems = (*problems, Problem(subject="label haystack.network", message=message))
    wanted = next((each for each in (wanted, default) if each and _is_on(each, usable)), None)
    if not usable:
        reason = "its network is none" if any(a.network == "none" for a in attachments) else "no address on any network"
        return replace(container, attachments=attachments, problems=problems, address_reason=reason)
    best = min(usable, key=lambda a: _rank(a, wanted, around))
    return replace(
        container,
        attachments=attachments,
        network=best.network,
        address=best.ipv4,
        address6=best.ipv6,
        address_reason=_reason(best, usable, wanted, around),
        obstacle=reachability.obstacle(best, around.networks, around.here),
        problems=problems,
    )


def _is_on(wanted: str, usable: list[Attachment]) -> bool:
    return any(wanted in (a.network, a.network_id) for a in usable)


def _rank(a: Attachment, wanted: str | None, around: Surroundings) -> tuple[bool, bool, bool, bool, str]:
    """The rank of an attachment; the lowest wins."""
    return (
        wanted not in (a.network, a.network_id),
        a.network == INGRESS,
        a.network_id not in around.here.own,
        a.scope not in GLOBAL,
        a.network,
    )


def _reason(best: Attachment, usable: list[Attachment], wanted: str | None, around: Surroundings) -> str:
    """Why `best` was chosen, for people."""
    if wanted is not None:
        return f"network {best.network}: set by label haystack.network"
    if len(usable) == 1:
        return f"network {best.network}: its only network"
    if best.network_id in around.here.own:
        return f"network {best.network}: Haystack is on it too"
    if best.scope in GLOBAL and any(a.scope not in GLOBAL for a in usable):
        return f"network {best.network}: {best.scope} scope before local"
    return f"network {best.network}: first by name"
