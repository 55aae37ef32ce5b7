"""From raw rows to medians, ratios and verdicts. Pure: no process, no clock, no file."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bench.macro.scenarios import Aim

Row = dict[str, Any]


class Named(Protocol):
    """One of those that are compared."""

    @property
    def name(self) -> str:
        """As rows call it."""


class Work(Protocol):
    """A scenario, as far as its rows are concerned."""

    @property
    def name(self) -> str:
        """As rows call it."""

    @property
    def title(self) -> str:
        """As a person calls it."""

    @property
    def aims(self) -> tuple[Aim, ...]:
        """What is to be reached."""

    @property
    def contestants(self) -> Sequence[Named]:
        """Who is compared."""


@dataclass(frozen=True)
class Result:
    """One aim's outcome. ratios: one a round, against the better of the base in that same round (without a base: the figure itself)."""

    scenario: Work
    aim: Aim
    medians: dict[str, float]
    ratios: tuple[float, ...]
    cores: int

    @property
    def ratio(self) -> float:
        """Median over the rounds."""
        return statistics.median(self.ratios)

    @property
    def reached(self) -> bool | None:
        """Whether the aim is reached; None where there is none or this machine can't tell."""
        if self.aim.limit is None or self.cores < self.aim.cores:
            return None
        return self.ratio >= self.aim.limit if self.aim.least else self.ratio <= self.aim.limit


def results(scenario: Work, rows: Sequence[Row], cores: int) -> list[Result]:
    """What came of each aim of the scenario whose contestants were all measured, from the rows of all scenarios."""
    mine = [row for row in rows if row["scenario"] == scenario.name]
    names = [c.name for c in scenario.contestants if any(row["peer"] == c.name for row in mine)]
    found = []
    for aim in scenario.aims:
        if {aim.subject, *aim.base} <= set(names):
            medians = {name: statistics.median(row[aim.figure] for row in mine if row["peer"] == name) for name in names}
            found.append(Result(scenario, aim, medians, ratios(mine, aim), cores))
    return found


def ratios(rows: Sequence[Row], aim: Aim) -> tuple[float, ...]:
    """The subject's figure to the better of the base's, round by round; the figure itself where there is no base."""
    better = max if aim.least else min
    by_round: dict[int, dict[str, float]] = {}
    for row in rows:
        by_round.setdefault(row["round"], {})[row["peer"]] = row[aim.figure]
    return tuple(r[aim.subject] / (better(r[name] for name in aim.base) if aim.base else 1.0) for _, r in sorted(by_round.items()))


def median(rows: Sequence[Row], scenario: str, peer: str, figure: str) -> float:
    """Median over the rounds of one figure of one contestant."""
    return statistics.median(float(row[figure]) for row in rows if row["scenario"] == scenario and row["peer"] == peer)
