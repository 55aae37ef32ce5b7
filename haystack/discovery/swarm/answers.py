"""What managers answer of services, tasks and nodes, as far as it is read: shapes of Docker's API from 1.30 on. Pure.

Of the environment of a task nothing is kept but what `aliases/nginx_proxy.py` takes, and that with HAYSTACK_ALIASES alone. A field that is
null or missing is as if it were empty; an element that has another shape costs itself alone (`elements.py`).
"""

from __future__ import annotations

import msgspec


class Answer(msgspec.Struct, frozen=True, rename="pascal", gc=False):
    """Base: Docker writes its keys so."""


class Name(Answer, frozen=True):
    """Spec of a network, as far as its name."""

    name: str = ""


class Network(Answer, frozen=True):
    """A network that a task is on."""

    id: str = msgspec.field(default="", name="ID")
    spec: Name = Name()


class Attachment(Answer, frozen=True):
    """A task's place on a network; addresses with their prefix lengths."""

    network: Network = Network()
    addresses: list[str] | None = None


class Port(Answer, frozen=True):
    """A published port. mode: host (of the task's node alone) or ingress (of all nodes)."""

    protocol: str = "tcp"
    target_port: int = 0
    published_port: int = 0
    publish_mode: str = "ingress"


class Ports(Answer, frozen=True):
    """Those of a service's endpoint, or of a task's status."""

    ports: list[Port] | None = None


class Variables(tuple[str, ...]):
    """Those of an environment that are of use, as `NAME=VALUE`."""

    __slots__ = ()


class ContainerSpec(Answer, frozen=True):
    """What the containers of a service are made of."""

    image: str = ""
    labels: dict[str, str] | None = None
    environment: Variables = msgspec.field(default=Variables(), name="Env")


class TaskSpec(Answer, frozen=True):
    """Template of tasks; container None: it is a plugin, or something newer."""

    container: ContainerSpec | None = msgspec.field(default=None, name="ContainerSpec")


class ContainerStatus(Answer, frozen=True):
    """The container of a task."""

    id: str = msgspec.field(default="", name="ContainerID")


class TaskStatus(Answer, frozen=True):
    """How a task is. state: new, pending, assigned, accepted, preparing, ready, starting, running, complete, shutdown, failed and more."""

    timestamp: str = ""
    state: str = ""
    message: str = ""
    err: str = ""
    container: ContainerStatus | None = msgspec.field(default=None, name="ContainerStatus")
    port_status: Ports | None = None


class Task(Answer, frozen=True):
    """One task: slot 0 in a global service. desired: as state."""

    id: str = msgspec.field(name="ID")
    service: str = msgspec.field(default="", name="ServiceID")
    node: str = msgspec.field(default="", name="NodeID")
    slot: int = 0
    spec: TaskSpec = TaskSpec()
    status: TaskStatus = TaskStatus()
    desired: str = msgspec.field(default="", name="DesiredState")
    attachments: list[Attachment] | None = msgspec.field(default=None, name="NetworksAttachments")

    @property
    def container(self) -> str:
        """The id of its container; empty while it has none."""
        return self.status.container.id.lower() if self.status.container is not None else ""


class Replicated(Answer, frozen=True):
    """How many tasks."""

    replicas: int = 0


class Mode(Answer, frozen=True):
    """One of them is there. Jobs run to their end."""

    replicated: Replicated | None = None
    replicated_job: dict[str, object] | None = None
    global_job: dict[str, object] | None = None


class ServiceSpec(Answer, frozen=True):
    """As it was asked for."""

    name: str = ""
    labels: dict[str, str] | None = None
    task_template: TaskSpec = TaskSpec()
    mode: Mode = Mode()


class UpdateStatus(Answer, frozen=True):
    """state: updating, paused, completed, rollback_started, rollback_paused, rollback_completed."""

    state: str = ""


class Service(Answer, frozen=True):
    """One service."""

    id: str = msgspec.field(name="ID")
    spec: ServiceSpec = ServiceSpec()
    endpoint: Ports | None = None
    update_status: UpdateStatus | None = None

    @property
    def name(self) -> str:
        """As it is called."""
        return self.spec.name or self.id

    @property
    def labels(self) -> dict[str, str]:
        """Those of the service itself."""
        return self.spec.labels or {}

    @property
    def is_job(self) -> bool:
        """Whether its tasks run to their end, and serve nobody."""
        return self.spec.mode.replicated_job is not None or self.spec.mode.global_job is not None

    @property
    def scaled_to_zero(self) -> bool:
        """Whether it is to have no task."""
        return self.spec.mode.replicated is not None and not self.spec.mode.replicated.replicas

    @property
    def updating(self) -> bool:
        """Whether an update or a rollback runs."""
        return self.update_status is not None and self.update_status.state in ("updating", "rollback_started")

    @property
    def ports(self) -> list[Port]:
        """Those that are published."""
        return (self.endpoint.ports if self.endpoint is not None else None) or []


class NodeStatus(Answer, frozen=True):
    """state: ready, down, unknown, disconnected."""

    state: str = ""
    addr: str = ""


class ManagerStatus(Answer, frozen=True):
    """Of a manager: where others reach it, with a port."""

    addr: str = ""


class Description(Answer, frozen=True):
    """Of a node's machine."""

    hostname: str = ""


class Node(Answer, frozen=True):
    """One node."""

    id: str = msgspec.field(name="ID")
    description: Description = Description()
    status: NodeStatus = NodeStatus()
    manager_status: ManagerStatus | None = None

    @property
    def name(self) -> str:
        """Its machine's."""
        return self.description.hostname or self.id

    @property
    def address(self) -> str:
        """Where others reach it; empty where that is not known. A manager may not know its own, but in its other role."""
        manager = self.manager_status.addr.rpartition(":")[0].strip("[]") if self.manager_status is not None else ""
        return next((each for each in (self.status.addr, manager) if each not in ("", "0.0.0.0", "::")), "")
