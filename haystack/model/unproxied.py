"""What there is to say of a service or container that Haystack proxies nothing to, because no port of it is known to speak HTTP. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from haystack.model.naming import label
from haystack.model.ports import SEALED
from haystack.model.records import Container
from haystack.model.services import Service

SYSTEM = 1024  # ports below it belong to other well-known protocols than HTTP, but for 80
NO_PORTS = "it exposes no port, so it has a name in DNS but no service; add EXPOSE, --publish or the label haystack.port"


def unheard(service: Service) -> str:
    """Why the service's name answers nothing over HTTP, and what would; empty where it does."""
    if service.passed and not service.has_http:
        return f"it has TLS alone, which is passed through to it for {', '.join(sorted(service.passed))}"
    return "" if service.has_http else silent((e.port, e.protocol) for e in service.endpoints)


def silent(ports: Iterable[tuple[int, str]]) -> str:
    """The same of these ports, numbers and protocols. The example is the port that most likely speaks HTTP."""
    found = sorted(set(ports))
    listed = ", ".join(f"{number}/{protocol}" for number, protocol in found)
    tcp = sorted((number for number, protocol in found if protocol == "tcp"), key=lambda n: (n < SYSTEM, n))
    told = f"none of its ports is known to speak HTTP ({listed})"
    if any(number in SEALED for number in tcp):
        return f"{told}: set the label haystack.protocol=https if it serves HTTPS, or haystack.port to its HTTP port"
    return f"{told}: set the label haystack.port to its HTTP port, as in haystack.port={tcp[0]}" if tcp else told


def called(name: str, longer: str = "") -> str:
    """A container as Docker calls it, with the name that it has in DNS where that is another one. longer: as in Container.label."""
    known = longer or label(name)
    return f"{name} ({known} in DNS)" if known and known != name.lower() else name


def unserved(container: Container) -> str:
    """Why a container that runs is an endpoint of nothing; empty where it is one of something."""
    if not container.services:
        return f"{container.withheld or 'it belongs to no service'}, so it only has its own name in DNS"
    if not (container.address or container.address6):
        return f"it has no address: {container.address_reason}"
    return "" if container.ports or container.options.port is not None else NO_PORTS
