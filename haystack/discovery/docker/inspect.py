"""Docker's JSON → Engine, Network and Container: pure, and total over whatever an engine may answer.

A field that is null, missing or of another type is as if it were empty; nothing here raises for it. No environment variable is looked at,
but for those few that discovery/aliases takes where HAYSTACK_ALIASES says so. Never does: I/O, choosing an address (address.py). The docker
provider calls it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from haystack.discovery import aliases
from haystack.discovery import labels as label_reader
from haystack.model import naming, ports
from haystack.model.records import Attachment, Container, Engine, Network, Options, Port, Problem, Published, Record

OUTPUT = 200  # characters of a health check's output
LISTED = ("running", "paused")
SHARED = "container:"  # network mode: the network stack of another container
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")

Json = Mapping[str, Any]
Asked = tuple[Options, tuple[Problem, ...]]


class Found(Record, frozen=True, kw_only=True):
    """A container, still without address, and what only discovery needs to know of it. task: the Swarm service that it is a task of."""

    container: Container
    stop_signal: str = ""
    itself: bool = False
    network_mode: str = ""
    task: str = ""


def mapping(value: object) -> Json:
    """`value` when it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """`value` when it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """`value` when it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def address(value: object, version: int) -> str | None:
    """`value` when it is an IP address of that version that something could be reached at, else None."""
    try:
        parsed = ipaddress.ip_address(text(value).partition("/")[0].partition("%")[0])
    except ValueError:
        return None
    return str(parsed) if parsed.version == version and not parsed.is_unspecified else None


def moment(value: object) -> float:
    """Unix seconds of Docker's RFC 3339 time with nanoseconds; 0.0 for none, year 1 and nonsense."""
    match = _MOMENT.fullmatch(text(value))
    if match is None or match.group(1).startswith("0001"):
        return 0.0
    try:
        whole = datetime.fromisoformat(match.group(1) + match.group(3).replace("Z", "+00:00"))
        return whole.timestamp() + float(match.group(2) or 0)
    except (ValueError, OverflowError):
        return 0.0


def engine(info: object, version: object, host: str, own_address: str | None, *, remote: bool = False) -> Engine:
    """Engine of /info and /version; without an id it goes by its host. remote: it is on another host than Haystack."""
    told, release = mapping(info), mapping(version)
    return Engine(
        id=text(told.get("ID")) or host,
        name=text(told.get("Name")) or host,
        host=host,
        address=own_address,
        version=text(release.get("Version")) or text(told.get("ServerVersion")),
        remote=remote,
        node=text(mapping(told.get("Swarm")).get("NodeID")),
    )


def network(raw: object, engine_id: str) -> Network | None:
    """Network of one element of /networks; None without an id."""
    told = mapping(raw)
    identity = text(told.get("Id"))
    if not identity:
        return None
    pools = [mapping(c) for c in items(mapping(told.get("IPAM")).get("Config"))]
    subnets = tuple(filter(None, (text(p.get("Subnet")) for p in pools)))
    gateways = list(filter(None, (text(p.get("Gateway")) for p in pools)))
    return Network(
        id=identity,
        name=text(told.get("Name")) or identity[:12],
        engine=engine_id,
        scope=text(told.get("Scope")) or "local",
        driver=text(told.get("Driver")),
        gateway=gateways[0] if gateways else None,
        subnet=subnets[0] if subnets else None,
        subnets=subnets,
        attachable=text(told.get("Scope")) != "swarm" or told.get("Attachable") is True,
        ingress=told.get("Ingress") is True,
    )


def needs_tag(raw: object) -> str:
    """The image id whose tags `container` needs, when the container runs from a bare image id; else empty."""
    told = mapping(raw)
    image_id = text(told.get("Image"))
    reference = text(mapping(told.get("Config")).get("Image")) or image_id
    return "" if naming.repository(reference, image_id) else image_id


def container(raw: object, engine_id: str, tags: Iterable[str] = (), alien: Iterable[str] = ()) -> Found | None:
    """Container of /containers/ID/json; None when it has no id or is neither running nor paused.

    tags: the repository tags of its image, for one that runs from a bare image id; alien: HAYSTACK_ALIASES.
    """
    told = mapping(raw)
    identity = text(told.get("Id")).lower()
    state = mapping(told.get("State"))
    status = text(state.get("Status")) or ("paused" if state.get("Paused") is True else "running" if state.get("Running") is True else "")
    if not identity or status not in LISTED:
        return None
    config = mapping(told.get("Config"))
    labels = {k: v for k, v in mapping(config.get("Labels")).items() if isinstance(v, str)}
    exposed = map(str, mapping(config.get("ExposedPorts")))
    asked = aliases.read(alien, labels, items(config.get("Env")), exposed) if alien else label_reader.read(labels)
    return Found(
        container=_described(told, config, identity, status, engine_id, labels, tags, asked),
        stop_signal=text(config.get("StopSignal")),
        itself=label_reader.ITSELF in labels,
        network_mode=network_mode(told),
        task=labels.get(naming.SWARM_SERVICE, ""),
    )


def network_mode(raw: object) -> str:
    """The network mode in /containers/ID/json: `host`, `container:ID`, a network's name and others; empty where it tells none."""
    return text(mapping(mapping(raw).get("HostConfig")).get("NetworkMode"))


