"""The figures as Markdown. Never measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.dns.scenarios import Scenario
from bench.macro.report import figure, limit, spread, verdict
from bench.macro.summary import Result, Row, median, results

NAMES = ("Knot", "unbound", "dnsmasq", "CoreDNS", "Haystack")
FIGURES = {"cpu_us": "CPU µs a query", "lost": "queries lost at 80 % of its highest rate"}
HEAD = "| work | figure | {names} | ratio (least to most) | aim | |"
DETAIL = ("user_us", "system_us", "control_us", "rate", "mean_ms", "slowest_ms")


def table(scenarios: Sequence[Scenario], rows: Sequence[Row], cores: int) -> str:
    """Beside the other servers, and what the figures are made of."""
    measured = {row["peer"] for row in rows}
    names = [name for name in NAMES if name in measured]
    lines = [HEAD.format(names=" | ".join(names)), "| --- " * (5 + len(names)) + "|"]
    lines += [line(result, names) for scenario in scenarios for result in results(scenario, rows, cores)]
    return "\n".join(lines) + "\n\n" + detail(scenarios, rows, names)


def line(result: Result, names: Sequence[str]) -> str:
    """One aim."""
    cells = " | ".join(figure(result.medians[name]) if name in result.medians else "" for name in names)
    ratio = spread(result) if result.aim.base else f"**{result.ratio:g}** ({min(result.ratios):g} to {max(result.ratios):g})"
    reached = ("reached" if result.reached else "**missed**") if not result.aim.base else verdict(result)
    return f"| {result.scenario.title} | {FIGURES[result.aim.figure]} | {cells} | {ratio} | {limit(result)} | {reached} |"


def detail(scenarios: Sequence[Scenario], rows: Sequence[Row], names: Sequence[str]) -> str:
    """Every server of every scenario: medians."""
    lines = [
        "| work | | user µs | system µs | control µs | queries/s | mean ms | slowest ms at 80 % | server busy | load busy | others busy |",
        "| --- " * 11 + "|",
    ]
    for scenario in scenarios:
        for name in names:
            if any(r["scenario"] == scenario.name and r["peer"] == name for r in rows):
                cells = [figure(median(rows, scenario.name, name, key)) for key in DETAIL]
                cells += [f"{median(rows, scenario.name, name, key):.0%}" for key in ("server_busy", "load_busy", "others_busy")]
                lines.append(f"| {scenario.name} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def singles(found: Sequence[dict[str, Any]]) -> str:
    """What Haystack alone does, a line each: what, figure, unit, aim, and more words."""
    lines = ["| work | figure | aim | | more |", "| --- " * 5 + "|"]
    for each in found:
        aim = "" if each["limit"] is None else f"at most {each['limit']:g} {each['unit']}"
        aim += f", goal {each['goal']:g}" if each.get("goal") is not None else ""
        reached = "" if each["limit"] is None else "reached" if each["value"] <= each["limit"] else "**missed**"
        lines.append(f"| {each['work']} | {figure(each['value'])} {each['unit']} | {aim} | {reached} | {each['more']} |")
    return "\n".join(lines)
