"""The endpoints of a service by the image that they run: errors and latency of each image, and which one is worse than the others. Pure.

An image is marked only where chance does not explain it: so many of all failures, or of all slow answers, would fall to it less than once
in 10,000 times, were they dealt out blindly (peer_comparison.py), and they do so at least twice as often as to the others. Figures are of
all the time that each endpoint was there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from haystack.health.peer_comparison import by_chance
from haystack.loop.turns import Turns
from haystack.model.durations import EDGES, SLOTS, quantile
from haystack.model.records import Record

LEVEL = 1e-4  # chance that is too small to believe in, for all images of a service together
OFTEN = 2  # as often as with the others
ENOUGH = 50  # exchanges of an image and of the others: of fewer nothing is said
SLOW = 0.9  # of the others' answers are faster than what counts as slow


class Counted(Protocol):
    """What was counted of an endpoint (proxy/traffic.py). durations: counts by slot, as in model/durations.py."""

    @property
    def requests(self) -> int:
        """Exchanges that ended."""

    @property
    def errors(self) -> int:
        """Those with a status of 500 or more, or without an answer."""

    @property
    def durations(self) -> Sequence[int]:
        """As above."""


class Member(NamedTuple):
    """An endpoint. ready: because it is well; figures: None: nothing was counted; panicked: it is in by panic."""

    container: str
    image: str
    image_id: str
    ready: bool
    figures: Counted | None
    panicked: bool = False


class Cohort(Record, frozen=True, kw_only=True):
    """The endpoints that run one image. image: what it was asked for as; digest: its id; p50, p99: seconds, 0.0: nothing was counted.

    odd: how it is worse than the others, in words; empty: it is not, or too little is known.
    """

    image: str
    digest: str
    containers: tuple[str, ...]
    endpoints: int
    ready: int
    panicked: int
    requests: int
    errors: int
    p50: float
    p99: float
    odd: str = ""


class Sum:
    """What is added up of an image's endpoints."""

    def __init__(self) -> None:
        self.images: dict[str, None] = {}
        self.containers: dict[str, None] = {}
        self.endpoints = self.ready = self.panicked = self.requests = self.errors = 0
        self.durations = [0] * SLOTS

    def add(self, member: Member) -> None:
        """One endpoint more."""
        self.images[member.image] = self.containers[member.container] = None
        self.endpoints += 1
        self.ready += member.ready
        self.panicked += member.panicked
        if member.figures is not None:
            self.requests += member.figures.requests
            self.errors += member.figures.errors
            self.durations = [mine + more for mine, more in zip(self.durations, member.figures.durations, strict=True)]


def cohorts(members: Iterable[Member]) -> Turns[list[Cohort]]:
    """One for each image, the one with the most requests first."""
    found: dict[str, Sum] = {}
    for member in members:
        found.setdefault(member.image_id or member.image, Sum()).add(member)
        yield
    whole = Sum()
    for each in found.values():
        whole.requests += each.requests
        whole.errors += each.errors
        whole.durations = [mine + more for mine, more in zip(whole.durations, each.durations, strict=True)]
        yield
    made = []
    for key, each in sorted(found.items(), key=lambda item: (-item[1].requests, item[0])):
        made.append(_cohort(key, each, oddity(each, whole, LEVEL / max(1, 2 * len(found)))))
        yield
    return made


def _cohort(key: str, total: Sum, odd: str) -> Cohort:
    return Cohort(
        image=", ".join(sorted(filter(None, total.images))),
        digest=key,
        containers=tuple(sorted(total.containers)),
        endpoints=total.endpoints,
        ready=total.ready,
        panicked=total.panicked,
        requests=total.requests,
        errors=total.errors,
        p50=quantile(total.durations, 0.5),
        p99=quantile(total.durations, 0.99),
        odd=odd,
    )


def oddity(one: Sum, whole: Sum, level: float) -> str:
    """How one image is worse than all others together; empty: it is not. level: of chance, for each of the two comparisons."""
    own, others = one.requests, whole.requests - one.requests
    if own < ENOUGH or others < ENOUGH:
        return ""
    told = []
    if stands_out((own, one.errors), (others, whole.errors - one.errors), level):
        told.append(f"more errors: {share(one.errors, own)}, the others {share(whole.errors - one.errors, others)}")
    rest = [total - mine for total, mine in zip(whole.durations, one.durations, strict=True)]
    slot = _slow_from(rest)
    slow, theirs = sum(one.durations[slot:]), sum(rest[slot:])
    if stands_out((sum(one.durations), slow), (sum(rest), theirs), level):
        told.append(f"slower: {share(slow, sum(one.durations))} take more than {_span(slot)}, of the others {share(theirs, sum(rest))}")
    return "; ".join(told)


def stands_out(own: tuple[int, int], others: tuple[int, int], level: float) -> bool:
    """Whether it has clearly more of them than chance gives it. Each: exchanges, and how many of them it is about."""
    (mine, bad), (theirs, their_bad) = own, others
    if not bad or bad * theirs < OFTEN * their_bad * mine:
        return False
    return by_chance(mine, bad, theirs, their_bad) <= level


def _slow_from(durations: Sequence[int]) -> int:
    """The first slot that counts as slow: SLOW of all are in those before it."""
    left = SLOW * sum(durations)
    for slot, count in enumerate(durations):
        left -= count
        if left <= 0:
            return slot + 1
    return len(durations)


def _span(slot: int) -> str:
    """The lower bound of a slot: what those before it took at most."""
    seconds = EDGES[min(slot, len(EDGES)) - 1] / 1e9
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def share(part: int, of: int) -> str:
    """``3.1 %``; ``< 0.1 %`` rather than nothing of something."""
    percent = 100 * part / of if of else 0.0
    return "< 0.1 %" if 0 < percent < 0.1 else f"{percent:.1f} %"  # noqa: PLR2004 - what the text says
