"""Which service answers a URL, by which claim, and how one of its endpoints is chosen: what the shell and the web side tell of it.

Pure. Follows the rules of docs/routing.md on the snapshot, as the workers' router does in its own way: a test holds the two against
each other. Text of others is as it is: for a terminal it has to be made printable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from haystack.catalog.claims import ALL, prefix, rank
from haystack.loop.turns import Turns
from haystack.model import readiness
from haystack.model.records import SPOKEN
from haystack.model.service_options import ServiceOptions
from haystack.model.services import Carried, Endpoint, Service
from haystack.routing import locality
from haystack.routing.routing_table import own_hosts, serving
from haystack.routing.rows import HTTPS, LISTENERS
from haystack.tls.sources import UNSEALED
from haystack.views import in_effect
from haystack.views.state import State

SCHEMES = ("http", "https", "ws", "wss")  # a WebSocket begins as a request
PROOFS = "/.well-known/acme-challenge/"  # is never redirected
USUAL = 443  # what a URL of HTTPS need not name
NAMED = 50  # of those among which one is picked, and of rules that are shadowed


class Asked(NamedTuple):
    """A URL as a worker sees it. port None: not told."""

    host: str
    port: int | None
    path: str
    tls: bool = False


class Found(NamedTuple):
    """Who answers, and the claim that made it so: the service by its own name, or one that it carries."""

    service: Service
    host: str
    path: str
    by: Service | Carried

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Those to which it leads, ready or not."""
        return self.by.endpoints


