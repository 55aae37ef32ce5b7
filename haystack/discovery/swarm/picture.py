"""What a Swarm holds at one moment, as it crosses from the thread that polls to the loop. What has not changed is the same object."""

from __future__ import annotations

from collections.abc import Mapping

from haystack.discovery.reachability import Standpoint
from haystack.discovery.swarm.facts import Facts
from haystack.model.listed import Listed
from haystack.model.records import Container, Network, Peer, Problem, Record


class Place(Record, frozen=True, kw_only=True):
    """A node: where it is, empty where that is not known; here: Haystack runs on it."""

    id: str
    name: str
    address: str = ""
    here: bool = False


class Picture(Record, frozen=True, kw_only=True):
    """All of it.

    containers: of all tasks that run or are to end, on whatever node; absent: by name, what stands for services of which no task runs;
    services: by name, as they are asked for now; made: by id of a task's container, what that was made of, maybe a spec before that, also
    of those in ended; nodes: by id, those that are up; ended: ids of the containers of tasks that have left of late; peers: Haystack's own
    tasks; manager: whom all this is from.
    """

    containers: Listed = Listed()
    absent: Mapping[str, Container] = {}
    services: Mapping[str, Facts] = {}
    made: Mapping[str, Facts] = {}
    nodes: Mapping[str, Place] = {}
    networks: tuple[Network, ...] = ()
    problems: tuple[Problem, ...] = ()
    ended: frozenset[str] = frozenset()
    peers: tuple[Peer, ...] = ()
    here: Standpoint = Standpoint()
    manager: str = ""
