"""The chaos tables as Markdown, from raw rounds. Never plays any."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from bench.chaos.rows import Row

HEAD = "| what happens meanwhile | | failed GET | slowest GET ms | GET/s | failed POST | processed twice | POST/s |"
PEERS = ("Haystack", "HAProxy", "nginx")
Rounds = dict[tuple[str, str, str], dict[str, Any]]
HOW = {
    "https": "HTTP/1.1 over TLS",
    "h2": "HTTP/2 over TLS, eight requests at once on a connection",
    "passthrough": "TLS that is passed through, with a connection a request: what fails where a container is killed was in its hands",
}


def by_name(found: dict[str, Any], protocol: str = "http") -> Rounds:
    """The rounds of these clients by row, proxy and method."""
    return {(r["row"], r["peer"], r["method"]): r for r in found["rounds"] if r.get("protocol", "http") == protocol}


def table(rows: Sequence[Row], found: dict[str, Any]) -> str:
    """A table for each way in which clients asked."""
    played = {r.get("protocol", "http") for r in (*found["rounds"], *found.get("missing", ()))}
    parts = [f"{HOW[way]}:\n\n{one_way(rows, found, way)}" for way in HOW if way in played]
    return "\n\n".join([one_way(rows, found), *parts] if "http" in played else parts)


def one_way(rows: Sequence[Row], found: dict[str, Any], protocol: str = "http") -> str:
    """A line for each row and proxy; below it what could not be played."""
    rounds = by_name(found, protocol)
    lines = [HEAD, "| --- " * 8 + "|"]
    for row in rows:
        for peer in PEERS:
            get, post = (rounds.get((row.name, peer, method)) for method in ("GET", "POST"))
            if get or post:
                lines.append(f"| {row.title} | {peer} | {cells(get, post)} |")
    lacking = [one for one in found.get("missing", ()) if one.get("protocol", "http") == protocol]
    missing = [f"Not played: {one['row']} {one['method']} {one['peer']} ({one['why']})" for one in lacking]
    return "\n\n".join(["\n".join(lines), *missing])


def cells(get: dict[str, Any] | None, post: dict[str, Any] | None) -> str:
    """The figures of one line; what was not played is empty."""
    first = (failed(get), f"{get['slowest_ms']:,.0f}", f"{get['rate']:,.0f}") if get else ("", "", "")
    second = (failed(post), f"{post['twice']:,}", f"{post['rate']:,.0f}") if post else ("", "", "")
    return " | ".join(first + second)


def failed(one: dict[str, Any]) -> str:
    """How many failed, and which share of all; in brackets, how many of them later than may be."""
    later = "" if one["late"] is None else f" ({one['late']:,} later)"
    return f"{one['failed']:,}{share(one)}{later}"


def share(one: dict[str, Any]) -> str:
    """Of all requests, where it is worth telling: the rounds are not of one length."""
    part = one["failed"] / max(1, one["failed"] + one["done"])
    return f", {part:.1%}" if part >= 0.001 else ""


def front(rows: Sequence[Row], found: dict[str, Any]) -> str:
    """For the README: a line for each row, a column for each proxy; GETs, then POSTs, then the times."""
    parts = [
        one_line_each(rows, found, "GET", "GETs: failed · slowest answer · answers a second"),
        one_line_each(rows, found, "POST", "POSTs: failed · processed twice"),
        f"{found['connections']} connections; {found['date']}, {found['machine']}; {found['peers']}. {told(found)}",
    ]
    return "\n\n".join(part for part in parts if part)


def one_line_each(rows: Sequence[Row], found: dict[str, Any], method: str, title: str) -> str:
    """The table of one method."""
    rounds = by_name(found)
    lines = [f"| {title} | {' | '.join(PEERS)} |", "| --- " * (1 + len(PEERS)) + "|"]
    for row in rows:
        here = [rounds.get((row.name, peer, method)) for peer in PEERS]
        if any(here):
            lines.append(f"| {row.title} | {' | '.join(summed(one, method) if one else '' for one in here)} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def summed(one: dict[str, Any], method: str) -> str:
    """One round in a few words."""
    count = one["failed"] if one["late"] is None else one["late"]
    early = f" (+{one['failed'] - count:,} at first)" if one["failed"] > count else ""
    first = f"{count:,}{'' if early else share(one)}{early}"
    if method == "POST":
        return f"{bold(first, count)} · {bold(format(one['twice'], ','), one['twice'])}"
    return f"{bold(first, count)} · {one['slowest_ms'] / 1000:.2f} s · {one['rate']:,.0f}"


def bold(text: str, count: int) -> str:
    """Zeros are what it is about."""
    return text if count else f"**{text}**"


def told(found: dict[str, Any]) -> str:
    """From the engine's event to the last request sent there, in one sentence; empty where that was not measured."""
    if "discovery" not in found:
        return ""
    kill = found["discovery"]["kill_ms"]
    figures = f"median {statistics.median(kill):.1f} ms, worst {max(kill):.1f} ms of {len(kill)}"
    return f"From the engine's `kill` event to the last request sent to that container: {figures}."


def caption(found: dict[str, Any], raw: str) -> str:
    """When, where, how."""
    how = f"{found['connections']} connections; rounds of {found['seconds']:g} s, before the other proxies {found['peer_seconds']:g} s;"
    return f"Measured {found['date']} on {found['machine']}; {found['peers']}. {how} raw rounds: `results/{raw}`."
