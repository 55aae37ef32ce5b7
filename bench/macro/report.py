"""The figures as Markdown, and into the place of the old ones in bench/README.md. Never measures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.macro.scenarios import PEERS, SUBJECT, Scenario
from bench.macro.summary import Result, Row, median, results

UNITS = {"cpu_us": "CPU µs a request", "p99_ms": "p99 ms", "rate": "requests/s", "kib": "KiB a connection"}
NOISE = 0.1  # cores
OTHERS = tuple(peer.name for peer in PEERS if peer.name != SUBJECT)


def figure(value: float) -> str:
    """Three digits or so, whatever the size."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 1000 else f"{value:,.0f}"


def verdict(result: Result) -> str:
    """One word, or how far off."""
    if result.aim.limit is None:
        return ""
    if result.reached is None:
        return f"can't be told on {result.cores} cores"
    if result.reached:
        goal = result.aim.goal
        return "reached, and the goal" if goal is not None and result.ratio <= goal else "reached"
    return f"**missed** by {share(abs(result.ratio / result.aim.limit - 1))}"


def share(part: float) -> str:
    """In percent; of less than one a tenth, for nothing is missed by 0 %."""
    return f"{part:.0%}" if part >= 0.01 else f"{part:.1%}"


def spread(result: Result) -> str:
    """Median, least and most of the ratio."""
    return f"**{result.ratio:.2f}** ({min(result.ratios):.2f} to {max(result.ratios):.2f})"


def limit(result: Result) -> str:
    """The aim in words."""
    aim = result.aim
    if aim.limit is None:
        return "to compare with"
    goal = "" if aim.goal is None else f", goal {aim.goal:g}"
    return f"{'at least' if aim.least else 'at most'} {aim.limit:g}{goal}"


def table(scenarios: Sequence[Scenario], rows: Sequence[Row], cores: int) -> str:
    """Beside its peers, beside itself, and what the figures are made of."""
    found = [result for scenario in scenarios for result in results(scenario, rows, cores)]
    beside = [r for r in found if r.aim.subject == SUBJECT]
    itself = [r for r in found if r.aim.subject != SUBJECT]
    parts = []
    if beside:
        lines = [
            f"| work | figure | {' | '.join((*OTHERS, SUBJECT))} | ratio (least to most) | aim | |",
            "| --- " * (6 + len(OTHERS)) + "|",
        ]
        parts.append("\n".join(lines + [_beside(r) for r in beside]))
    if itself:
        lines = ["| work | figure | without | with | ratio (least to most) | aim | |", "| --- " * 7 + "|"]
        parts.append("\n".join(lines + [_itself(r) for r in itself]))
    return "\n\n".join([*parts, detail(scenarios, rows)])


def _beside(result: Result) -> str:
    cells = (figure(result.medians[name]) if name in result.medians else "" for name in (*OTHERS, SUBJECT))
    ratio = spread(result)
    return f"| {result.scenario.title} | {UNITS[result.aim.figure]} | {' | '.join(cells)} | {ratio} | {limit(result)} | {verdict(result)} |"


def _itself(result: Result) -> str:
    work = result.scenario.title if result.aim.subject == result.scenario.title else f"{result.scenario.title}: {result.aim.subject}"
    cells = f"{figure(result.medians[result.aim.base[0]])} | {figure(result.medians[result.aim.subject])}"
    return f"| {work} | {UNITS[result.aim.figure]} | {cells} | {spread(result)} | {limit(result)} | {verdict(result)} |"


def detail(scenarios: Sequence[Scenario], rows: Sequence[Row]) -> str:
    """Every contestant of every scenario under load: medians of user, system and control time, rate, latency, and who was busy."""
    keys = ("user_us", "system_us", "control_us", "rate", "p50_ms", "p99_ms")
    lines = [
        "| work | | user µs | system µs | of which control µs | requests/s | p50 ms | p99 ms | proxy busy | load busy | others busy |",
        "| --- " * 11 + "|",
    ]
    for scenario in scenarios:
        for contestant in scenario.contestants:
            if scenario.idle or not any(r["scenario"] == scenario.name and r["peer"] == contestant.name for r in rows):
                continue
            cells = [figure(median(rows, scenario.name, contestant.name, key)) for key in keys]
            cells += [f"{median(rows, scenario.name, contestant.name, key):.0%}" for key in ("proxy_busy", "load_busy", "others_busy")]
            lines.append(f"| {scenario.name} | {contestant.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def replace(file: Path, block: str, text: str) -> None:
    """Put the text between the marks of that block. Raises ValueError when they are not there, once each."""
    begin, end = f"<!-- {block}: begin -->\n", f"<!-- {block}: end -->"
    head, opened, rest = file.read_text().partition(begin)
    _, closed, tail = rest.partition(end)
    if not opened or not closed:
        raise ValueError(f"{file.name} has no marks of {block}")
    file.write_text(f"{head}{begin}{text}\n{end}{tail}")


def section(found: dict[str, Any], text: str, plot: str, raw: str) -> str:
    """The block of the README: when, where, how often, the figures, the picture."""
    how = f"{found['rounds']} alternating rounds of {found['seconds']} s; medians; raw rounds: `{raw}`."
    busy = statistics.median(row["others_busy"] for row in found["rows"] if "others_busy" in row)
    noise = f"\n\n**Other programs kept {busy:.1f} cores busy meanwhile: figures to look at, not to quote.**" if busy > NOISE else ""
    return f"Measured {found['date']} on {found['machine']}; {found['peers']}. {how}{noise}\n\n![Ratios and aims]({plot})\n\n{text}"
