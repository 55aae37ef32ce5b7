"""The Haystack of another checkout beside this one: what a change has cost, in one run."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.macro.peers import HaystackProxy
from bench.macro.report import figure, share
from bench.macro.scenarios import SUBJECT, Aim, Contestant, Scenario
from bench.macro.summary import Row, median, ratios

EARLIER = "earlier"
LIMIT = 1.02
FIGURES = (("cpu_us", "CPU µs a request"), ("user_us", "user µs"))


class EarlierHaystack(HaystackProxy):
    """That of another checkout, built there, before the same origin."""

    def __init__(self, checkout: Path, origin: int) -> None:
        super().__init__(origin)
        self.program = str(checkout / ".venv" / "bin" / "haystack")

    def command(self) -> list[str]:
        """What runs it."""
        return [self.program, "run"]


def beside(scenario: Scenario, checkout: Path) -> Scenario:
    """The same work with that of the checkout too; a work that this one does not do plainly stays as it is."""
    if not any(c.name == SUBJECT for c in scenario.contestants):
        return scenario
    return replace(scenario, contestants=(*scenario.contestants, Contestant(EARLIER, partial(EarlierHaystack, checkout))))


def table(scenarios: Sequence[Scenario], rows: Sequence[Row]) -> str:
    """Each work that both did, with the ratio round by round; empty: there is none."""
    lines = ["| work | figure | before | after | ratio (least to most) | aim | |", "| --- " * 7 + "|"]
    for scenario in scenarios:
        mine = [row for row in rows if row["scenario"] == scenario.name and row["peer"] in {EARLIER, SUBJECT}]
        if {row["peer"] for row in mine} == {EARLIER, SUBJECT}:
            for key, unit in (("kib", "KiB a connection"),) if scenario.idle else FIGURES:
                lines.append(_line(scenario, key, unit, mine))
    return "\n".join(lines) if len(lines) > 2 else ""


def _line(scenario: Scenario, key: str, unit: str, rows: Sequence[Row]) -> str:
    found = ratios(rows, Aim(key, LIMIT, base=(EARLIER,)))
    ratio = statistics.median(found)
    before, after = (figure(median(rows, scenario.name, name, key)) for name in (EARLIER, SUBJECT))
    told = "reached" if ratio <= LIMIT else f"**missed** by {share(ratio / LIMIT - 1)}"
    aimed = f" at most {LIMIT} | {told} |" if key == "cpu_us" else " | |"
    return f"| {scenario.title} | {unit} | {before} | {after} | **{ratio:.2f}** ({min(found):.2f} to {max(found):.2f}) |{aimed}"
