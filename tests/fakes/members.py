"""Members without a network, and what happens to them: for tests of pickers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from haystack._fast import testing
from haystack._fast.balance import pickers
from haystack._fast.endpoint.endpoint import Endpoint, Member, Picker


def member(number: int, service: str = "web") -> Member:
    """The endpoint of this number; another object at each call."""
    return Member(Endpoint(f"c{number}:80/tcp", (f"10.0.{number // 250}.{number % 250}", 80)), service, 80)


def members(count: int, first: int = 0) -> list[Member]:
    """So many of them, numbered from first."""
    return [member(n) for n in range(first, first + count)]


def picker(balance: str, *weights: int, of: list[Member] | None = None, old: Picker | None = None) -> Picker:
    """A picker for as many members as there are weights."""
    return pickers.make(balance, of if of is not None else members(len(weights)), list(weights), old)


def picked(of: Picker, rounds: int) -> list[Member]:
    """Who was picked, one after the other; nobody has any load. Keys are the numbers from 0."""
    return [testing.choose(of, [], key) for key in range(rounds)]


def counts(of: Picker, chosen: Iterable[Member]) -> list[int]:
    """How often each member was chosen, in the order of the picker's members."""
    counted = Counter(map(id, chosen))
    return [counted[id(m)] for m in of.members]


def chi_square(found: list[int], weights: list[int]) -> float:
    """Pearson's statistic of counts against shares by weight, over its degrees of freedom: about 1 where they are drawn by chance."""
    fair = [sum(found) * w / sum(weights) for w in weights]
    return sum((n - f) ** 2 / f for n, f in zip(found, fair, strict=True)) / (len(found) - 1)
