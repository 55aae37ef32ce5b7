"""The options of a service that are in effect, and which of them a label asks for: what the shell and the web side tell of them.

Pure. model/service_options.py has the options, their defaults and their texts; workers get the same by routing/routing_table.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from haystack.catalog.claims import ALL, prefix
from haystack.loop.turns import Turns, stretches
from haystack.model.service_options import SPECS
from haystack.model.services import Carried, Endpoint, Service
from haystack.views.shapes import Membership, Shape
from haystack.views.state import Options, State

NAMED = 3  # hosts with the same options


class Option(NamedTuple):
    """name: of the label, without haystack.; value: as a label has it; label: one asks for it, else it is a setting's, or usual."""

    name: str
    value: str
    label: bool


class Web(NamedTuple):
    """What the endpoints of a claim have in common. protocol: asked: a label asks for it."""

    protocol: str
    asked: bool
    headed: str


UNSEEN = Web("", asked=False, headed="")
Group = tuple[tuple[str, ...], list[Option]]


def https(settings: Options, service: Service, of: Service | Carried) -> str:
    """haystack.https of a service's own name, or of a claim."""
    return _option("https", settings, service, of).value


def options(state: State, service: Service, of: Service | Carried, web: Web) -> list[Option]:
    """Those of a service's own name, or of a claim."""
    path = prefix(of.path)
    usual = isinstance(of, Carried)  # of a host, that everybody may ask for it
    own = {name: _option(name, state.settings, service, of) for name in SPECS}
    told = [Option("path", path, path != prefix(None))]
    for name, option in own.items():
        told += [Option("protocol", web.protocol, web.asked)] if name == "https" else []
        told += [option] if not SPECS[name].quiet else []
    told.append(Option("public", "true" if of.public else "false", of.public is not usual))
    told += [option for name, option in own.items() if SPECS[name].quiet and option.label]
    return told + ([Option("proxy_protocol", web.headed, label=True)] if web.headed else [])


def _option(name: str, settings: Options, service: Service, of: Service | Carried) -> Option:
    """One of SPECS."""
    spec, asked = SPECS[name], getattr(of, name)
    value = spec.default(settings, service.has_public_name(of)) if asked is None else asked
    return Option(name, spec.shown(value), asked is not None)


def _web(state: State, endpoints: Sequence[Endpoint]) -> Turns[Web]:
    containers, spoken, headed, asked = state.snapshot.containers, dict[str, None](), set[str](), False
    for some in stretches(endpoints):
        for endpoint in some:
            if endpoint.speaks_http:
                spoken[endpoint.connection.protocol] = None
                headed |= {f"v{version}"} if (version := endpoint.connection.proxy_protocol) else set()
                container = containers.get(endpoint.container)
                asked |= container is not None and container.options.protocol is not None
        yield
    return Web(",".join(spoken), asked, ",".join(sorted(headed)))


def lines(state: State, service: Service, of: Service | Carried) -> Turns[list[str]]:
    """The same in a line or two."""
    web = yield from _web(state, of.endpoints)
    return list(_told(options(state, service, of, web))) if web.protocol and of.path != ALL else []


def by_host(state: State, service: Service) -> Turns[list[Group]]:
    """The options of each name that leads to a service, its own first; names with the same ones together. None of TLS passed through."""
    together: dict[tuple[Option, ...], dict[str, None]] = {}
    seen: dict[int, Web] = {}  # many hosts have the very same endpoints
    every: tuple[Service | Carried, ...] = (service, *service.claims)
    for of in every:
        web = seen.get(id(of.endpoints)) or (yield from _web(state, of.endpoints))
        seen[id(of.endpoints)] = web
        if of.path != ALL and web.protocol:
            host = of.host if isinstance(of, Carried) else of.name
            together.setdefault(tuple(options(state, service, of, web)), {})[host] = None
        yield
    return [(tuple(hosts), list(found)) for found, hosts in together.items()]


def all_lines(state: State, service: Service) -> Turns[list[str]]:
    """The options of a service's own name, and how those of its other names differ."""
    (_, own), *others = (yield from by_host(state, service)) or [((), [])]
    told = list(_told(own)) if own else []
    for hosts, found in others:
        differing = [each for each in found if each not in own and (each.label or each.name != "public")]
        if differing:
            more = f" and {len(hosts) - NAMED} more" if len(hosts) > NAMED else ""
            told.append(f"options of {', '.join(hosts[:NAMED])}{more}: {_listed(differing)}")
    return told


def _told(found: list[Option]) -> Iterator[str]:
    asked = [each for each in found if each.label]
    if asked:
        yield f"options by label: {_listed(asked)}"
    yield f"options {'else' if asked else 'in effect'}: {_listed([each for each in found if not each.label])}"


def _listed(found: list[Option]) -> str:
    return ", ".join(f"{each.name} {each.value}" for each in found)


def shapes(state: State, service: Service) -> Turns[Callable[[Membership], list[Shape]]]:
    """For scripts, what leads to an endpoint of it: for each set of hosts, each option's value, and whether a label asks for it."""
    groups = yield from by_host(state, service)
    told = [{each.name: {"value": each.value, "label": each.label} for each in found} for _, found in groups]
    place = {(host, told[at]["path"]["value"]): at for at, (hosts, _) in enumerate(groups) for host in hosts}

    def made(member: Membership) -> list[Shape]:
        own = [(service.name, service.path)] if member.endpoint.speaks_http else []
        hosts: dict[int, dict[str, None]] = {}
        for host, path in (*own, *member.claims):
            if path != ALL and (at := place.get((host, prefix(path)))) is not None:
                hosts.setdefault(at, {})[host] = None
        return [{"hosts": list(some), "options": told[at]} for at, some in sorted(hosts.items())]

    return made


def labelled(state: State, service: Service) -> list[str]:
    """Those of its own name that a label asks for, for people; without what is of single endpoints."""
    return [f"{each.name} {each.value}" for each in options(state, service, service, UNSEEN) if each.label] if service.has_http else []
