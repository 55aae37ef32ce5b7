"""The JSON of /api, made of the snapshot: what each key is called and means. The shell's --json uses the same shapes.

Pure: no input or output. A container's environment is not in the model at all, so it cannot be shown here by mistake.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from haystack import __version__
from haystack.catalog.claims import Claim
from haystack.dns.peers import Standing
from haystack.model import naming, unproxied
from haystack.model.reasons import why
from haystack.model.records import Attachment, Container, Engine, Network, Problem
from haystack.model.services import Endpoint, Override, Service
from haystack.proxy.counters import Place
from haystack.views.answers import (
    AttachmentAnswer,
    ContainerAnswer,
    NetworkAnswer,
    OverrideAnswer,
    ProblemAnswer,
    ServiceAnswer,
)
from haystack.views.own_answers import EngineAnswer, PeerAnswer, SourceAnswer, Summary, VersionAnswer
from haystack.views.state import Picture, Source, State, word_of

Shape = dict[str, Any]

PRIORITY = 100


def encode(shape: object) -> bytes:
    """UTF-8 JSON. Text that UTF-8 cannot hold (a lone surrogate in a label) goes out escaped instead of failing the answer."""
    try:
        return msgspec.json.encode(shape)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(shape), ensure_ascii=True).encode("ascii")


def container_shape(origin: str, container: Container) -> ContainerAnswer:
    """One container; endpoint and mac_address are those of the network whose address was chosen."""
    chosen = chosen_attachment(container)
    return {
        "addr": container.address,
        "addr6": container.address6,
        "network": container.network,
        "endpoint": chosen.endpoint_id if chosen else None,
        "mac_address": chosen.mac_address if chosen else None,
        "name": container.name,
        "dns": naming.container(origin, container),
        "short_id": container.short_id,
        "image": container.image,
        "image_name": container.image_name,
        "engine": container.engine,
        "state": container.state,
        "reason": container.state_reason,
        "since": container.since,
        "health": container.health,
        "services": [naming.service_name(short, origin) for short in container.services],
        "ports": [{"port": p.number, "type": p.protocol, "name": p.name} for p in container.ports],
        "networks": [attachment_shape(attachment) for attachment in container.attachments],
        "address_reason": container.address_reason,
        "remote": container.remote,
        "published": {f"{p.port}/{p.protocol}": p.place for p in container.published},
        "obstacle": container.obstacle.told if container.obstacle is not None else None,
        "unserved": unproxied.unserved(container) or None,
        "problems": problem_shapes(container.problems),
    }


def chosen_attachment(container: Container) -> Attachment | None:
    """The attachment whose address is the container's; None on the host network, where it has the engine's."""
    named = [a for a in container.attachments if a.network == container.network]
    return named[0] if named else None


def attachment_shape(attachment: Attachment) -> AttachmentAnswer:
    """A place on one network."""
    return {
        "network": attachment.network,
        "id": attachment.network_id,
        "scope": attachment.scope,
        "addr": attachment.ipv4,
        "addr6": attachment.ipv6,
        "aliases": list(attachment.aliases),
    }


def network_shape(network: Network) -> NetworkAnswer:
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


class Membership(msgspec.Struct, frozen=True, gc=False):
    """An endpoint, what leads to it beside its service's own name, and what is to be said of the service as a whole.

    dns: the name that its container has in DNS for its name.
    """

    endpoint: Endpoint
    name: str
    claims: tuple[Claim, ...]
    path: str | None
    problems: tuple[Problem, ...]
    hint: str = ""
    dns: str = ""


def service_shape(service: Membership, ttl: int, now: float) -> ServiceAnswer:
    """One endpoint as a member of one service: what its SRV record says, and why it is in or out; reason is cause with its time.

    override: the operator's that counts first, and overrides all of them; null and none where there is none.
    path is that of the service's own name; that of each host stands in claims.
    """
    endpoint = service.endpoint
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
        "address_reason": endpoint.detour.why if endpoint.detour is not None else None,
        "remote": endpoint.remote,
        "port_name": endpoint.port_name,
        "listener": endpoint.listener,
        "protocol": endpoint.connection.protocol if endpoint.listener is not None else None,
        "ready": endpoint.ready,
        "panicked": endpoint.panicked,
        "reason": why(endpoint, now),
        "cause": endpoint.reason,
        "awaited": endpoint.awaited,
        "unreachable": endpoint.unreachable,
        "until": endpoint.until or None,
        "share": endpoint.share,
        "override": override_shape(endpoint.overrides[0]) if endpoint.overrides else None,
        "overrides": [override_shape(each) for each in endpoint.overrides],
        "since": endpoint.since,
        "container": endpoint.container,
        "container_name": endpoint.container_name,
        "container_dns": service.dns,
        "hosts": list(dict.fromkeys(host for host, _ in service.claims)),
        "claims": [{"host": host, "path": path or None} for host, path in service.claims],
        "path": service.path,
        "hint": service.hint or None,
        "problems": problem_shapes(service.problems),
    }


def override_shape(override: Override) -> OverrideAnswer:
    """What an operator decided. at, until: Unix seconds; until null: until it is undone; weight: null for a drain."""
    return {
        "kind": override.kind,
        "scope": override.scope,
        "target": override.target,
        "name": override.name,
        "weight": override.weight,
        "by": override.by,
        "fingerprint": override.fingerprint or None,
        "why": override.why or None,
        "at": override.at,
        "until": override.until or None,
        "kept": override.kept,
    }


def memberships(snapshot: Picture) -> Iterator[Membership]:
    """Every endpoint of every service: by service name, and then in the service's own order."""
    for _, service in sorted(snapshot.services.items()):
        yield from map(member_of(snapshot, service), service.endpoints)


