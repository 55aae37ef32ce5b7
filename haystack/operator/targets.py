"""What an operator means by a word: an endpoint, a container or a service; and which services it is about.

Pure: reads one snapshot, in turns. An endpoint is named by its id (``0a1b2c3d4e5f:80/tcp``) or by its container with the port
(``web-001:80``); a container by its name, an address of it or the beginning of its id; a service by its whole name or the short one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from haystack.loop.turns import Turns
from haystack.model import addresses, naming
from haystack.model.endpoints import endpoints, names
from haystack.model.overrides import Overrides, Scope, Target
from haystack.model.readiness import serving
from haystack.model.records import Container
from haystack.model.services import Endpoint, Override, Service

SHORTEST_ID = 4  # characters of an id by which a container is meant
_ENDPOINT = re.compile(r"\[?(?P<host>[^\[\]]+?)\]?:(?P<port>[0-9]{1,5})(?:/(?P<protocol>[a-z]+))?", re.ASCII)
_SCOPED = re.compile(r"(?P<scope>service|container):(?P<name>.*[^0-9].*)", re.ASCII)


class Site(Protocol):
    """A snapshot, as far as it is read here."""

    @property
    def origin(self) -> str:
        """The last part of all names."""

    @property
    def containers(self) -> Mapping[str, Container]:
        """By id."""

    @property
    def services(self) -> Mapping[str, Service]:
        """By whole name."""


class UnknownError(Exception):
    """A word means nothing, or several things. str() is one line; word: what was looked for; known: what it may have been meant to be."""

    def __init__(self, text: str, word: str = "", known: Iterable[str] = ()) -> None:
        super().__init__(text)
        self.word = word
        self.known = known


def find(site: Site, text: str) -> Turns[Target]:
    """What this word means. Raises UnknownError."""
    scoped = _SCOPED.fullmatch(text)
    scope, word = (scoped["scope"], scoped["name"]) if scoped else ("", text)
    found = _ENDPOINT.fullmatch(word)
    if found and not scope and not addresses.octets(word):
        return (yield from _endpoint(site, found["host"], int(found["port"]), found["protocol"]))
    containers = [] if scope == "service" else (yield from _containers(site, word))
    service = None if scope == "container" else _service(site, word)
    if service is not None and containers:
        raise UnknownError(f"{word} is a service and a container: say service:{word} or container:{word}")
    if len(containers) > 1:
        raise UnknownError(f"{word} is {len(containers)} containers: {_ids(containers)}")
    if containers:
        return of_container(containers[0])
    if service is not None:
        return service
    raise UnknownError(f"no endpoint, container or service {word}", word, _known(site))


def held(overrides: Iterable[Override], site: Site, text: str) -> Target | None:
    """What is overridden and meant by this word, though it may have gone; None: nothing is."""
    whole = naming.service_name(naming.short_name(text.lower().removesuffix("."), site.origin), site.origin)
    found = {o.target: o for o in overrides if text in (o.target, o.name) or (o.scope == Scope.SERVICE.value and o.target == whole)}
    if len(found) != 1:
        return None
    (one,) = found.values()
    return Target(scope=Scope(one.scope), id=one.target, name=one.name, container=one.container)


def only_endpoint(site: Site, target: Target) -> Target:
    """The endpoint of a container that has one. Raises UnknownError."""
    if target.scope is Scope.ENDPOINT:
        return target
    if target.scope is Scope.SERVICE:
        raise UnknownError(f"{target.name} is a service: only an endpoint has a weight")
    container = site.containers[target.container]
    found = endpoints(site.origin, container)
    if len(found) != 1:
        ports = ", ".join(f"{container.name}:{e.port}" for e in found)
        raise UnknownError(f"{target.name} has {len(found)} endpoints{': say ' * bool(found)}{ports}")
    return of_endpoint(container, found[0])


def of_container(container: Container) -> Target:
    """A container."""
    return Target(scope=Scope.CONTAINER, id=container.id, name=container.name, container=container.id)


def of_endpoint(container: Container, endpoint: Endpoint) -> Target:
    """An endpoint."""
    protocol = "" if endpoint.protocol == "tcp" else f"/{endpoint.protocol}"
    name = f"{container.name}:{endpoint.port}{protocol}"
    return Target(scope=Scope.ENDPOINT, id=endpoint.id, name=name, container=container.id)


def _endpoint(site: Site, host: str, port: int, protocol: str | None) -> Turns[Target]:
    """The endpoint of a container at this port."""
    containers = yield from _containers(site, host)
    found = [
        (c, e) for c in containers for e in endpoints(site.origin, c) if e.port == port and (protocol is None or e.protocol == protocol)
    ]
    if len(found) == 1:
        return of_endpoint(*found[0])
    word = f"{host}:{port}{f'/{protocol}' if protocol else ''}"
    if found:
        raise UnknownError(f"{word} is {len(found)} endpoints: {', '.join(e.id for _, e in found[:5])}")
    if containers:
        ports = ", ".join(f"{e.port}/{e.protocol}" for c in containers[:1] for e in endpoints(site.origin, c))
        raise UnknownError(f"{containers[0].name} has no port {port}{': its ports are ' * bool(ports)}{ports}")
    raise UnknownError(f"no endpoint {word}", word, (f"{name}:{port}" for name in _names(site)))


def _containers(site: Site, word: str) -> Turns[list[Container]]:
    """Those of that name, else those that have that address, else those whose ids begin so."""
    address = addresses.octets(word)
    named: list[Container] = []
    placed: list[Container] = []
    ids: list[Container] = []
    for container in site.containers.values():
        if container.name == word:
            named.append(container)
        elif address and address in addresses.of(container):
            placed.append(container)
        elif len(word) >= SHORTEST_ID and container.id.startswith(word.lower()):
            ids.append(container)
        yield
    return named or placed or ids


def _service(site: Site, word: str) -> Target | None:
    short = naming.short_name(word.lower().removesuffix("."), site.origin)
    name = naming.service_name(short, site.origin)
    return Target(scope=Scope.SERVICE, id=name, name=short) if name in site.services else None


def _ids(containers: Iterable[Container]) -> str:
    return ", ".join(c.short_id for c in list(containers)[:5])


def _names(site: Site) -> Iterator[str]:
    return (c.name for c in site.containers.values())


def _known(site: Site) -> Iterator[str]:
    """Every name that there is."""
    suffix = naming.service_name("", site.origin)
    yield from (name.removesuffix(suffix) for name in site.services)
    yield from _names(site)


# -- what a target is about


def ids(site: Site, target: Target) -> tuple[str, ...]:
    """The endpoints of an endpoint or a container; of a service: none, for its exchanges are counted by its name."""
    if target.scope is Scope.CONTAINER and (container := site.containers.get(target.container)) is not None:
        return tuple(e.id for e in endpoints(site.origin, container))
    return (target.id,) if target.scope is Scope.ENDPOINT else ()


def services(site: Site, target: Target) -> list[Service]:
    """Those that it is, or is a part of."""
    if target.scope is Scope.SERVICE:
        wanted: tuple[str, ...] = (target.id,)
    else:
        container = site.containers.get(target.container)
        wanted = names(site.origin, container)[0] if container is not None else ()
    return [found for name in wanted if (found := site.services.get(name)) is not None]


def without_endpoint(site: Site, target: Target) -> list[str]:
    """The services of an endpoint or container of which nobody is ready: their whole names."""
    return [service.name for service in services(site, target) if not any(e.ready for e in serving(service))]


def still(overrides: Overrides, site: Site, target: Target) -> list[Override]:
    """The drains that keep a target, or a part of it, out besides its own."""
    around = [target.id, target.container, *ids(site, target), *(service.name for service in services(site, target))]
    return [found for each in dict.fromkeys(around) if each != target.id and (found := overrides.drains.get(each)) is not None]
