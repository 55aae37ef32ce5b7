"""The picture of bench/README.md: each ratio with its spread beside its aim. Draws from raw rows, never measures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.macro.scenarios import SUBJECT
from bench.macro.summary import Result, Row, Work, results

BESIDE = "Haystack to the better of nginx and HAProxy, or to itself; the bar is the aim"
COLOURS = {True: "#2a7f3f", False: "#b3372e", None: "#777777"}


def draw(scenarios: Sequence[Work], rows: Sequence[Row], cores: int, file: Path, beside: str = BESIDE) -> None:
    """Write an SVG: one line a ratio; the dot is the median, the line from least to most, the bar the aim. beside: what the axis says."""
    # imported here: it takes a second, and only who draws needs it
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "haystack"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    found = [r for s in scenarios for r in results(s, rows, cores) if r.aim.base and r.aim.limit is not None][::-1]
    figure, axes = plt.subplots(figsize=(9, 0.42 * len(found) + 1.2))
    for at, result in enumerate(found):
        colour = COLOURS[result.reached]
        axes.plot([min(result.ratios), max(result.ratios)], [at, at], color=colour, linewidth=2)
        axes.plot(result.ratio, at, "o", color=colour, markersize=7)
        axes.plot([result.aim.limit or 0], [at], "|", color="black", markersize=16, markeredgewidth=2)
    axes.axvline(1, color="#999999", linewidth=1, linestyle=":")
    axes.set_yticks(range(len(found)), [label(r) for r in found])
    axes.set_xlabel(beside)
    axes.margins(y=0.08)
    axes.grid(axis="x", color="#eeeeee")
    axes.set_axisbelow(True)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None, "Creator": None})
    plt.close(figure)


def label(result: Result) -> str:
    """The work, and which figure of it where that is not CPU."""
    figure = {"p99_ms": ", p99", "rate": ", requests/s"}.get(result.aim.figure, "")
    which = "" if result.aim.subject == SUBJECT else f": {result.aim.subject}"
    return f"{result.scenario.name}{which}{figure}"
