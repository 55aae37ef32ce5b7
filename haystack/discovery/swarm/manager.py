"""One manager as it is asked: all that Haystack wants to know of a Swarm, in GETs. Blocks; runs in the Swarm's thread.

Never does: deciding when to ask, keeping what was told but for what makes the next list cheap.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import closing
from typing import TypeVar

from haystack.discovery.aliases import NGINX_PROXY, nginx_proxy
from haystack.discovery.docker import client as border
from haystack.discovery.docker import inspect
from haystack.discovery.swarm.answers import Node, Service, Task, Variables
from haystack.discovery.swarm.elements import Elements
from haystack.discovery.swarm.facts import Image
from haystack.discovery.swarm.members import Told
from haystack.discovery.swarm.timing import Timing
from haystack.model.records import Network, Problem

T = TypeVar("T")
WANTED = json.dumps({"desired-state": ["running", "ready"]})
SWARM_WIDE = json.dumps({"scope": ["swarm"]})
TOGETHER = 50  # tasks that are asked for in one question
WITHHELD = "-"
KEPT = 60.0  # seconds for which it is believed that no manager has an image


class Lists:
    """What was read last, by whichever manager: the next one has most of it, too. aliases: HAYSTACK_ALIASES."""

    def __init__(self, aliases: tuple[str, ...] = ()) -> None:
        self._with_variables = NGINX_PROXY in aliases
        self.services, self.nodes = Elements(Service, self._made), Elements(Node)
        self.tasks, self.leaving = Elements(Task, self._made), Elements(Task, self._made)
        self.images: dict[str, Image | None] = {}
        self.missing: dict[str, float] = {}  # images that no manager had: until when that is believed
        self.left: dict[str, float] = {}  # tasks that are to end: until when they count as not having done so

    def _made(self, _kind: type, environment: object) -> Variables:
        return self.variables(environment)

    def variables(self, environment: object) -> Variables:
        """The variables of nginx-proxy in an environment, also empty ones, which override the image's. Nothing else of it is kept."""
        if not self._with_variables or not isinstance(environment, list):
            return Variables()
        found = sorted(nginx_proxy.last(environment).items())
        return Variables(f"{name}={WITHHELD if text and name not in nginx_proxy.NAMES else text}" for name, text in found)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Elements that could not be used."""
        named = (("service", self.services), ("node", self.nodes), ("task", self.tasks))
        return tuple(Problem(subject=what, message=f"left out: {told}") for what, each in named for told in each.bad[:1])


class Manager:
    """A client of one."""

    def __init__(self, client: border.Client, lists: Lists, timing: Timing) -> None:
        self._client, self._lists, self._timing = client, lists, timing

    def services(self) -> list[Service]:
        """All services. Raises anything, as all of these do."""
        return self._read(self._lists.services, "/services")

    def nodes(self) -> list[Node]:
        """All nodes."""
        return self._read(self._lists.nodes, "/nodes")

    def tasks(self) -> list[Task]:
        """Those that are to run."""
        return self._read(self._lists.tasks, "/tasks", filters=WANTED)

    def leaving(self, identities: list[str]) -> list[Task]:
        """Those of these tasks, which are not to run any more, that have not ended."""
        now, left = time.monotonic(), self._lists.left
        self._lists.left = {identity: left.get(identity, now + self._timing.leaving) for identity in identities}
        asked = [identity for identity, until in self._lists.left.items() if until > now]
        found: list[Task] = []
        for at in range(0, len(asked), TOGETHER):
            only = json.dumps({"id": asked[at : at + TOGETHER]})
            found += self._read(self._lists.leaving, "/tasks", filters=only)
        return [task for task in found if task.status.state == "running"]

    def networks(self) -> tuple[Network, ...]:
        """Those of the Swarm, by id."""
        found = (inspect.network(raw, "") for raw in border.listed(self._client, "/networks", self._timing.answer, filters=SWARM_WIDE))
        return tuple(sorted((each for each in found if each is not None), key=lambda each: each.id))

    def images(self, references: set[str]) -> Mapping[str, Image | None]:
        """What is known of these images: those that are new are asked for, as many as there is time for. A manager may lack an image."""
        known, now = self._lists.images, time.monotonic()
        end = now + self._timing.images
        for reference in sorted(references):
            if reference in known and (known[reference] is not None or self._lists.missing.get(reference, 0.0) > now):
                continue
            if time.monotonic() > end:
                break
            known[reference] = self._image(reference)
            if known[reference] is None:
                self._lists.missing[reference] = now + KEPT
        self._lists.images = {reference: known[reference] for reference in known if reference in references}
        return dict(self._lists.images)

    def _image(self, reference: str) -> Image | None:
        try:
            config = inspect.mapping(inspect.mapping(border.image(self._client, reference, self._timing.answer)).get("Config"))
        except Exception as error:
            if not (border.answered(error) or border.late(error) or border.unusable(error)):
                raise
            return None
        labels = {key: text for key, text in inspect.mapping(config.get("Labels")).items() if isinstance(text, str)}
        exposed = tuple(map(str, inspect.mapping(config.get("ExposedPorts"))))
        return Image(exposed=exposed, labels=labels, environment=self._lists.variables(config.get("Env")))

    def told(self, known: list[str], tasks: list[Task], services: list[Service], nodes: list[Node]) -> Told:
        """The rest of a poll. known: ids of tasks that ran, and are in the list no more."""
        specs = [task.spec.container for task in tasks] + [service.spec.task_template.container for service in services]
        images = self.images({spec.image for spec in specs if spec is not None and spec.image})
        return Told(services, nodes, tasks, self.leaving(known), self.networks(), images, self._lists.problems)

    def _read(self, elements: Elements[T], path: str, **query: str) -> list[T]:
        with closing(border.streamed(self._client, path, self._timing.answer, **query)) as chunks:
            return elements.read(chunks)


def membership(info: object) -> Mapping[str, object]:
    """What /info tells of the Swarm that an engine is in: LocalNodeState, ControlAvailable, NodeID and more."""
    return inspect.mapping(inspect.mapping(info).get("Swarm"))


def is_manager(info: object) -> bool:
    """Whether the engine manages the Swarm that it is in."""
    told = membership(info)
    return told.get("LocalNodeState") == "active" and told.get("ControlAvailable") is True


def is_member(info: object) -> bool:
    """Whether the engine is in a Swarm."""
    return membership(info).get("LocalNodeState") in ("active", "pending", "error", "locked")
