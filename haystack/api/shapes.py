"""The JSON of /api, made of the snapshot: what each key is called and means. The shell's --json uses the same shapes.

Pure: no input or output. A container's environment is not in the model at all, so it cannot be shown here by mistake.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from haystack import __version__, naming
from haystack.health.words import why
from haystack.model import Attachment, Container, Endpoint, Network, Problem, Service
from haystack.state import Picture, Requests, Source, State, word_of

Shape = dict[str, Any]

PRIORITY = 100


def encode(shape: object) -> bytes:
    """UTF-8 JSON. Text that UTF-8 cannot hold (a lone surrogate in a label) goes out escaped instead of failing the answer."""
    try:
        return msgspec.json.encode(shape)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(shape), ensure_ascii=True).encode("ascii")


def containers(snapshot: Picture) -> dict[str, Shape]:
    """/api/containers: full id → container."""
    return {key: container_shape(snapshot, container) for key, container in snapshot.containers.items()}


def container_shape(snapshot: Picture, container: Container) -> Shape:
    """One container; endpoint and mac_address are those of the network whose address was chosen."""
    chosen = chosen_attachment(container)
    return {
        "addr": container.address,
        "addr6": container.address6,
        "network": container.network,
        "endpoint": chosen.endpoint_id if chosen else None,
        "mac_address": chosen.mac_address if chosen else None,
        "name": container.name,
        "short_id": container.short_id,
        "image": container.image,
        "image_name": container.image_name,
        "engine": container.engine,
        "state": container.state,
        "reason": container.state_reason,
        "since": container.since,
        "health": container.health,
        "services": [f"{name}.services.{snapshot.origin}" for name in container.services],
        "ports": [{"port": p.number, "type": p.protocol, "name": p.name} for p in container.ports],
        "networks": [attachment_shape(attachment) for attachment in container.attachments],
        "address_reason": container.address_reason,
        "obstacle": container.obstacle.told if container.obstacle is not None else None,
        "problems": problem_shapes(container.problems),
    }


def chosen_attachment(container: Container) -> Attachment | None:
    """The attachment whose address is the container's; None on the host network, where it has the engine's."""
    named = [a for a in container.attachments if a.network == container.network]
    return named[0] if named else None


def attachment_shape(attachment: Attachment) -> Shape:
    """A place on one network."""
    return {
        "network": attachment.network,
        "id": attachment.network_id,
        "scope": attachment.scope,
        "addr": attachment.ipv4,
        "addr6": attachment.ipv6,
    }


def networks(snapshot: Picture) -> dict[str, Shape]:
    """/api/networks: id → network."""
    return {key: network_shape(network) for key, network in snapshot.networks.items()}


def network_shape(network: Network) -> Shape:
    """One network."""
    return {
        "name": network.name,
        "scope": network.scope,
        "driver": network.driver,
        "gateway": network.gateway,
        "subnet": network.subnet,
        "subnets": list(network.subnets),
        "engine": network.engine,
    }


def services(snapshot: Picture, ttl: int) -> list[Shape]:
    """/api/services: one object an endpoint, by service name and then in the service's own order."""
    return [service_shape(service, endpoint, ttl) for _, service in sorted(snapshot.services.items()) for endpoint in service.endpoints]


def service_shape(service: Service, endpoint: Endpoint, ttl: int) -> Shape:
    """One endpoint as a member of one service: what its SRV record says, and why it is in or out; reason is cause with its time."""
    return {
        "id": endpoint.id,
        "name": service.name,
        "class": "in",
        "type": endpoint.protocol,
        "ttl": ttl,
        "priority": PRIORITY,
        "weight": endpoint.weight,
        "port": endpoint.port,
        "target": endpoint.target,
        "srv": f"_{naming.label(endpoint.port_name)}._{endpoint.protocol}.{service.name}",
        "address": endpoint.address,
        "address6": endpoint.address6,
        "port_name": endpoint.port_name,
        "listener": endpoint.listener,
        "ready": endpoint.ready,
        "reason": why(endpoint, time.time()),
        "cause": endpoint.reason,
        "awaited": endpoint.awaited,
        "unreachable": endpoint.unreachable,
        "until": endpoint.until or None,
        "share": endpoint.share,
        "since": endpoint.since,
        "container": endpoint.container,
        "container_name": endpoint.container_name,
        "hosts": list(service.hosts),
        "path": service.path,
        "problems": problem_shapes(service.problems),
    }


def info(state: State) -> Shape:
    """/api/info: everything at once, of one snapshot. Await State.refresh() first for the newest counters."""
    snapshot = state.snapshot
    return {
        "version": version(),
        "origin": snapshot.origin,
        "started": state.started,
        "snapshot": {"version": snapshot.version, "created": snapshot.created},
        "listeners": {**state.proxy.ports, **state.ports},
        "engines": {key: msgspec.to_builtins(engine) for key, engine in snapshot.engines.items()},
        "sources": {key: source_shape(source) for key, source in state.registry.sources.items()},
        "workers": [{"slot": w.slot, "pid": w.pid, "state": word_of(w.state)} for w in state.proxy.workers],
        "containers": containers(snapshot),
        "networks": networks(snapshot),
        "services": by_address(services(snapshot, ttl_of(state))),
        "proxy": {"requests": requests(state.proxy.requests)},
        "problems": [{"about": about, "subject": p.subject, "message": p.message} for about, p in snapshot.problems],
    }


def version() -> dict[str, int]:
    """The version in its three parts; what follows the third (a pre-release) is left out."""
    digits = [int("".join(c for c in part if c.isdigit()) or 0) for part in __version__.split(".")[:3]]
    return dict(zip(("major", "minor", "patch"), [*digits, 0, 0, 0], strict=False))


def source_shape(source: Source) -> Shape:
    """How one provider is doing."""
    return {
        "connected": source.connected,
        "error": source.error,
        "since": source.since,
        "engine": source.engine.id if source.engine else None,
    }


def by_address(shapes: Iterable[Shape]) -> dict[str, list[Shape]]:
    """Service objects by ``tcp://NAME:PORT``."""
    grouped: dict[str, list[Shape]] = {}
    for shape in shapes:
        grouped.setdefault(url(shape["type"], shape["name"], shape["port"]), []).append(shape)
    return grouped


def requests(counts: Requests) -> dict[str, Mapping[str, int]]:
    """``tcp://HOST:PORT`` → ``tcp://IP:PORT`` → how many requests went there."""
    return {
        url("tcp", *asked): {url("tcp", *endpoint): count for endpoint, count in endpoints.items()} for asked, endpoints in counts.items()
    }


def url(protocol: str, host: str, port: int) -> str:
    """``PROTOCOL://HOST:PORT``, an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
    return f"{protocol}://[{host}]:{port}" if ":" in host and host[:1] != "[" else f"{protocol}://{host}:{port}"


def problem_shapes(problems: Iterable[Problem]) -> list[Shape]:
    """Problems as objects."""
    return [{"subject": problem.subject, "message": problem.message} for problem in problems]


def ttl_of(state: State) -> int:
    """The TTL that the zone gives its records."""
    return state.settings.dns_ttl
