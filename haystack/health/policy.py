"""Who of a service may be chosen, and why: the one place that decides in or out.

Pure. Never does: probing, counting, remembering, looking at a clock. The builder of snapshots asks it about the endpoints
of a service that could stand in for one another, with what the monitor knows of each.
"""

from __future__ import annotations

from collections.abc import Sequence

from haystack.loop.turns import Turns, stretches
from haystack.model.overrides import told
from haystack.model.records import AWAITED, STOPPING, Container, Published, Record
from haystack.model.services import Cause, Override

HEALTHY = ("healthy", "none", "")
STARTING = "starting"  # in, where it is alone, and nothing to worry about
REQUIRE, PREFER, IGNORE = "require", "prefer", "ignore"
POLICIES = (REQUIRE, PREFER, IGNORE)


class Condition(Record, frozen=True, kw_only=True):
    """What is known of an endpoint beside its container's state; each text is empty where there is nothing to say.

    unreachable: why there is no way to it, and what to do; waiting: why it has not joined yet; overdue: it has waited so long that it
    counts as broken; lost: it had joined, and refuses now; failing: what its probe says; ejected: for what its traffic had it put out,
    since `ejected_at` (any clock: the order counts) and until `until` (Unix seconds); silent: for answering nothing.
    drain: an operator's, which counts more than everything else that is known of one that runs.
    place: where it is reached, since its own address can't be. gone: why it is believed that its host is lost: it answers nothing any more.
    """

    unreachable: str = ""
    waiting: str = ""
    overdue: bool = False
    lost: bool = False
    failing: str = ""
    ejected: str = ""
    silent: bool = False
    ejected_at: float = 0.0
    until: float = 0.0
    drain: Override | None = None
    place: Published | None = None
    gone: str = ""


class Verdict(Record, frozen=True, kw_only=True):
    """ready: may be chosen now; reason: why it may or may not, for people; cause: the same, to decide by.

    awaited: it is out, nobody else is in, and it is expected: who asks for it may wait. until: Unix seconds at which it comes back
    by itself, 0.0 where no time says so. panic: it is in although it is unwell, and is not just starting.
    unreachable: it is out, nobody else is in, and what is between us and it may not be between others and it. well: it is in whoever
    else is.
    """

    ready: bool
    reason: str
    cause: Cause = Cause.WELL
    awaited: bool = False
    until: float = 0.0
    panic: bool = False
    unreachable: bool = False
    well: bool = False


IN = Verdict(ready=True, reason="running", well=True)
Member = tuple[Container, Condition]
OUTLIERS = (Cause.EJECTED, Cause.SILENT)
ILL = (Cause.UNWELL, Cause.LOST, Cause.STARTING)
Standings = list[tuple[Cause, str]]
STATES = {STOPPING: (Cause.STOPPING, "draining: "), AWAITED: (Cause.WAITING, "waiting: ")}  # and what a reason begins with
WELL = Condition()


def standing(container: Container, condition: Condition) -> tuple[Cause, str]:
    """How one endpoint stands, and why."""
    if container.state != "running":
        reason = container.state_reason or container.state or "not running"
        cause, before = STATES.get(container.state, (Cause.GONE, ""))
        return cause, f"{before}{reason}"
    if found := _apart(condition) or _lost(container) or _absent(container, condition) or _unwell(container, condition):
        return found
    if condition.ejected:
        return (Cause.SILENT if condition.silent else Cause.EJECTED), f"ejected: {condition.ejected}"
    return Cause.WELL, IN.reason


def _apart(condition: Condition) -> tuple[Cause, str] | None:
    """Where it is out whatever it says itself."""
    if condition.gone:
        return Cause.GONE, condition.gone
    if condition.drain is not None:
        return Cause.DRAINED, drained(condition.drain)
    return (Cause.UNREACHABLE, condition.unreachable) if condition.unreachable else None


def drained(drain: Override) -> str:
    """Why one is out that an operator took out."""
    return f"{'in maintenance, ' * (drain.scope == 'service')}drained {told(drain)}"


