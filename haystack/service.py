"""One service of its containers: endpoints judged side by side, what they claim, and the options on which they agree.

Pure. Both ways to build a snapshot ask.
"""

from __future__ import annotations

from collections.abc import Iterable

from haystack import hosts
from haystack.claims import Claim, prefix
from haystack.judge import Judge, Judged, Member
from haystack.model import Carried, Container, Endpoint, Problem, Service

OPTIONS = ("balance", "sticky", "max_connections", "timeout", "wait", "retry", "upgrade")
Made = tuple[Container, tuple[Endpoint, ...]]


def of(origin: str, name: str, containers: Iterable[Made], judge: Judge) -> Service:
    """The service of these containers, in the order of their ids."""
    members: dict[str, Member] = {e.id: (container, e) for container, made in containers for e in made}
    judged = judge.judged(name, list(members.values()))
    owners = list({c.id: c for c, _ in members.values()}.values())
    options, differ = _agreed(owners)
    web = {c.id: c for c, e in members.values() if e.listener is not None}
    path, astray = _path(list(web.values()))
    public, closed = _public(list(web.values()))
    claims, unwell = _claims(origin, name, list(members.values()), judged, judge)
    problems = (*differ, *astray, *closed, *_refused(origin, owners), *judged.problems, *unwell)
    return Service(name=name, endpoints=judged.endpoints, claims=claims, path=path, public=public, problems=problems, **options)  # type: ignore[arg-type]


def before(service: Service | None) -> dict[tuple[str, str], Endpoint]:
    """What Judge has to know of the snapshot before."""
    if service is None:
        return {}
    found = {(service.name, e.id): e for e in service.endpoints}
    found.update(((_scope(service.name, (c.host, c.path)), e.id), e) for c in service.claims for e in c.endpoints)
    return found


def _scope(name: str, claim: Claim) -> str:
    """Under which the verdicts of a claim are found again: a service's name holds no blank."""
    return f"{name} {claim[0]}{claim[1]}"


def _claims(origin: str, name: str, members: list[Member], judged: Judged, judge: Judge) -> tuple[tuple[Carried, ...], tuple[Problem, ...]]:
    """Each host with its path, and those who carry it: judged among themselves, for no other container stands in for them."""
    carriers: dict[Claim, list[Member]] = {}
    for container, endpoint in members:
        if endpoint.listener is not None:
            for host in hosts.of(origin, container):
                carriers.setdefault((host, prefix(container.options.path)), []).append((container, endpoint))
    every = {e.id: e for e in judged.endpoints if e.listener is not None}
    known = {tuple(every): tuple(every.values())}  # many hosts of one set of containers are judged once
    problems: list[Problem] = []
    found: list[Carried] = []
    for claim, carrying in carriers.items():
        ids = tuple(e.id for _, e in carrying)
        if ids not in known and judged.well.issuperset(ids):
            known[ids] = tuple(every[i] for i in ids)
        elif ids not in known:
            known[ids], told, _ = judge.judged(_scope(name, claim), carrying)
            about = (p for p in told if p.subject.startswith("health"))
            problems += [Problem(subject=f"{p.subject} for {claim[0]}{claim[1]}", message=p.message) for p in about]
        public = all(container.options.public is not False for container, _ in carrying)
        found.append(Carried(host=claim[0], path=claim[1], public=public, endpoints=known[ids]))
    return tuple(found), tuple(problems)


def _path(containers: list[Container]) -> tuple[str | None, tuple[Problem, ...]]:
    """The prefix below which the service's own name leads to it: the one on which all agree, else any path, for it leads to all of them."""
    asked = {prefix(c.options.path) for c in containers}
    if len(asked) == 1:
        return next((c.options.path for c in containers if c.options.path is not None), None), ()
    idle = ((c.options.path, c.name) for c in containers if c.options.path is not None and not c.options.hosts)
    grouped: dict[str, list[str]] = {}
    for path, name in idle:
        grouped.setdefault(path, []).append(name)
    text = "has no effect: the service's own name leads to all of its containers, and they differ in it; haystack.host gives it a host"
    return None, tuple(_told("path", repr(path), names, text) for path, names in grouped.items())


def _public(containers: list[Container]) -> tuple[bool, tuple[Problem, ...]]:
    """Whether everybody may ask for the service's own name: only where all of its containers say so, for it leads to all of them."""
    asked = [c.name for c in containers if c.options.public]
    if not asked or len(asked) == len(containers):
        return bool(asked), ()
    other = next(c.name for c in containers if not c.options.public)
    text = (
        f"has no effect: {other}, to which the service's own name leads too, does not have it; haystack.host gives those who have it a name"
    )
    return False, (_told("public", "'true'", asked, text),)


def _refused(origin: str, containers: list[Container]) -> tuple[Problem, ...]:
    """A Problem for each host that is refused, however many containers ask for it."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for container in containers:
        for found in hosts.refused(origin, container).items():
            grouped.setdefault(found, []).append(container.name)
    return tuple(_told("host", repr(host), names, f"{why}; ignored") for (host, why), names in grouped.items())


def _told(label: str, value: str, names: list[str], text: str) -> Problem:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return Problem(subject=f"label haystack.{label}", message=f"{value} of {names[0]}{more} {text}")


def _agreed(containers: list[Container]) -> tuple[dict[str, object], tuple[Problem, ...]]:
    """What is asked for the service as a whole; where its containers differ, the first one's word counts."""
    agreed: dict[str, object] = {}
    problems: list[Problem] = []
    for field in OPTIONS:
        asked = {c.id: getattr(c.options, field) for c in containers if getattr(c.options, field) is not None}
        if not asked:
            continue
        first = next(iter(asked))
        agreed[field] = asked[first]
        if len(set(asked.values())) > 1:
            text = f"its containers differ; {asked[first]!r} of {first[:12]} counts"
            problems.append(Problem(subject=f"label haystack.{field}", message=text))
    return agreed, tuple(problems)
