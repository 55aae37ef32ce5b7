"""What happens to a URL that no service claims, and who nearly would: what the shell and the web side tell of it.

Pure. Text of others is as it is: for a terminal it has to be made printable.
"""

from __future__ import annotations

from haystack.catalog import host_names
from haystack.catalog.claims import ALL
from haystack.loop.turns import Turns
from haystack.model import unproxied
from haystack.model.endpoints import endpoints, names
from haystack.views.explanation import NAMED, Asked, claims_of, hosts_for, is_below
from haystack.views.state import State


def near(state: State, asked: Asked) -> Turns[list[str]]:
    """All who nearly would: for the path, for their ports, or for the host's sake."""
    return [
        *(yield from below(state, asked)),
        *(yield from mute(state, asked.host)),
        *(yield from refused(state, asked.host)),
    ]


def below(state: State, asked: Asked) -> Turns[list[str]]:
    """The services that have the host, but not the path."""
    found, wanted = [], set(hosts_for(asked.host))
    for service in state.snapshot.services.values():
        for claim in claims_of(service):
            if claim.host in wanted and claim.path != ALL and not is_below(claim.path, asked.path):
                where = "" if claim.host == service.name else f"{claim.host} leads to "
                found.append(f"{where}{service.name}{' only' if where else ': only'} below {claim.path} (haystack.path)")
        yield
    return _first(found, "have this host, but not the path")


def refused(state: State, host: str) -> Turns[list[str]]:
    """The containers that ask for this host, and may not have it."""
    found, wanted = [], set(hosts_for(host))
    for container in state.snapshot.containers.values():
        for name, why in host_names.refused(state.snapshot.origin, container).items():
            if name in wanted:
                found.append(f"{container.name} has the label haystack.host={name}, which is ignored: it {why}")
        yield
    return _first(found, "ask for this host, and may not have it")


def mute(state: State, host: str, *, placeless: bool = False) -> Turns[list[str]]:
    """The containers that would be this service's, but have no address, or no port that speaks HTTP. placeless: the former alone."""
    found, origin = [], state.snapshot.origin
    for container in state.snapshot.containers.values():
        yield
        own = names(origin, container)[0]
        if not own or host not in (*own, *host_names.of(origin, container)):
            continue
        called = unproxied.called(container.name, container.label)
        if not (container.address or container.address6):
            found.append(f"{called} belongs to it, but has no address: {container.address_reason}")
        elif not placeless and not any(e.speaks_http for e in endpoints(origin, container)):
            what = unproxied.silent((p.number, p.protocol) for p in container.ports) if container.ports else unproxied.NO_PORTS
            found.append(f"{called} belongs to it, but {what}")
    return _first(found, "belong to it, but can get no requests")


def _first(found: list[str], more: str) -> list[str]:
    """The first of them, and how many more there are: there may be thousands."""
    return [*found[:NAMED], f"{len(found) - NAMED} more {more}"] if len(found) > NAMED else found


def otherwise(state: State, asked: Asked) -> str:
    """What happens to a request that no service claims."""
    origin = state.snapshot.origin
    itself = asked.host in {"localhost", origin, f"ns.{origin}"} or asked.host.replace(".", "").isdigit() or ":" in asked.host
    if itself:
        return "Haystack itself answers"
    return "404" if state.registry.listed.is_set() else "503, for no source of containers has been listed yet"
