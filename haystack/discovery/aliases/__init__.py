"""HAYSTACK_ALIASES: what containers carry for another proxy, read as haystack.* labels, so that they need not be changed to move here.

Pure. Of a container's environment, only the few variables of nginx_proxy.py are looked at, here alone; their values are told by no problem.
A label of Haystack's own counts before every alias of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from haystack.discovery import labels as label_reader
from haystack.discovery.aliases import nginx_proxy, traefik
from haystack.discovery.aliases.records import Alias, Carried, Meant
from haystack.model.records import Options, Problem

NGINX_PROXY, TRAEFIK = "nginx-proxy", "traefik"
KINDS: dict[str, Callable[[Carried], Meant]] = {NGINX_PROXY: nginx_proxy.read, TRAEFIK: traefik.read}


def read(
    kinds: Iterable[str], labels: Mapping[str, str], environment: Iterable[Any], exposed: Iterable[str]
) -> tuple[Options, tuple[Problem, ...]]:
    """Options and Problems of a container, as labels.read has them. kinds: which aliases count, of KINDS, the first before the others.

    environment: `NAME=VALUE`s; exposed: ports, as `80/tcp`.
    """
    carried = Carried(labels=labels, environment=nginx_proxy.taken(environment), exposed=tuple(exposed))
    aliases: dict[str, Alias] = {}
    problems: list[Problem] = []
    for kind in kinds:
        found, odd = KINDS[kind](carried)
        aliases = {**found, **aliases}
        problems += odd
    counting = {key: alias for key, alias in aliases.items() if key not in labels}
    options, told = label_reader.read({**labels, **{key: alias.text for key, alias in counting.items()}})
    return options, (*(_known_as(problem, counting) for problem in told), *problems)


def _known_as(problem: Problem, aliases: Mapping[str, Alias]) -> Problem:
    """The problem with a label that nobody has written, as one with what was read as it."""
    alias = aliases.get(problem.subject.removeprefix("label "))
    if alias is None:
        return problem
    if alias.shown:
        return Problem(subject=alias.origin, message=f"read as {problem.subject.removeprefix('label ')}: {problem.message}")
    _, found, takes = problem.message.rpartition(" is not ")
    return Problem(
        subject=alias.origin,
        message=f"its value is not {takes.replace('label ignored', 'variable ignored')}" if found else "its value can't be used; ignored",
    )
