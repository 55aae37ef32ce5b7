"""What to order now, and when to look again: from what is wanted, what is there and what has failed. Pure, in turns.

Nothing is ordered whose names all have a certificate that is not due. A name that can't be had leaves its service's others alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from haystack.loop.turns import Turns
from haystack.tls.acme.wanted import WILDCARD, Groups

MOST = 25  # names of a certificate: what authorities take in all their profiles
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Held:
    """A certificate that is there. renewal: Unix seconds from which the next one is ordered. renewal_id: what the authority calls it."""

    key: str
    names: tuple[str, ...]
    expires: float
    renewal: float
    renewal_id: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """A certificate to order. key: what it is kept under; expires: when the names would be without one, 0.0: they are already.

    needed: those of the names for whose sake it is; the others come along. renews: keys of the certificates that these names have now.
    """

    key: str
    names: tuple[str, ...]
    needed: frozenset[str]
    replaces: str = ""
    expires: float = 0.0
    renews: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """tasks: to order now, the most urgent first; next: Unix seconds of the next thing to do.

    idle: certificates that nobody needs; replaced: those of them whose names all have a better one.
    """

    tasks: tuple[Task, ...]
    next: float
    idle: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()


def key_of(names: Iterable[str]) -> str:
    """What a certificate for these names is kept under: a file's name."""
    told = sorted(names)
    first = told[0].replace("*", "_")[:200]
    return f"{first}-{hashlib.sha256(','.join(told).encode()).hexdigest()[:8]}"


def made(groups: Groups, held: Mapping[str, Held], now: float, free: Callable[[str], float]) -> Turns[Plan]:
    """The plan. free: from when a name may be ordered, Unix seconds; NEVER: not as long as nothing changes."""
    best = yield from _best(held.values())
    coming = yield from _coming(groups, best, now, free)
    tasks: list[Task] = []
    taken: set[str] = set()
    used: set[str] = set()
    soon = NEVER
    for names in groups.values():
        mine = [name for name in names if name not in taken]
        taken.update(mine)
        there = {name: found for name in mine if (found := covering(best, name)) is not None}
        used.update(each.key for each in there.values())
        lacking = [name for name in mine if name not in there or there[name].renewal <= now]
        lacking = [name for name in lacking if above(name) not in coming]
        at = {name: free(name) for name in lacking}
        soon = min([soon, *(time for time in (*at.values(), *(each.renewal for each in there.values())) if time > now)])
        ready = [name for name in lacking if at[name] <= now]
        if ready:
            others = [name for name in mine if name not in lacking and above(name) not in coming and free(name) <= now]
            tasks += _tasks(ready, others, there)  # one certificate for all, where it is asked for anyway
        yield
    tasks.sort(key=lambda task: task.expires)
    idle = tuple(key for key in held if key not in used)
    replaced = tuple(key for key in idle if all(covering(best, name) is not held[key] for name in held[key].names))
    return Plan(tuple(tasks), soon, idle, replaced)


def lasting(held: Mapping[str, Held], names: Iterable[str], until: float) -> Turns[list[str]]:
    """Those of these names whose certificate is not due by then."""
    best = yield from _best(held.values())
    return [name for name in names if (found := covering(best, name)) is not None and found.renewal > until]


def _best(held: Iterable[Held]) -> Turns[dict[str, Held]]:
    """The certificate of each name that ends last."""
    found: dict[str, Held] = {}
    for each in held:
        for name in each.names:
            if name not in found or found[name].expires < each.expires:
                found[name] = each
        yield
    return found


def _coming(groups: Groups, best: Mapping[str, Held], now: float, free: Callable[[str], float]) -> Turns[set[str]]:
    """Wildcards that are there or ordered now: what falls under them needs no order of its own, be it another service's."""
    found: set[str] = set()
    for names in groups.values():
        found.update(name for name in names if name.startswith(WILDCARD) and (name in best or free(name) <= now))
        yield
    return found


def above(name: str) -> str:
    """The wildcard that a name falls under; empty: it is one itself."""
    return "" if name.startswith(WILDCARD) else WILDCARD + name.partition(".")[2]


def covering(best: Mapping[str, Held], name: str) -> Held | None:
    """Of those for the name itself and for the wildcard that it falls under, the one that ends last."""
    found = [each for each in (best.get(name), best.get(above(name))) if each is not None]
    return max(found, key=lambda each: each.expires, default=None)


def _tasks(ready: list[str], others: list[str], there: Mapping[str, Held]) -> list[Task]:
    """Orders for those names, with the others of their service as far as there is room for them."""
    made = []
    for at in range(0, len(ready), MOST):
        needed = ready[at : at + MOST]
        some = needed + (others[: MOST - len(needed)] if at == 0 else [])
        names = tuple(sorted(_without_covered(some)))
        key = key_of(names)
        old = [there[name] for name in names if name in there]
        replaces = old[0].renewal_id if len({each.key for each in old}) == 1 and len(old) == len(names) else ""
        expires = min((there[name].expires if name in there else 0.0) for name in some)
        made.append(Task(key, names, frozenset(needed), replaces, expires, frozenset(each.key for each in old)))
    return made


def _without_covered(names: Iterable[str]) -> list[str]:
    """Those that no wildcard among them stands for: an authority may refuse both in one order."""
    every = set(names)
    return [name for name in every if name.startswith(WILDCARD) or above(name) not in every]
