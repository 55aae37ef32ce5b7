"""From a container to its endpoints, one a port, and to the whole names of its services. Pure; nothing is judged here."""

from __future__ import annotations

from typing import Any

from haystack.model import naming, ports
from haystack.model.records import OF_TLS, SEALED, SPEECH, ConnectionOptions, Container, Port, Problem
from haystack.model.services import PASSED, Endpoint

DEFAULT_WEIGHT = 100
ASKED = ConnectionOptions.__struct_fields__


def names(origin: str, container: Container) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    """The whole names of the services that a container belongs to, and its problems with those that are none."""
    whole = [naming.service_name(short, origin) for short in dict.fromkeys(container.services)]
    odd = [Problem(subject="service name", message=f"{n[:300]!r} is no DNS name: left out") for n in whole if not naming.is_name(n)]
    return (tuple(n for n in whole if naming.is_name(n)) if odd else tuple(whole)), tuple(odd)


def target(origin: str, container: Container) -> str:
    """The container's DNS name that SRV records point at."""
    return naming.container_name(naming.id_label(container.short_id), origin)


def endpoints(origin: str, container: Container) -> tuple[Endpoint, ...]:
    """One endpoint a port, not judged yet; none while the container has no address."""
    address = container.address or container.address6
    options = container.options
    if not address:
        return ()
    listed = container.ports
    alone = _sealed_port(container)
    if options.port is not None and not any(p.number == options.port and p.protocol == "tcp" for p in listed):
        listed = (*listed, ports.named(options.port, "tcp"))
    passed = ports.passed(options, listed)
    return tuple(_endpoint(origin, container, port, address, alone, passed) for port in sorted(listed))


def _sealed_port(container: Container) -> int | None:
    """Of a container whose HTTP is within TLS: the port that is for that, and its only one for HTTP; None: there is no such port."""
    if container.options.protocol not in SEALED or container.options.port is not None:
        return None
    listed = {port.number for port in container.ports if port.protocol == "tcp"}
    return next((number for number in ports.SEALED if number in listed), None)


def connection(origin: str, container: Container, *, http: bool = True) -> ConnectionOptions:
    """How connections to a container are made. http: requests go there; else what is sent is none of ours, and neither is its TLS."""
    options = container.options
    sealed = http and options.protocol in SEALED
    vain = () if sealed else OF_TLS if http else SPEECH
    asked: dict[str, Any] = {name: value for name in ASKED if (value := getattr(options, name)) is not None and name not in vain}
    if sealed:
        asked.setdefault("tls_server_name", _server_name(origin, container))
    return ConnectionOptions(**asked)


def _server_name(origin: str, container: Container) -> str:
    """What the certificate of a container has to be for, where no label says so."""
    hosts = [host for host in container.options.hosts if not host.startswith("*.")]
    return next(iter(hosts), "") or next(iter(names(origin, container)[0]), "")


def _endpoint(origin: str, container: Container, port: Port, address: str, alone: int | None, passed: int | None) -> Endpoint:
    """alone: the one port that speaks HTTP, where that is known; passed: that to which TLS is passed through."""
    options = container.options
    if alone is None or passed is not None:
        listener = ports.listener(port, options.port, passed)
    else:
        listener = ports.HTTP if (port.number, port.protocol) == (alone, "tcp") else None
    return Endpoint(
        id=f"{container.short_id}:{port.number}/{port.protocol}",
        container=container.id,
        container_name=container.name,
        target=target(origin, container),
        address=address,
        address6=container.address6,
        port=port.number,
        protocol=port.protocol,
        port_name=port.name,
        listener=listener,
        connection=connection(origin, container, http=listener is not None and listener != PASSED),
        weight=DEFAULT_WEIGHT if options.weight is None else options.weight,
        born=container.since if container.state == "running" else 0.0,
        remote=container.remote,
    )
