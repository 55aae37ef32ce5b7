"""The endpoints of one service, judged side by side: who is in, since when, and with what share of its weight.

Pure. What is decided is policy.py's; here it gets its moment, which stays as long as the verdict does. Both ways to build a snapshot ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import msgspec

from haystack.catalog import places
from haystack.health import policy, ramp
from haystack.health.failure_texts import REFUSED
from haystack.health.policy import Condition, Verdict
from haystack.loop.turns import Turns, stretches
from haystack.model.overrides import NONE, Overrides, drain_of, weight_of
from haystack.model.records import Container, Problem
from haystack.model.services import Cause, Endpoint, Override

Member = tuple[Container, Endpoint]
Conditions = Callable[[Container, Endpoint], Condition]
Problems = tuple[list[Problem], list[Problem]]
LISTENS = "is that the port on which the application listens (haystack.port), at 0.0.0.0 and not at 127.0.0.1?"


def _kind(endpoint: Endpoint) -> str:
    """Endpoints of one kind can stand in for one another."""
    return endpoint.listener or f"{endpoint.port_name}/{endpoint.protocol}"


def _unreached(containers: list[Container]) -> list[Problem]:
    """A Problem for each thing that is between Haystack and some of these, for a network may hold hundreds of them."""
    behind: dict[str, list[str]] = {}
    for container in containers:
        if container.obstacle is not None:
            behind.setdefault(container.obstacle.told, []).append(container.name)
    return [
        Problem(subject="network", message=f"{names[0]}{f' and {len(names) - 1} more' * (len(names) > 1)} can't be reached: {told}")
        for told, names in behind.items()
    ]


class Judged(NamedTuple):
    """What comes of it, in the order of the members. panics: of the problems, those of kinds of which nobody is well.

    well: ids of those whose verdict does not depend on the others.
    """

    endpoints: tuple[Endpoint, ...]
    problems: tuple[Problem, ...]
    panics: tuple[Problem, ...]
    well: set[str]


class Judge(NamedTuple):
    """Verdicts in one build.

    before: endpoints of the snapshot before, by service and then by id; now: Unix seconds; steady: seconds of a clock that never jumps.
    touched: ids of containers that may be others than in the snapshot before; None: any may be. overrides: of operators.
    """

    before: Mapping[str, Mapping[str, Endpoint]]
    now: float
    steady: float
    conditions: Conditions
    touched: AbstractSet[str] | None = None
    overrides: Overrides = NONE

    def judged(self, name: str, members: list[Member]) -> Turns[Judged]:
        """The endpoints of a service with their verdicts, and a Problem for each kind of which nobody is well, or that can't be reached."""
        kinds: dict[str, list[Member]] = {}
        for some in stretches(members):
            for member in some:
                kinds.setdefault(_kind(member[1]), []).append(member)
            yield
        found: dict[str, Endpoint] = {}
        problems: list[Problem] = []
        panics: list[Problem] = []
        well: set[str] = set()
        for kind, peers in kinds.items():
            unreached, panic = yield from self._judge(name, kind, peers, found, well)
            problems += (*unreached, *panic)
            panics += panic
        return Judged(tuple(found[e.id] for _, e in members), tuple(problems), tuple(panics), well)

    def _judge(self, name: str, kind: str, peers: list[Member], found: dict[str, Endpoint], well: set[str]) -> Turns[Problems]:
        """Those of one kind: into `found`, and into `well`. Returns who can't be reached, and that nobody is well."""
        before = self.before.get(name, {})
        service = name.partition(" ")[0]
        known: list[policy.Member] = []
        ordered: list[tuple[Override, ...]] = []
        for some in stretches(peers):
            orders = [self.overrides.of(service, e) for _, e in some]
            known += [(c, _drained(self.conditions(c, e), order)) for (c, e), order in zip(some, orders, strict=True)]
            ordered += orders
            yield
        verdicts = yield from policy.judge(known)
        placed = [(c, places.placed(c, e, condition, before.get(e.id))) for (c, e), (_, condition) in zip(peers, known, strict=True)]
        for judged in stretches(list(zip(placed, verdicts, ordered, strict=True))):
            found.update((e.id, self._with(before.get(e.id), c, e, v, order)) for (c, e), v, order in judged)
            well.update(e.id for (_, e), v, _ in judged if v.well)
            yield
        unwell = sum(v.panic for v in verdicts)
        broken = next((c.waiting for (_, c), v in zip(known, verdicts, strict=True) if v.panic and v.cause is Cause.BROKEN), "")
        panic = [Problem(subject=f"health of {kind}", message=_panic(unwell, len(peers), broken))] if unwell else []
        return _unreached([c for c, condition in known if condition.unreachable]), panic

    def _with(
        self, old: Endpoint | None, container: Container, endpoint: Endpoint, verdict: Verdict, orders: tuple[Override, ...]
    ) -> Endpoint:
        untouched = self.touched is not None and container.id not in self.touched
        there = old is not None and (old.detour, old.port, old.address) == (endpoint.detour, endpoint.port, endpoint.address)
        if old is not None and untouched and there and _stands(old, verdict) and old.overrides == orders:
            return old
        weighed = weight_of(orders)
        slow = ramp.length(container.options) if verdict.ready else 0.0
        if old is not None and (old.ready, old.reason) == (verdict.ready, verdict.reason):
            since, risen = old.since, old.risen
        else:
            since = self.now if old is not None else container.since or self.now
            risen = self.steady - max(self.now - since, 0.0) if slow else 0.0
        return msgspec.structs.replace(
            endpoint,
            weight=endpoint.weight if weighed is None or weighed.weight is None else weighed.weight,
            ready=verdict.ready,
            reason=verdict.reason,
            cause=verdict.cause,
            since=since,
            until=verdict.until,
            awaited=verdict.awaited,
            unreachable=verdict.unreachable,
            share=ramp.share(slow, risen, self.steady),
            risen=risen,
            overrides=orders,
        )


def _drained(condition: Condition, orders: tuple[Override, ...]) -> Condition:
    """What is known of an endpoint, with an operator's drain of it."""
    drain = drain_of(orders) if orders else None
    return condition if drain is None else msgspec.structs.replace(condition, drain=drain)


def _stands(old: Endpoint, verdict: Verdict) -> bool:
    """Whether an endpoint whose container has not changed stays as it was: the verdict is the same, and it is not starting slowly."""
    return old.share == 1.0 and (old.ready, old.cause, old.reason, old.until, old.awaited, old.unreachable) == (
        verdict.ready, verdict.cause, verdict.reason, verdict.until, verdict.awaited, verdict.unreachable
    )  # fmt: skip


def _panic(unwell: int, total: int, broken: str) -> str:
    """That some are in although they are not well. broken: why one of these has never begun to work, empty: that is not so."""
    why = f": {broken}" if broken else ""
    if broken.endswith(REFUSED):
        why += f"; {LISTENS}"
    if total == 1:
        return f"its only endpoint gets requests although it is unhealthy, because there is no other (panic){why}"
    return f"{unwell} of {total} endpoints get requests although they are unhealthy, because too few are healthy (panic){why}"
