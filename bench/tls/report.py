"""The figures as Markdown. Never measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.macro.report import figure, limit, spread, verdict
from bench.macro.summary import Result, Row, median, results
from bench.tls.scenarios import SCENARIOS, Scenario

NAMES = ("nginx", "HAProxy", "Haystack")
DETAIL = ("user_us", "system_us", "control_us", "rate", "p50_ms", "p99_ms")
BUSY = ("proxy_busy", "load_busy", "others_busy")


def table(found: dict[str, Any]) -> str:
    """Each work beside its peers, what is missing, instructions, and what the figures are made of."""
    scenarios = [s for s in SCENARIOS if any(row["scenario"] == s.name for row in found["rows"])]
    why = {each["scenario"]: each["why"] for each in found["missing"]}
    lines = [f"| work | figure | {' | '.join(NAMES)} | ratio (least to most) | aim | |", "| --- " * 8 + "|"]
    for scenario in SCENARIOS:
        if scenario.name in why:
            lines.append(f"| {scenario.title} | {unit(scenario)} | | | | | {aim(scenario)} | no figure: {why[scenario.name]} |")
        lines += [_line(result, scenario) for result in results(scenario, found["rows"], found["cores"])]
    parts = ["\n".join(lines)] if len(lines) > 2 else []
    parts += [instructions(found["instructions"])] if found["instructions"] else []
    parts += [detail([s for s in scenarios if not s.idle], found["rows"])] if scenarios else []
    return "\n\n".join(parts)


def unit(scenario: Scenario) -> str:
    """What is counted."""
    return f"KiB a {scenario.each}" if scenario.idle else f"CPU µs a {scenario.each}"


def aim(scenario: Scenario) -> str:
    """The aim of one that has no figure."""
    return limit(Result(scenario, scenario.aims[0], {}, (), 0))


def _line(result: Result, scenario: Scenario) -> str:
    cells = " | ".join(figure(result.medians[name]) if name in result.medians else "" for name in NAMES)
    return f"| {scenario.title} | {unit(scenario)} | {cells} | {spread(result)} | {limit(result)} | {verdict(result)} |"


def instructions(rows: Sequence[dict[str, Any]]) -> str:
    """Machine instructions in user space, which no other program can disturb."""
    lines = [f"| work | figure | {' | '.join(NAMES)} | ratio to the better |", "| --- " * 6 + "|"]
    for scenario in SCENARIOS:
        counts = {row["peer"]: row["instructions"] for row in rows if row["scenario"] == scenario.name}
        if counts:
            cells = " | ".join(f"{counts[name]:,.0f}" if name in counts else "" for name in NAMES)
            others = [counts[name] for name in NAMES[:2] if name in counts]
            ratio = f"**{counts[NAMES[2]] / min(others):.2f}**" if others and NAMES[2] in counts else ""
            lines.append(f"| {scenario.title} | user instructions a {scenario.each} | {cells} | {ratio} |")
    return "\n".join(lines)


def detail(scenarios: Sequence[Scenario], rows: Sequence[Row]) -> str:
    """Every proxy of every work under load: medians."""
    lines = [
        "| work | | user µs | system µs | of which control µs | a second | p50 ms | p99 ms | proxy busy | load busy | others busy |",
        "| --- " * 11 + "|",
    ]
    for scenario in scenarios:
        for name in dict.fromkeys(row["peer"] for row in rows if row["scenario"] == scenario.name):
            cells = [figure(median(rows, scenario.name, name, key)) for key in DETAIL]
            cells += [f"{median(rows, scenario.name, name, key):.0%}" for key in BUSY]
            lines.append(f"| {scenario.name} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
