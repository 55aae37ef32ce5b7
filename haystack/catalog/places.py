"""Where requests to an endpoint go: to its container, or to a port that its engine publishes on another host. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from haystack.health.policy import Condition
from haystack.model.records import Container
from haystack.model.services import Detour, Endpoint


def placed(container: Container, endpoint: Endpoint, condition: Condition, old: Endpoint | None) -> Endpoint:
    """The endpoint with the place that it was found at. old: as it was; one that stops is drained where it was."""
    if condition.place is None:
        return _as_before(endpoint, old) if old is not None and old.detour is not None and container.state != "running" else endpoint
    why = container.obstacle.why if container.obstacle is not None else "nobody answers there"
    own = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    kind = "ingress" if condition.place.ingress else "published"
    told = f"{kind} port {condition.place.place}: {own}:{endpoint.port} can't be reached from here, for {why}"
    detour = Detour(why=told, address=endpoint.address, address6=endpoint.address6, port=endpoint.port)
    return replace(endpoint, address=condition.place.address, address6=None, port=condition.place.host_port, detour=detour)


def _as_before(endpoint: Endpoint, old: Endpoint) -> Endpoint:
    return replace(endpoint, address=old.address, address6=old.address6, port=old.port, detour=old.detour)