def _lost(container: Container) -> tuple[Cause, str] | None:
    """Where its host is believed to be away: it is in only where nobody is better."""
    return (Cause.LOST, container.lost) if container.lost else None


def _absent(container: Container, condition: Condition) -> tuple[Cause, str] | None:
    """Where its port does not accept connections."""
    # Docker's word is as old as its last check: it does not count against a refusal that was seen since.
    told = _policy(container) != IGNORE and container.health == "healthy" and not condition.lost
    if not condition.waiting or told:
        return None
    if condition.overdue:
        return Cause.BROKEN, condition.waiting
    return Cause.WAITING, f"waiting: {condition.waiting}" + ("" if ": " in condition.waiting else " yet")  # it may end with an error's text


def _unwell(container: Container, condition: Condition) -> tuple[Cause, str] | None:
    """Where a health check is against it: its probe's, else Docker's."""
    policy = _policy(container)
    why = condition.failing or (f"health {container.health}" if policy != IGNORE and container.health not in HEALTHY else "")
    if not why:
        return None
    young = not condition.failing and container.health == STARTING
    return (Cause.REFUSED if policy == REQUIRE else Cause.STARTING if young else Cause.UNWELL), why


def _policy(container: Container) -> str:
    return container.options.health_policy or PREFER


def judge(members: Sequence[Member]) -> Turns[list[Verdict]]:
    """In or out, for each of the endpoints of a service that can stand in for one another; in their order.

    A request that may fail is better than one that is refused for certain: so checks never put out the last one, and ejection never
    more than half. One that is drained is out whatever becomes of the others. What does not accept connections yet is no endpoint at
    all for some seconds: requests wait for it instead.
    """
    standings: Standings = []
    for some in stretches(members):
        standings += [standing(*member) for member in some]
        yield
    spared = _spared(members, standings)
    nobody = not spared and not any(s is Cause.WELL for s, _ in standings)
    lucky = _panic(standings) if nobody else ()
    hopeless = nobody and not lucky
    verdicts: list[Verdict] = []
    for numbers in stretches(range(len(standings))):
        for number in numbers:
            s, why = standings[number]
            verdicts.append(_verdict(s, why, members[number][1], spared=number in spared, lucky=lucky, hopeless=hopeless))
        yield
    return verdicts


def _spared(members: Sequence[Member], standings: Standings) -> set[int]:
    """Of those that are ejected, the numbers of those that stay in: the last ones, so that at most half of the service is out."""
    ejected = [number for number, (s, _) in enumerate(standings) if s in OUTLIERS]
    at_most = (sum(s is Cause.WELL for s, _ in standings) + len(ejected)) // 2
    return set(sorted(ejected, key=lambda n: members[n][1].ejected_at)[at_most:])


def _panic(standings: Standings) -> tuple[Cause, ...]:
    """Causes of the endpoints that stay in when none is well: the best available; empty: none is left, or the rest is awaited."""
    found = {s for s, _ in standings}
    if not found.isdisjoint(ILL):
        return ILL
    return (Cause.BROKEN,) if Cause.BROKEN in found and Cause.WAITING not in found else ()


def _verdict(s: Cause, why: str, condition: Condition, *, spared: bool, lucky: tuple[Cause, ...], hopeless: bool) -> Verdict:
    if s is Cause.WELL:
        return IN
    if spared:
        return Verdict(ready=True, reason=f"{why}, but still in: at most half of a service is ejected", cause=s, panic=True)
    if s in lucky:
        told = f"{why}, but still in: no other endpoint is better (panic)"
        return Verdict(ready=True, reason=told, cause=s, panic=s is not Cause.STARTING)
    until = condition.until if s in OUTLIERS else condition.drain.until if s is Cause.DRAINED and condition.drain else 0.0
    awaited, unreachable = (hopeless and s is each for each in (Cause.WAITING, Cause.UNREACHABLE))
    return Verdict(ready=False, reason=why, cause=s, awaited=awaited, unreachable=unreachable, until=until)
