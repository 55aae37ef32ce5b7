"""One service of its containers: endpoints judged side by side, what they claim, and the options on which they agree.

Pure. Both ways to build a snapshot ask.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from haystack.catalog import host_names, spellings
from haystack.catalog.claims import ALL, Claim, prefix
from haystack.catalog.verdicts import Judge, Judged, Member
from haystack.loop.turns import Turns, stretches
from haystack.model.records import Container, Options, Problem
from haystack.model.service_options import ServiceOptions
from haystack.model.services import PASSED, PASSTHROUGH, Carried, Endpoint, Service

OPTIONS = ServiceOptions.__struct_fields__
UNASKED = Options()
Made = tuple[Container, tuple[Endpoint, ...]]


def of(origin: str, name: str, containers: Sequence[Made], judge: Judge) -> Turns[Service]:
    """The service of these containers, in the order of their ids."""
    members: dict[str, Member] = {}
    for part in stretches(containers):
        members.update((e.id, (container, e)) for container, made in part for e in made)
        yield
    judged = yield from judge.judged(name, list(members.values()))
    owners = list({c.id: c for c, _ in members.values()}.values())
    yield
    spelled, alike = yield from spellings.of(origin, name, owners)
    asking: list[Container] = []  # most have no label at all
    for some in stretches(owners):
        asking += [c for c in some if c.options != UNASKED]
        yield
    vain = _vain(asking, {c.id for c, e in members.values() if e.listener == PASSED})
    refused = yield from _refused(origin, [c for c in asking if c.options.hosts])
    web = {c.id: c for c, e in members.values() if e.speaks_http}
    yield
    path, astray = _path(web, asking)
    public, closed = _public(list(web.values()))
    yield
    claims, odd = yield from _claims(origin, name, [m for m in members.values() if m[0].options.hosts], judged, judge)
    led = {id(c.endpoints): c.endpoints for c in claims}.values()  # many hosts have the very same endpoints
    options, differ = yield from _own(owners, asking, {e.container for endpoints in led for e in endpoints})
    problems = (*alike, *differ, *vain, *astray, *closed, *refused, *judged.problems, *odd)
    found = Service(name=name, spelled=spelled, endpoints=judged.endpoints, claims=claims, path=path, public=public, problems=problems)
    return replace(found, **options)


def before(service: Service | None) -> dict[str, dict[str, Endpoint]]:
    """What Judge has to know of the snapshot before."""
    if service is None:
        return {}
    found = {service.name: {e.id: e for e in service.endpoints}}
    found.update((_scope(service.name, (c.host, c.path)), {e.id: e for e in c.endpoints}) for c in service.claims)
    return found


def _scope(name: str, claim: Claim) -> str:
    """Under which the verdicts of a claim are found again: a service's name holds no blank."""
    return f"{name} {claim[0]}{claim[1]}"


def _claims(
    origin: str, name: str, members: list[Member], judged: Judged, judge: Judge
) -> Turns[tuple[tuple[Carried, ...], tuple[Problem, ...]]]:
    """Each host with its path, and those who carry it: judged among themselves, for no other container stands in for them.

    members: those that ask for a host.
    """
    carriers: dict[Claim, list[Member]] = {}
    for some in stretches(members):
        for container, endpoint in some:
            if (path := _path_for(container, endpoint)) is not None:
                for host in host_names.of(origin, container):
                    carriers.setdefault((host, path), []).append((container, endpoint))
        yield
    problems = list(_passed(carriers))
    every = {e.id: e for e in judged.endpoints if e.listener is not None} if carriers else {}
    kinds = ([e for e in every.values() if e.speaks_http], [e for e in every.values() if not e.speaks_http])
    known = {tuple(e.id for e in kind): tuple(kind) for kind in kinds}  # many hosts of one set of containers are judged once
    agreed: dict[tuple[str, ...], dict[str, object]] = {}
    found: list[Carried] = []
    for claim, carrying in carriers.items():
        ids = tuple(e.id for _, e in carrying)
        if ids not in known and judged.well.issuperset(ids):
            known[ids] = tuple(every[i] for i in ids)
        elif ids not in known:
            apart = yield from judge.judged(_scope(name, claim), carrying)
            known[ids] = apart.endpoints
            problems += [Problem(subject=f"{p.subject} for {claim[0]}{claim[1]}", message=p.message) for p in apart.panics]
        if ids not in agreed:
            agreed[ids], differ = yield from _agreed(list({c.id: c for c, _ in carrying}.values()), f" for {claim[0]}{claim[1]}")
            problems += differ if claim[1] != ALL else ()
        public = all(container.options.public is not False for container, _ in carrying)
        found.append(replace(Carried(host=claim[0], path=claim[1], public=public, endpoints=known[ids]), **agreed[ids]))
        yield
    return tuple(found), tuple(problems)