def _described(
    told: Json, config: Json, identity: str, status: str, engine_id: str, labels: Mapping[str, str], tags: Iterable[str], asked: Asked
) -> Container:
    """The record itself: names, image, ports, labels and every problem with them. asked: as labels.read has it."""
    name = text(told.get("Name")).lstrip("/") or identity[:12]
    options, label_problems = asked
    image, image_name = _image(told, config, tags)
    services, name_problems = naming.services(name, image_name, options, labels)
    listed, port_problems = _ports(told, config, options)
    state = mapping(told.get("State"))
    return Container(
        id=identity,
        name=name,
        engine=engine_id,
        image=image,
        image_id=text(told.get("Image")),
        image_name=image_name,
        state=status,
        state_reason=status,
        since=moment(state.get("StartedAt")) or moment(told.get("Created")),
        health=_health(state),
        health_output=_health_output(state),
        attachments=_attachments(told, (name, identity[:12])),
        published=_published(told),
        ports=listed,
        services=services,
        originals=naming.originals(name, image_name, options, labels),
        withheld=naming.withheld(labels),
        options=options,
        # without a port it would be in no service anyway: a step of `docker build` has neither
        problems=label_problems + (name_problems if services or listed else ()) + port_problems,
    )


def _image(told: Json, config: Json, tags: Iterable[str]) -> tuple[str, str]:
    """The image as asked for, and IMAGE."""
    image_id = text(told.get("Image"))
    asked = text(config.get("Image")) or image_id
    for reference in (asked, *tags):
        name = naming.repository(text(reference), image_id)
        if name and "<none>" not in name:
            return asked, name
    return asked, ""


def _health(state: Json) -> str:
    status = text(mapping(state.get("Health")).get("Status")).lower()
    return status if status in ("starting", "healthy", "unhealthy") else "none"


def _health_output(state: Json) -> str:
    """What the last health check that is told said: its first line that says anything, or as much of it as a person needs."""
    log = items(mapping(state.get("Health")).get("Log"))
    lines = (" ".join(line.split()) for line in text(mapping(log[-1]).get("Output")).splitlines()) if log else ()
    return next(filter(None, lines), "")[:OUTPUT]


def ended(raw: object) -> tuple[bool, str] | None:
    """Of a container that does not run: whether it ran out of memory, and what its last health check said. None of one that does."""
    state = mapping(mapping(raw).get("State"))
    if state.get("Running") is True:
        return None
    return state.get("OOMKilled") is True, _health_output(state)


def _ports(told: Json, config: Json, options: Options) -> tuple[tuple[Port, ...], tuple[Problem, ...]]:
    """EXPOSEd, published and asked-for ports."""
    texts = [str(key) for key in mapping(config.get("ExposedPorts"))]
    texts += [str(key) for key in mapping(mapping(told.get("NetworkSettings")).get("Ports"))]
    texts += [str(key) for key in mapping(mapping(told.get("HostConfig")).get("PortBindings"))]
    if options.port is not None:
        texts.append(f"{options.port}/tcp")
    found, odd = ports.union(texts)
    return found, tuple(Problem(subject="port", message=f"{t[:80]!r} is no port: left out") for t in dict.fromkeys(odd))


def _published(told: Json) -> tuple[Published, ...]:
    """Its ports that the engine forwards from its host, as it tells them."""
    bound = mapping(mapping(told.get("NetworkSettings")).get("Ports"))
    found = (_binding(str(key), mapping(each)) for key, bindings in bound.items() for each in items(bindings))
    return tuple(sorted(each for each in found if each is not None))


def _binding(key: str, told: Json) -> Published | None:
    """One of ``80/tcp``; None where it is none."""
    number, _, protocol = key.partition("/")
    at, port = text(told.get("HostIp")) or "0.0.0.0", text(told.get("HostPort"))
    try:
        address = str(ipaddress.ip_address(at))
        return Published(port=int(number), protocol=protocol or "tcp", address=address, host_port=int(port))
    except ValueError:
        return None


def _attachments(told: Json, own: tuple[str, ...]) -> tuple[Attachment, ...]:
    """Its place on each network, in the order of their names; before API 1.21, none. own: its names on all of them."""
    networks = mapping(mapping(told.get("NetworkSettings")).get("Networks"))
    return tuple(_attachment(str(name), mapping(networks[name]), own) for name in sorted(networks))


def _attachment(name: str, told: Json, own: tuple[str, ...]) -> Attachment:
    return Attachment(
        network=name,
        network_id=text(told.get("NetworkID")),
        ipv4=address(told.get("IPAddress"), 4),
        ipv6=address(told.get("GlobalIPv6Address"), 6),
        mac_address=text(told.get("MacAddress")) or None,
        endpoint_id=text(told.get("EndpointID")) or None,
        aliases=_aliases(told, own),
    )


def _aliases(told: Json, own: tuple[str, ...]) -> tuple[str, ...]:
    """What Docker's own DNS calls it there. The engine adds its short id to Aliases (before API 1.45), or all its names to DNSNames."""
    names = dict.fromkeys(text(each) for each in (*items(told.get("Aliases")), *items(told.get("DNSNames"))))
    return tuple(each for each in names if each and each not in own)