def read(url: str) -> Asked:
    """The parts that count. Raises ValueError where there is no host, an odd port, or another scheme than HTTP's."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in SCHEMES:
        raise ValueError(f"Haystack serves http:// and https://, not {parts.scheme}://")
    if not parts.hostname:
        raise ValueError("no host name in it")
    return Asked(parts.hostname.lower().removesuffix("."), parts.port, parts.path or "/", parts.scheme in ("https", "wss"))


def matching(services: Iterable[Service], asked: Asked) -> Turns[list[Found]]:
    """All claims that fit, in the order in which they are followed: the first one has the request, and shadows the others.

    The most specific host is first, then, within TLS, whom that is passed through to (else that one is last), then the longest path,
    then as claims.rank has it. Empty: nobody answers.
    """
    claims: dict[str, list[Found]] = {}
    wanted = set(hosts_for(asked.host))
    for service in services:
        for found in claims_of(service):
            if found.host in wanted and (found.path == ALL or is_below(found.path, asked.path)):
                claims.setdefault(found.host, []).append(found)
        yield
    ordered: list[Found] = []
    for host in hosts_for(asked.host):
        ordered += sorted(claims.get(host, ()), key=lambda f: ((f.path == ALL) != asked.tls, -len(f.path), rank(f.service.name, f.host)))
    return ordered


def find(services: Iterable[Service], asked: Asked) -> Turns[Found | None]:
    """The service that answers; None: none does."""
    return next(iter((yield from matching(services, asked))), None)


def lead(state: State, asked: Asked, found: Found) -> Turns[list[str]]:
    """Which service it is, why, what its labels ask for, and how one of its endpoints is chosen."""
    number, name = listener(state, asked.port, tls=asked.tls)
    served = serving(found.endpoints, LISTENERS[0] if name == HTTPS else name)
    lines = [
        f"service {found.service.name}, by {_rule(found)}",
        f"listener {name}, port {number}" + (f"; no listener on port {asked.port}" if asked.port not in (None, number) else ""),
        *_passed(state, asked, found),
        *_redirected(state, asked, found, name),
        _choice(state, found.by, served),
        *_near(state, served),
        *_detours(served),
        *_spoken(served),
        *_panicked(served),
        *_apart(found),
        *(yield from in_effect.lines(state, found.service, found.by)),
        *askers(found),
    ]
    lines += [_vouched(state, asked, found)] if asked.tls else []
    return lines + [f"problem: {problem.subject}: {problem.message}" for problem in found.service.problems]


def shadowed(rules: list[Found]) -> Iterator[str]:
    """The rules that fit too, and why they are not followed."""
    winner = rules[0]
    for rule in rules[1 : NAMED + 1]:
        if rule.host != winner.host:
            why = "its host is less specific"
        elif rule.path != winner.path:
            why = "its path is shorter"
        else:
            why = "that name is the other's own" if winner.host == winner.service.name else "the other comes first by name"
        where = f"{rule.host}{'' if rule.path == '/' else rule.path}"
        yield f"shadowed: {rule.service.name}, by {where}: {why}"
    if len(rules) > NAMED + 1:
        yield f"shadowed: {len(rules) - NAMED - 1} more"


def _rule(found: Found) -> str:
    return f"the TLS of host {found.host}" if found.path == ALL else f"host {found.host} and path prefix {found.path}"


def _passed(state: State, asked: Asked, found: Found) -> list[str]:
    """That somebody else ends the TLS."""
    if found.host not in found.service.passed:
        return []
    if asked.tls:
        return ["haystack.https=passthrough: the bytes go unread to one of these endpoints, and the certificate is its own"]
    return [f"haystack.https=passthrough: 308 to {_secure_place(state, asked)}, but for {PROOFS}"]


def _vouched(state: State, asked: Asked, rule: Found) -> str:
    """Which certificate a client gets."""
    if HTTPS not in state.proxy.ports:
        return UNSEALED
    if rule.path == ALL:
        return "certificate: the endpoint's own"
    found = state.certificates.picture.find(asked.host)
    if found is None:
        return f"no certificate is for {asked.host}: its handshake is refused"
    return f"certificate for {', '.join(found.names)}, by {found.issuer}"


def listener(state: State, port: int | None, *, tls: bool = False) -> tuple[int, str]:
    """Port and name of the listener that is asked: of TLS that of HTTPS, where there is one; else that on this port, or the first."""
    ports = state.proxy.ports
    if tls and HTTPS in ports:
        return ports[HTTPS], HTTPS
    name = next((name for name in LISTENERS if port is not None and ports.get(name) == port), LISTENERS[0])
    return ports.get(name, 0), name


def _redirected(state: State, asked: Asked, found: Found, name: str) -> list[str]:
    """That a request of the HTTP listener (name) is sent to HTTPS. That depends on a certificate."""
    if in_effect.https(state.settings, found.service, found.by) != "redirect" or name != LISTENERS[0]:
        return []
    if HTTPS not in state.proxy.ports:
        return [f"haystack.https=redirect has no effect: {UNSEALED}"]
    shown = state.certificates.picture.find(asked.host)
    if shown is None or not shown.covers(asked.host):
        return [f"haystack.https=redirect has no effect yet: no certificate is for {asked.host}"]
    return [f"haystack.https=redirect: 308 to {_secure_place(state, asked)}, but for {PROOFS}"]


def _secure_place(state: State, asked: Asked) -> str:
    """Where a client is sent, without the path."""
    port = state.proxy.ports.get(HTTPS, USUAL)
    return f"https://{asked.host}{'' if port == USUAL else f':{port}'}"


def _choice(state: State, options: ServiceOptions, served: list[Endpoint]) -> str:
    """How one of those that are in would be chosen."""
    ready = [e for e in served if e.ready]
    if not ready:
        told = "no endpoint is ready, but one is expected" if any(e.awaited for e in served) else "no endpoint is ready"
        return f"{told}: 503" if options.wait == 0 else f"{told}: requests wait for a while, then 503"
    near = state.settings.locality and [e for e in served if e.remote]  # else their weights are those that they have
    weights = locality.weights(served) if near else [e.weight for e in served]
    heavy = [e for e, weight in zip(served, weights, strict=True) if e.ready and weight] or ready
    names = ", ".join(f"{e.id} (weight {e.weight})" for e in heavy[:NAMED])
    names += f" and {len(heavy) - NAMED} more" if len(heavy) > NAMED else ""
    if len(heavy) == 1:
        return (
            f"picked: {names}, the only endpoint {'that is in' if len(ready) == 1 else 'to be asked while it has room and does not fail'}"
        )
    sticky = f"the endpoint in cookie {options.sticky}, else " if options.sticky else ""
    return f"picked: {sticky}by {options.balance or state.settings.balance} among {names}"


def _panicked(served: list[Endpoint]) -> list[str]:
    """That it is a choice among those that are not well."""
    found = readiness.of(served)
    if not found.panicked:
        return []
    if not found.ready:
        return ["none of the endpoints is well: those that are in are kept in by panic, and may fail"]
    return [f"{found.panicked} of the {found.ready + found.panicked} that are in are not well, and kept in by panic"]


def _near(state: State, served: list[Endpoint]) -> list[str]:
    """What goes to other hosts while Haystack's own has some of them."""
    here, away = ([e for e in served if e.ready and e.remote is remote and e.weight] for remote in (False, True))
    if not here or not away or not state.settings.locality:
        return []
    share = locality.health(served, sum(map(locality.weight_of, here)))
    own = f"{len(here)} of these endpoints {'is' if len(here) == 1 else 'are'} on Haystack's own host, and asked first"
    if share == 1.0:
        return [f"{own}: the {len(away)} on other hosts get what these have no room for, or fail at (HAYSTACK_LOCALITY)"]
    return [f"{own}: others there are out, so {1 - share:.0%} of the requests go to the {len(away)} on other hosts (HAYSTACK_LOCALITY)"]


