"""The chaos table as Markdown, from raw rounds. Never plays any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.chaos.rows import Row
from bench.macro import discovery

HEAD = "| what happens meanwhile | | failed GET | slowest GET ms | GET/s | failed POST | processed twice | POST/s |"
PEERS = ("Haystack", "HAProxy", "nginx")


def table(rows: Sequence[Row], found: dict[str, Any]) -> str:
    """A line for each row and proxy; below it, from event to last request, where that was measured."""
    lines = [HEAD, "| --- " * 8 + "|"]
    for row in rows:
        for peer in PEERS:
            rounds = {r["method"]: r for r in found["rounds"] if r["row"] == row.name and r["peer"] == peer}
            if rounds:
                lines.append(f"| {row.title} | {peer} | {cells(rounds.get('GET'), rounds.get('POST'))} |")
    text = "\n".join(lines)
    return f"{text}\n\n{discovery.table(found['discovery'])}" if "discovery" in found else text


def cells(get: dict[str, Any] | None, post: dict[str, Any] | None) -> str:
    """The figures of one line; what was not played is empty."""
    first = (failed(get), f"{get['slowest_ms']:,.0f}", f"{get['rate']:,.0f}") if get else ("", "", "")
    second = (failed(post), f"{post['twice']:,}", f"{post['rate']:,.0f}") if post else ("", "", "")
    return " | ".join(first + second)


def failed(one: dict[str, Any]) -> str:
    """How many failed, and in brackets how many of them later than may be."""
    return f"{one['failed']:,}" if one["late"] is None else f"{one['failed']:,} ({one['late']:,} later)"


def caption(found: dict[str, Any], raw: str) -> str:
    """When, where, how."""
    how = f"{found['connections']} connections, {found['seconds']:g} s and more each; raw rounds: `results/{raw}`."
    return f"Measured {found['date']} on {found['machine']}; {found['peers']}. {how}"