def _passed(carriers: dict[Claim, list[Member]]) -> Iterator[Problem]:
    """Problems of hosts whose TLS is passed through to some of their containers: all of it is, or where the first word is another, none.

    Takes out the claims of TLS that come to nothing.
    """
    passing = {host: [c for c, _ in members] for (host, path), members in carriers.items() if path == ALL}
    others: dict[str, dict[str, Container]] = {}
    for (host, _), members in carriers.items() if passing else ():
        if host in passing:
            others.setdefault(host, {}).update((c.id, c) for c, _ in members if c.options.https != PASSTHROUGH)
    for host, ending in passing.items():
        first = min((c for c in others.get(host, {}).values() if c.options.https is not None), key=lambda c: c.id, default=None)
        if first is not None and first.id < min(c.id for c in ending):
            del carriers[host, ALL]
            text = f"its containers have different values; {first.options.https!r} of {first.id[:12]} is used for https://{host}"
            yield Problem(subject="label haystack.https", message=text)
        elif other := next(iter(others.get(host, {}).values()), None):
            text = f"https://{host} is passed through to {ending[0].name} (haystack.https=passthrough)"
            yield Problem(subject="label haystack.host", message=f"{text}, and can't be served by {other.name} too")


def _path_for(container: Container, endpoint: Endpoint) -> str | None:
    """The path below which a container's hosts lead to this endpoint, ALL where their TLS does; None: they don't."""
    if endpoint.speaks_http:
        return prefix(container.options.path)
    return ALL if endpoint.listener == PASSED else None


def _vain(asking: list[Container], ending: AbstractSet[str]) -> tuple[Problem, ...]:
    """A Problem for containers whose TLS can't be passed through. ending: ids of those that have a port for that."""
    asked = [c for c in asking if c.options.https == PASSTHROUGH and c.id not in ending]
    unnamed, mute = [c.name for c in asked if not c.options.hosts], [c.name for c in asked if c.options.hosts]
    found = []
    if unnamed:
        found.append(_told("https", repr(PASSTHROUGH), unnamed, "has no effect: it is for the names of haystack.host, and there is none"))
    if mute:
        text = "has no effect: port 443 or 8443 is not exposed; set haystack.port to the port that speaks TLS"
        found.append(_told("https", repr(PASSTHROUGH), mute, text))
    return tuple(found)


def _path(web: Mapping[str, Container], asking: list[Container]) -> tuple[str | None, tuple[Problem, ...]]:
    """The prefix below which the service's own name leads to it: the one on which all agree, else any path, for it leads to all of them.

    web: who speaks HTTP, by id; asking: who has a label.
    """
    containers = [c for c in asking if c.id in web]
    asked = {prefix(c.options.path) for c in containers} | ({prefix(None)} if len(containers) < len(web) else set())
    if len(asked) == 1:
        return next((c.options.path for c in containers if c.options.path is not None), None), ()
    idle = ((c.options.path, c.name) for c in containers if c.options.path is not None and not c.options.hosts)
    grouped: dict[str, list[str]] = {}
    for path, name in idle:
        grouped.setdefault(path, []).append(name)
    text = "has no effect: the service's own name leads to all of its containers, and their paths differ; add haystack.host to use it"
    return None, tuple(_told("path", repr(path), names, text) for path, names in grouped.items())


def _public(containers: list[Container]) -> tuple[bool, tuple[Problem, ...]]:
    """Whether everybody may ask for the service's own name: only where all of its containers say so, for it leads to all of them."""
    asked = [c.name for c in containers if c.options.public]
    if not asked or len(asked) == len(containers):
        return bool(asked), ()
    other = next(c.name for c in containers if not c.options.public)
    text = f"has no effect: {other} of the same service does not have it; haystack.host gives single containers a public name"
    return False, (_told("public", "'true'", asked, text),)


def _refused(origin: str, containers: list[Container]) -> Turns[tuple[Problem, ...]]:
    """A Problem for each host that is refused, however many containers ask for it."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for some in stretches(containers):
        for container in some:
            for found in host_names.refused(origin, container).items():
                grouped.setdefault(found, []).append(container.name)
        yield
    return tuple(_told("host", repr(host), names, f"{why}; ignored") for (host, why), names in grouped.items())


def _told(label: str, value: str, names: list[str], text: str) -> Problem:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return Problem(subject=f"label haystack.{label}", message=f"{value} of {names[0]}{more} {text}")


def _own(owners: list[Container], asking: list[Container], named: AbstractSet[str]) -> Turns[tuple[dict[str, object], tuple[Problem, ...]]]:
    """Options of the service's own name: those of its containers without a haystack.host; if all have one, those of all of them.

    In the second case they need not agree: their labels are meant for their hosts.

    owners: all containers; asking: those with a label; named: ids of those that have names by haystack.host.
    """
    unnamed = [c for c in asking if c.id not in named]
    if len(unnamed) == len(asking) or any(c.id not in named for c in owners):
        return (yield from _agreed(unnamed))
    agreed, _ = yield from _agreed(asking)
    agreed.pop("max_connections", None)  # it is of endpoints, and each of them has it by its own names
    return agreed, ()


def _agreed(containers: list[Container], where: str = "") -> Turns[tuple[dict[str, object], tuple[Problem, ...]]]:
    """The options that these containers ask for; where they differ, the first one's word counts. where: for people."""
    agreed: dict[str, object] = {}
    problems: list[Problem] = []
    for field in OPTIONS:
        asked = {c.id: value for c in containers if (value := getattr(c.options, field)) is not None}
        yield
        if not asked:
            continue
        first = next(iter(asked))
        agreed[field] = asked[first]
        if len(set(asked.values())) > 1:
            text = f"its containers have different values; {asked[first]!r} of {first[:12]} is used{where}"
            problems.append(Problem(subject=f"label haystack.{field}", message=text))
    return agreed, tuple(problems)
