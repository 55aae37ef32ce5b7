"""Whether Haystack has a way to a container's network, by all that its engine tells, and what to type where it has none.

Pure, and a theory only: what there is beside Docker's networks, such as routes, shows nowhere here. Whether it is so is found out by
connecting (health/admission.py); nobody is out for what stands here alone.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_network

from haystack.discovery.command_lines import command
from haystack.model.records import Attachment, Network, Obstacle, Record

GLOBAL = ("global", "swarm")
INGRESS = "ingress"  # Swarm's own: containers are on it, but not to be reached there
JOINED = "put both on an overlay network, or run a Haystack there too"
ANOTHER = f"it is a network of another machine: publish the port there (docker run --publish), {JOINED}"
NOWHERE = "null"  # driver of the network `none`: Docker connects a container that is on it to no other one
ASIDE = ("macvlan", "ipvlan")  # drivers of networks on which the machine's own address leads to no container of that machine


class Stand(enum.Enum):
    """Where Haystack runs, as one engine sees it."""

    INSIDE = enum.auto()  # in a container of this engine, with networks of its own
    MACHINE = enum.auto()  # on a machine's own network stack, in a container or not
    ELSEWHERE = enum.auto()  # in a container that this engine does not know


class Standpoint(Record, frozen=True, kw_only=True):
    """own: ids of the networks that it is on; name: its container's, as `docker network connect` takes it; task: its Swarm service.

    remote: the engine runs on another host; attached: the subnets that Haystack's own interfaces are on.
    """

    stand: Stand = Stand.MACHINE
    own: frozenset[str] = frozenset()
    name: str = ""
    task: str = ""
    remote: bool = False
    attached: tuple[str, ...] = ()


def obstacle(place: Attachment, networks: Mapping[str, Network], here: Standpoint) -> Obstacle | None:
    """What is between Haystack and a container's place on a network; None: nothing that is known. networks: by id."""
    network = networks.get(place.network_id) or Network(id=place.network_id, name=place.network, engine="", attachable=True)
    if place.network_id in here.own:
        if here.stand is not Stand.MACHINE or network.driver not in ASIDE:
            return None
        why = f"a machine can't reach its own containers on its {network.driver} network {network.name}"
    elif here.stand is not Stand.INSIDE and not network.subnets:
        return None  # nothing is told that Haystack's own addresses could be held against
    elif here.remote and network.scope not in GLOBAL and (mine := _shared(network.subnets, here.attached)):
        why = f"its network {network.name} has the addresses of {mine}, a network that Haystack is on itself"
        return Obstacle(why=why, remedy=ANOTHER, certain=True)
    else:
        why = f"Haystack has no address on its network {network.name}"
    return Obstacle(why=why, remedy=_remedy(network, networks, here))


@lru_cache(maxsize=256)
def _shared(theirs: tuple[str, ...], ours: tuple[str, ...]) -> str:
    """The first of ours that has addresses of theirs; empty: there is none."""
    for mine in ours:
        block = ip_network(mine)
        for each in theirs:
            try:
                other = ip_network(each, strict=False)
            except ValueError:
                continue
            if other.version == block.version and other.overlaps(block):
                return mine
    return ""


def _remedy(network: Network, networks: Mapping[str, Network], here: Standpoint) -> str:
    """What to type, or to do."""
    name = network.name if sum(each.name == network.name for each in networks.values()) < 2 else network.id[:12]  # noqa: PLR2004 - the name is no other network's
    if network.name == INGRESS:
        return "put both on an overlay network"
    swarm = network.scope in GLOBAL
    if not swarm and (here.remote or here.stand is Stand.ELSEWHERE):
        return ANOTHER if here.remote else f"it is a network of another machine: {JOINED}"
    if here.stand is Stand.MACHINE:
        how = "docker run" if not swarm or network.attachable else "docker service create"
        return f"run Haystack in a container there: `{command(f'{how} --network', name)} ... haystack`"
    if swarm and here.task:
        return f"type `{command('docker service update --network-add', name, here.task)}`"
    if swarm and not network.attachable:
        return f"only services may join that: run Haystack as one, `{command('docker service create --network', name)} ... haystack`"
    joins = command("docker network connect", name, here.name)
    alone = next((n.name for each in here.own if (n := networks.get(each)) and n.driver == NOWHERE), "")
    return f"type `{command('docker network disconnect', alone, here.name)} && {joins}`" if alone else f"type `{joins}`"
