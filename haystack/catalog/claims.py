"""Who answers for a host name and a path, where several services ask for them.

A claim is a host name with a path prefix. A service has its own name, which leads to all of its endpoints, and each haystack.host below
the haystack.path of the same container, which leads to those who carry both. Of several claimants the one whose own name it is wins, then
the first by name: the same one whatever the order of events. The TLS of a host (haystack.https=passthrough) is a claim too, without a path;
nobody else is served by that host within TLS then. Pure. The snapshot tells the others, unless whoever carries the claim there is
served by the winner too: one container is often in two services. The workers' routes follow the same order.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping

from haystack.model.records import Problem
from haystack.model.services import Service

ALL = ""  # in the place of a path: the TLS of the host, which knows no path
Claim = tuple[str, str]
Rank = tuple[bool, str]


def prefix(path: str | None) -> str:
    """haystack.path in its normal form: `/`, or a path without slash at its end."""
    return (path or "").rstrip("/") or "/"


def rank(name: str, host: str) -> Rank:
    """The place of service `name` among those that claim `host`: the least wins."""
    return host != name, name


def of(service: Service) -> dict[Claim, frozenset[str]]:
    """What a service claims, and the endpoints that answer there; nothing where no port of it speaks HTTP or ends TLS."""
    own = frozenset(e.id for e in service.endpoints if e.speaks_http)
    found = {(service.name, prefix(service.path)): own} if own else {}
    sets: dict[int, frozenset[str]] = {}  # many hosts have the very same endpoints
    for claim in service.claims:
        made = sets.setdefault(id(claim.endpoints), frozenset(e.id for e in claim.endpoints))
        found.setdefault((claim.host, claim.path), made)
    return found


def plain(service: Service | None) -> frozenset[str]:
    """The hosts of a service that are not served within TLS."""
    if service is None:
        return frozenset()
    off = {c.host for c in service.claims if c.https == "off"} | ({service.name} if service.https == "off" else set())
    return frozenset(off - {c.host for c in service.claims if c.https != "off"}) if off else frozenset()


def contested(services: Iterable[Service]) -> dict[str, tuple[Problem, ...]]:
    """Service → its problems with claims that go to another one."""
    book, names = Book(), []
    for service in services:
        book.put(service.name, of(service), plain(service))
        names.append(service.name)
    return {name: lost for name in names if (lost := book.lost(name))}


class Book:
    """Who claims what, kept up to date service by service. However many claim the same, one that does not get it costs nobody else."""

    def __init__(self) -> None:
        self._claims: dict[str, Mapping[Claim, frozenset[str]]] = {}
        self._claimants: dict[Claim, list[Rank]] = {}  # the winner first
        self._plain: dict[str, frozenset[str]] = {}  # by service: hosts that are not served within TLS

    def put(self, name: str, claims: Mapping[Claim, frozenset[str]], plain: frozenset[str] = frozenset()) -> set[str]:
        """Take these as all that a service claims. Whose problems may be others now, itself aside. plain: hosts without TLS."""
        self._plain[name] = plain
        old = self._claims.get(name, {})
        if claims:
            self._claims[name] = claims  # their order may be another one, where nothing else is
        else:
            self._claims.pop(name, None)
            del self._plain[name]
        if old == claims:
            return set()
        concerned = [claim for claim in {*old, *claims} if old.get(claim) != claims.get(claim)]
        won = [claim for claim in concerned if claim in old and self._winner(claim) == name]
        for claim in old.keys() - claims.keys():
            self._leave(name, claim)
        for claim in claims.keys() - old.keys():
            insort(self._claimants.setdefault(claim, []), rank(name, claim[0]))
        won += [claim for claim in concerned if claim in claims and self._winner(claim) == name]
        others = {other for claim in won for _, other in self._claimants.get(claim, ())}
        if passed := {host for host, path in concerned if path == ALL}:
            others |= {other for (host, _), each in self._claimants.items() if host in passed for _, other in each}
        return others - {name}

    def _leave(self, name: str, claim: Claim) -> None:
        claimants = self._claimants[claim]
        claimants.remove(rank(name, claim[0]))
        if not claimants:
            del self._claimants[claim]

    def _winner(self, claim: Claim) -> str:
        return self._claimants[claim][0][1]

    def lost(self, name: str) -> tuple[Problem, ...]:
        """The problems of a service whose endpoints miss a claim that goes to another one, in the order of its claims."""
        lost = []
        for claim, mine in self._claims.get(name, {}).items():
            winner = self._winner(claim)
            if winner != name and not mine <= self._claims[winner][claim]:
                text = f"{claim[0]}{claim[1]} is served by {winner}, which claims it too"
                lost.append(Problem(subject="label haystack.host", message=text))
        return (*lost, *self._passed_by(name))

    def _passed_by(self, name: str) -> Iterator[Problem]:
        """The hosts of a service whose TLS is passed through to another one: their paths are in it, where nobody sees them."""
        plain = self._plain.get(name, frozenset())
        for host in dict.fromkeys(host for host, path in self._claims.get(name, {}) if path != ALL and host not in plain):
            if (host, ALL) in self._claimants and (winner := self._winner((host, ALL))) != name:
                text = f"https://{host} is passed through to {winner} (haystack.https=passthrough), and can't be served by others too"
                yield Problem(subject="label haystack.host", message=text)