def member_of(snapshot: Picture, service: Service) -> Callable[[Endpoint], Membership]:
    """What makes the memberships of one service's endpoints."""
    led, hint = _led(service), unproxied.unheard(service)

    def made(endpoint: Endpoint) -> Membership:
        claims, container = tuple(led.get(endpoint.id, ())), snapshot.containers.get(endpoint.container)
        dns = naming.container(snapshot.origin, container) if container is not None else endpoint.target
        return Membership(endpoint, service.name, claims, service.path, service.problems, hint, dns)

    return made


def _led(service: Service) -> dict[str, list[Claim]]:
    """By endpoint: what leads to it."""
    found: dict[str, list[Claim]] = {}
    for claim in service.claims:
        for endpoint in claim.endpoints:
            found.setdefault(endpoint.id, []).append((claim.host, claim.path))
    return found


def ages(service: Membership) -> bool:
    """Whether its shape changes with time alone: it says how long ago the endpoint went out."""
    return not service.endpoint.ready and service.endpoint.since > 0


def summary(state: State, snapshot: Picture) -> Summary:
    """What /api/info says beside the lists."""
    return {
        "version": version(),
        "origin": snapshot.origin,
        "started": state.started,
        "snapshot": {"version": snapshot.version, "created": snapshot.created},
        "listeners": {**state.proxy.ports, **state.ports},
        "engines": {key: engine_shape(engine) for key, engine in snapshot.engines.items()},
        "sources": {name: source_shape(source) for name, source in state.public_sources()},
        "workers": [{"slot": w.slot, "pid": w.pid, "state": word_of(w.state)} for w in state.proxy.workers],
        "peers": [peer_shape(each) for each in state.peers()],
    }


def version() -> VersionAnswer:
    """The version in its three parts; what follows the third (a pre-release) is left out."""
    digits = [int("".join(c for c in part if c.isdigit()) or 0) for part in __version__.split(".")[:3]]
    major, minor, patch = [*digits, 0, 0, 0][:3]
    return {"major": major, "minor": minor, "patch": patch}


def engine_shape(engine: Engine) -> EngineAnswer:
    """An engine, without the way to it (State.public_sources says why)."""
    return {"id": engine.id, "name": engine.name, "address": engine.address, "version": engine.version, "remote": engine.remote}


def source_shape(source: Source) -> SourceAnswer:
    """How one provider is doing."""
    return {
        "connected": source.connected,
        "error": source.error,
        "since": source.since,
        "engine": source.engine.id if source.engine else None,
    }


def peer_shape(peer: Standing) -> PeerAnswer:
    """Another Haystack."""
    return {
        "name": peer.name,
        "address": peer.address or None,
        "port": peer.port or None,
        "up": peer.up,
        "since": peer.since,
        "names": peer.names,
        "last_error": peer.error or None,
    }


def requests(counts: Mapping[Place, int]) -> dict[str, int]:
    """``tcp://IP:PORT`` → how many requests went to who has that address now."""
    return {url("tcp", place.address, place.port): count for place, count in counts.items()}


def endpoint_requests(counts: Mapping[Place, int]) -> dict[str, int]:
    """The same by the endpoint's id, and so its container, at whatever addresses it had."""
    found: dict[str, int] = {}
    for place, count in counts.items():
        found[place.id] = found.get(place.id, 0) + count
    return found


def url(protocol: str, host: str, port: int) -> str:
    """``PROTOCOL://HOST:PORT``, an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
    return f"{protocol}://[{host}]:{port}" if ":" in host and host[:1] != "[" else f"{protocol}://{host}:{port}"


def problem_shapes(problems: Iterable[Problem]) -> list[ProblemAnswer]:
    """Problems as objects."""
    return [{"subject": problem.subject, "message": problem.message} for problem in problems]


def ttl_of(state: State) -> int:
    """The TTL that the zone gives its records."""
    return state.settings.dns_ttl