def _detours(served: list[Endpoint]) -> Iterator[str]:
    """Those that are reached at a published port, and why."""
    for each in [e for e in served if e.detour is not None][:NAMED]:
        yield f"{each.id} is reached at its {each.detour.why if each.detour else ''}"


def _spoken(served: list[Endpoint]) -> Iterator[str]:
    """How those are spoken to that are not spoken to in HTTP/1.1 and plain text."""
    alike: dict[tuple[object, ...], list[Endpoint]] = {}
    for each in [e for e in served if e.connection.protocol != SPOKEN[0]]:
        alike.setdefault(each.connection.speech, []).append(each)
    for some in alike.values():
        how, ids = some[0].connection, ", ".join(e.id for e in some[:NAMED])
        told = f"protocol of {ids}: {how.protocol}"
        if not how.is_sealed:
            yield told
        elif not how.tls_verify:
            yield f"{told}, asked for {how.tls_server_name}; any certificate is accepted (haystack.tls.verify)"
        else:
            yield f"{told}, with a certificate for {how.tls_server_name}, signed by {how.tls_ca or 'a CA of the system'}"


def _apart(found: Found) -> list[str]:
    """That the host leads to some of the service's containers only."""
    if found.path == ALL:
        return []
    carrying, every = ({e.container for e in of if e.speaks_http} for of in (found.endpoints, found.service.endpoints))
    if carrying == every:
        return []
    lead = f"{len(carrying)} of its {len(every)} containers: those with these labels haystack.host and haystack.path"
    return [f"this leads to {lead}; {found.service.name} leads to all"]


def askers(found: Found) -> list[str]:
    """That not everybody may ask."""
    return [] if found.by.public else ["only for clients in HAYSTACK_ALLOW, others get 404; the label haystack.public changes this"]


def claims_of(service: Service) -> Iterator[Found]:
    """What leads to a service, and to which of its endpoints."""
    if service.has_http:
        yield from (Found(service, host, prefix(service.path), service) for host in own_hosts(service))
    yield from (Found(service, c.host, c.path, c) for c in service.claims)


def hosts_for(host: str) -> Iterator[str]:
    """The host and each `*.` name that stands for it, the most specific first."""
    yield host
    _, dot, above = host.partition(".")
    while dot:
        yield f"*.{above}"
        _, dot, above = above.partition(".")


def is_below(claimed: str, path: str) -> bool:
    """Whether a path is one of those that a claim has."""
    return claimed in ("/", path) or path.startswith(f"{claimed}/")
