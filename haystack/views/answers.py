"""What the objects of /api hold: the types of shapes.py and live.py, of which /openapi.json is made. Only types.

Times are Unix seconds. A key that says null has nothing to say.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

# InfoAnswer inherits the fields of Summary. On Python 3.14, msgspec looks for their types here, where InfoAnswer is.
from haystack.views.own_answers import (
    EngineAnswer,  # noqa: F401
    PeerAnswer,  # noqa: F401
    SnapshotAnswer,  # noqa: F401
    SourceAnswer,  # noqa: F401
    Summary,
    VersionAnswer,  # noqa: F401
    WorkerAnswer,  # noqa: F401
)

Standing = Literal["in", "kept", "awaited", "draining", "drained", "out", "gone"]


class ErrorAnswer(TypedDict):
    """Why there is no answer: problem details (RFC 9457). error: the reason, or the title where there is no other."""

    type: str
    title: str
    status: int
    error: str
    detail: NotRequired[str]
    instance: NotRequired[str]
    request_id: NotRequired[str]


class ProblemAnswer(TypedDict):
    """Something odd that was ignored or worked around. subject: what it is about, such as `label haystack.port`."""

    subject: str
    message: str


class PortAnswer(TypedDict):
    """A port that a container exposes. name: IANA's, or the number."""

    port: int
    type: str
    name: str


class AttachmentAnswer(TypedDict):
    """A container's place on one network."""

    network: str
    id: str
    scope: str
    addr: str | None
    addr6: str | None
    aliases: list[str]


class ContainerAnswer(TypedDict):
    """A container. endpoint and mac_address: those on the network whose address was chosen; unserved: why it is in no service."""

    addr: str | None
    addr6: str | None
    network: str | None
    endpoint: str | None
    mac_address: str | None
    name: str
    dns: str
    short_id: str
    image: str
    image_name: str
    engine: str
    state: str
    reason: str
    since: float
    health: str
    services: list[str]
    ports: list[PortAnswer]
    networks: list[AttachmentAnswer]
    address_reason: str
    remote: bool
    published: dict[str, str]
    obstacle: str | None
    unserved: str | None
    problems: list[ProblemAnswer]


class NetworkAnswer(TypedDict):
    """A network of an engine. Subnets in CIDR form."""

    name: str
    scope: str
    driver: str
    gateway: str | None
    subnet: str | None
    subnets: list[str]
    engine: str


class ClaimAnswer(TypedDict):
    """A host name with the prefix of the paths below which it leads to an endpoint; null: its TLS does, which is passed through."""

    host: str
    path: str | None


class OverrideAnswer(TypedDict):
    """What an operator decided in the shell. until null: until it is undone; weight null: a drain."""

    kind: str
    scope: str
    target: str
    name: str
    weight: int | None
    by: str
    fingerprint: str | None
    why: str | None
    at: float
    until: float | None
    kept: bool


_Classed = TypedDict("_Classed", {"class": Literal["in"]})


class RecordAnswer(_Classed):
    """What an endpoint's SRV record says, and where it is."""

    id: str
    name: str
    type: str
    ttl: int
    priority: int
    weight: int
    port: int
    target: str
    srv: str
    address: str
    address6: str | None
    port_name: str
    listener: str | None
    protocol: str | None


class ServiceAnswer(RecordAnswer):
    """An endpoint as a member of a service: what its SRV record says, and why it is in or out. cause: reason without its time.

    panicked: it is ready only because too few others are; awaited: it is expected within seconds; until: when it comes back by itself.
    share: of its weight, below 1 while it starts slowly; remote: it is on another host; address_reason: why at a published port.
    """

    remote: bool
    address_reason: str | None
    ready: bool
    panicked: bool
    reason: str
    cause: str
    awaited: bool
    unreachable: bool
    until: float | None
    share: float
    since: float
    override: OverrideAnswer | None
    overrides: list[OverrideAnswer]
    container: str
    container_name: str
    container_dns: str
    hosts: list[str]
    claims: list[ClaimAnswer]
    path: str | None
    hint: str | None
    problems: list[ProblemAnswer]


class AboutProblem(ProblemAnswer):
    """A problem of a container (its id), of a service (its name) or of a source."""

    about: str


class Requests(TypedDict):
    """How many requests went where: `tcp://HOST:PORT` as asked → where to → count. endpoints: by the endpoint's id."""

    requests: dict[str, dict[str, int]]
    endpoints: dict[str, dict[str, int]]


class InfoAnswer(Summary):
    """Everything. services: `tcp://NAME:PORT` → endpoints."""

    containers: dict[str, ContainerAnswer]
    networks: dict[str, NetworkAnswer]
    services: dict[str, list[ServiceAnswer]]
    proxy: Requests
    problems: list[AboutProblem]


class LiveEndpoint(TypedDict):
    """An endpoint as a member of a service, without what changes with time alone.

    standing: in; kept (in although it is unwell, for nobody is better); awaited; draining; drained (by an operator); out; gone.
    """

    id: str
    address: str
    address6: str | None
    address_reason: str | None
    port: int
    type: str
    port_name: str
    listener: str | None
    protocol: str | None
    weight: int
    share: float
    standing: Standing
    reason: str
    since: float
    until: float
    unreachable: bool
    override: OverrideAnswer | None
    overrides: list[OverrideAnswer]
    container: str
    container_name: str
    container_dns: str


class CertificateAnswer(TypedDict):
    """A certificate, or a name that has none yet, with why. source: `folder`, `acme` or `local`; never a key."""

    names: list[str]
    issuer: str | None
    not_before: float | None
    not_after: float | None
    source: str
    next_renewal: float | None
    last_error: str | None
    key_type: str | None
    serial: str | None
    fingerprint: str | None


class HealthAnswer(TypedDict):
    """It answers."""

    status: Literal["ok"]


class ReadyAnswer(TypedDict):
    """Whether traffic may come, and if not, why. troubles: what is wrong though it may."""

    status: Literal["ready", "unready"]
    reasons: list[str]
    troubles: list[str]
