"""Who of a service may be chosen, and why: the one place that decides in or out.

Pure. Never does: probing, counting, remembering, looking at a clock. Stands inside snapshot.build, which asks it about the endpoints
of a service that could stand in for one another, with what the monitor knows of each.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from haystack.loop.turns import Turns, stretches
from haystack.model.records import STOPPING, Container, Record

HEALTHY = ("healthy", "none", "")
STARTING = "health starting"  # in, where it is alone, and nothing to worry about
REQUIRE, PREFER, IGNORE = "require", "prefer", "ignore"
POLICIES = (REQUIRE, PREFER, IGNORE)


class Condition(Record, frozen=True, kw_only=True):
    """What is known of an endpoint beside its container's state; each text is empty where there is nothing to say.

    unreachable: why there is no way to it, and what to do; waiting: why it has not joined yet; overdue: it has waited so long that it
    counts as broken; lost: it had joined, and refuses now; failing: what its probe says; ejected: for what its traffic had it put out,
    since `ejected_at` (any clock: the order counts) and until `until` (Unix seconds).
    """

    unreachable: str = ""
    waiting: str = ""
    overdue: bool = False
    lost: bool = False
    failing: str = ""
    ejected: str = ""
    ejected_at: float = 0.0
    until: float = 0.0


class Verdict(Record, frozen=True, kw_only=True):
    """ready: may be chosen now; reason: why it may or may not, for people.

    awaited: it is out, nobody else is in, and it is expected: who asks for it may wait. until: Unix seconds at which it comes back
    by itself, 0.0 where no time says so. panic: it is in only because otherwise nobody would be. unreachable: it is out, nobody else is in,
    and what is between us and it may not be between others and it. well: it is in whoever else is.
    """

    ready: bool
    reason: str
    awaited: bool = False
    until: float = 0.0
    panic: bool = False
    unreachable: bool = False
    well: bool = False


class Standing(enum.Enum):
    """How an endpoint stands by itself, before its peers are looked at."""

    GONE = enum.auto()  # its container does not run: never in
    UNREACHABLE = enum.auto()  # no network leads to it: never in, for whoever asks it waits for nothing but the end of his patience
    REFUSED = enum.auto()  # its check is against it, and is required: never in
    WAITING = enum.auto()  # not there yet: out, and awaited
    BROKEN = enum.auto()  # waited for too long: in where nobody else is better
    UNWELL = enum.auto()  # there, but a check is against it: in where nobody is well
    EJECTED = enum.auto()  # out for what its traffic showed, within the half that may be
    WELL = enum.auto()


IN = Verdict(ready=True, reason="running", well=True)
Member = tuple[Container, Condition]
EJECTED = "ejected: "  # how the reason of one begins that is out for what its traffic showed
Standings = list[tuple[Standing, str]]
WELL = Condition()


def standing(container: Container, condition: Condition) -> tuple[Standing, str]:
    """How one endpoint stands, and why."""
    if container.state != "running":
        reason = container.state_reason or container.state or "not running"
        return Standing.GONE, f"draining: {reason}" if container.state == STOPPING else reason
    if condition.unreachable:
        return Standing.UNREACHABLE, condition.unreachable
    policy = container.options.health_policy or PREFER
    # Docker's word is as old as its last check: it does not count against a refusal that was seen since.
    told = policy != IGNORE and container.health == "healthy" and not condition.lost
    if condition.waiting and not told:
        if condition.overdue:
            return Standing.BROKEN, condition.waiting
        return Standing.WAITING, f"waiting: {condition.waiting} yet"
    why = condition.failing or (f"health {container.health}" if policy != IGNORE and container.health not in HEALTHY else "")
    if why:
        return (Standing.REFUSED if policy == REQUIRE else Standing.UNWELL), why
    return (Standing.EJECTED, EJECTED + condition.ejected) if condition.ejected else (Standing.WELL, IN.reason)


def judge(members: Sequence[Member]) -> Turns[list[Verdict]]:
    """In or out, for each of the endpoints of a service that can stand in for one another; in their order.

    A request that may fail is better than one that is refused for certain: so checks never put out the last one, and ejection never
    more than half. What does not accept connections yet is no endpoint at all for some seconds: requests wait for it instead.
    """
    standings: Standings = []
    for some in stretches(members):
        standings += [standing(*member) for member in some]
        yield
    spared = _spared(members, standings)
    nobody = not spared and not any(s is Standing.WELL for s, _ in standings)
    lucky = _panic(standings) if nobody else None
    hopeless = nobody and lucky is None
    verdicts: list[Verdict] = []
    for numbers in stretches(range(len(standings))):
        for number in numbers:
            s, why = standings[number]
            verdicts.append(_verdict(s, why, members[number][1], spared=number in spared, lucky=lucky, hopeless=hopeless))
        yield
    return verdicts


def _spared(members: Sequence[Member], standings: Standings) -> set[int]:
    """Of those that are ejected, the numbers of those that stay in: the last ones, so that at most half of the service is out."""
    ejected = [number for number, (s, _) in enumerate(standings) if s is Standing.EJECTED]
    at_most = (sum(s is Standing.WELL for s, _ in standings) + len(ejected)) // 2
    return set(sorted(ejected, key=lambda n: members[n][1].ejected_at)[at_most:])


def _panic(standings: Standings) -> Standing | None:
    """Who is in when nobody should be: the best there are; None: nobody is left, or is only awaited."""
    found = {s for s, _ in standings}
    if Standing.UNWELL in found:
        return Standing.UNWELL
    return Standing.BROKEN if Standing.BROKEN in found and Standing.WAITING not in found else None


def _verdict(s: Standing, why: str, condition: Condition, *, spared: bool, lucky: Standing | None, hopeless: bool) -> Verdict:
    if s is Standing.WELL:
        return IN
    if spared:
        return Verdict(ready=True, reason=f"{why}, but still in: at most half of a service is ejected", panic=True)
    if s is lucky:
        return Verdict(ready=True, reason=f"{why}, but still in: no other endpoint is better (panic)", panic=why != STARTING)
    until = condition.until if s is Standing.EJECTED else 0.0
    awaited, unreachable = (hopeless and s is each for each in (Standing.WAITING, Standing.UNREACHABLE))
    return Verdict(ready=False, reason=why, awaited=awaited, unreachable=unreachable, until=until)
