"""What workers' DNS has counted: added up over the workers, and over the processes that a worker's place has had. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import zip_longest

from msgspec.structs import replace

from haystack.dns.messages import DnsCounts, Spans

NOTHING = DnsCounts()


def total(parts: Iterable[DnsCounts]) -> DnsCounts:
    """All of these together."""
    found = list(parts)
    answers: Counter[tuple[str, int, str]] = Counter()
    for each in found:
        for kind, rcode, source, count in each.answers:
            answers[kind, rcode, source] += count
    sums = {name: sum(getattr(each, name) for each in found) for name in NUMBERS}
    rows = tuple((*key, count) for key, count in sorted(answers.items()))
    return DnsCounts(rows, _both(each.at_once for each in found), _both(each.waited for each in found), **sums)


def ended(counts: DnsCounts) -> DnsCounts:
    """What remains of a process's counts when it has ended: what only grows."""
    return replace(counts, waiting=0, entries=0, bytes=0)


def of_source(counts: DnsCounts, source: str) -> int:
    """How many answers came from there."""
    return sum(count for _, _, each, count in counts.answers if each == source)


def _both(spans: Iterable[Spans]) -> Spans:
    found = list(spans)
    return tuple(map(sum, zip_longest(*(counts for counts, _ in found), fillvalue=0))), sum(seconds for _, seconds in found)


NUMBERS = ("waiting", "entries", "bytes", "truncated", "dropped", "lost")
