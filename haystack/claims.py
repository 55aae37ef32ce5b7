"""Who answers for a host name and a path, where several services ask for them.

A claim is a host name with a path prefix. A service has its own name and each haystack.host, all below its haystack.path. Of several
claimants the one whose own name it is wins, then the first by name: the same one whatever the order of events. Pure. The snapshot tells
the others; the workers' routes follow the same order.
"""

from __future__ import annotations

from collections.abc import Iterable

from haystack.model import Problem, Service

Claim = tuple[str, str]
Rank = tuple[bool, str]


def prefix(path: str | None) -> str:
    """haystack.path in its normal form: `/`, or a path without slash at its end."""
    return (path or "").rstrip("/") or "/"


def rank(name: str, host: str) -> Rank:
    """The place of service `name` among those that claim `host`: the least wins."""
    return host != name, name


def contested(services: Iterable[Service]) -> dict[str, tuple[Problem, ...]]:
    """Service → its problems with claims that go to another one."""
    claimed: dict[Claim, list[Rank]] = {}
    for service in services:
        if service.has_http:
            for host in dict.fromkeys((service.name, *service.hosts)):
                claimed.setdefault((host, prefix(service.path)), []).append(rank(service.name, host))
    lost: dict[str, tuple[Problem, ...]] = {}
    for (host, path), ranks in claimed.items():
        if len(ranks) > 1:
            (_, winner), *others = sorted(ranks)
            text = f"{host}{path} is served by {winner}, which claims it too"
            for _, name in others:
                lost[name] = (*lost.get(name, ()), Problem(subject="label haystack.host", message=text))
    return lost
