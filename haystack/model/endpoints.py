"""From a container to its endpoints, one a port, and to the whole names of its services. Pure; nothing is judged here."""

from __future__ import annotations

from haystack.model import naming, ports
from haystack.model.records import Container, Port, Problem
from haystack.model.services import PASSED, SEALED, SPOKEN, Endpoint, Sealing

DEFAULT_WEIGHT = 100


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


def sealing(origin: str, container: Container) -> Sealing | None:
    """How a container is spoken to within TLS; None: without."""
    options = container.options
    if options.protocol not in SEALED:
        return None
    hosts = [host for host in options.hosts if not host.startswith("*.")]
    name = options.tls_server_name or next(iter(hosts), "") or next(iter(names(origin, container)[0]), "")
    return Sealing(name=name, ca=options.tls_ca or "", verify=options.tls_verify)


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
        speaks=SPOKEN[0] if listener == PASSED else options.protocol or SPOKEN[0],
        sealing=sealing(origin, container) if listener and listener != PASSED else None,
        weight=DEFAULT_WEIGHT if options.weight is None else options.weight,
        proxy_protocol=options.proxy_protocol,
        born=container.since if container.state == "running" else 0.0,
        remote=container.remote,
    )
