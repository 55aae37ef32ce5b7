"""CPU a request and requests a second of Haystack beside nginx and HAProxy, in alternating rounds of one run.

The proxy alone on PROXY_CORE; wrk, the origin and Haystack's control process on LOAD_CORE.
"""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

from bench.macro.meter import cpu, pin, wrk
from bench.macro.peers import BODY, HOST, HaproxyProxy, HaystackProxy, NginxProxy, Origin
from bench.macro.process import Process

PROXY_CORE, LOAD_CORE = 0, 1
CONNECTIONS = 64
WARM_UP = 1.0
READY = 10.0

Row = dict[str, Any]


def run(rounds: int, seconds: float, only: Iterable[str] = ()) -> dict[str, Any]:
    """Rows of every round and their summary. only: names of the peers to run (empty: all)."""
    rows: list[Row] = []
    with ExitStack() as stack:
        origin = stack.enter_context(Origin())
        place(origin, LOAD_CORE)
        peers: list[Process] = [NginxProxy(origin.port), HaproxyProxy(origin.port), HaystackProxy(origin.port)]
        peers = [stack.enter_context(p) for p in peers if not only or p.name.lower() in only]
        for peer in peers:
            prove(peer)
            place(peer, PROXY_CORE)
            wrk(peer.port, HOST, WARM_UP, CONNECTIONS, LOAD_CORE)
        for number in range(rounds):
            rows += [measure(peer, number, seconds) for peer in turned(peers, number)]
    return {"connections": CONNECTIONS, "seconds": seconds, "rows": rows, "summary": summary(rows)}


def turned(peers: list[Process], number: int) -> list[Process]:
    """Another peer begins each round, so that none always follows the same one."""
    at = number % len(peers)
    return peers[at:] + peers[:at]


def place(peer: Process, core: int) -> None:
    """Pin the part that is measured to this core and the rest to the other."""
    for number, pids in enumerate(peer.groups().values()):
        for pid in pids:
            pin(pid, core if number == 0 else LOAD_CORE)


def prove(peer: Process) -> None:
    """Wait until the origin's own body comes back through the peer: a fast 404 is no figure. Raises RuntimeError."""
    end = time.monotonic() + READY
    while (got := fetch(peer.port)) != BODY.encode():
        if time.monotonic() > end:
            raise RuntimeError(f"{peer.name} does not answer with the origin's body: {got[:200]!r}")
        time.sleep(0.02)


def fetch(port: int) -> bytes:
    """The body of one GET; empty when the connection fails."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": HOST})
        return connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return b""
    finally:
        connection.close()


def measure(peer: Process, number: int, seconds: float) -> Row:
    """One round of one peer. Raises RuntimeError when it answered with errors: such a figure says nothing."""
    groups = peer.groups()
    before = {part: cpu(pids) for part, pids in groups.items()}
    load = wrk(peer.port, HOST, seconds, CONNECTIONS, LOAD_CORE)
    used = {part: (cpu(pids) - before[part]).each(load.requests) for part, pids in groups.items()}
    if load.errors:
        raise RuntimeError(f"{peer.name}: {load.errors} errors in {load.requests} requests")
    first, *others = used.values()
    return {
        "round": number,
        "peer": peer.name,
        "user_us": first.user,
        "system_us": first.system,
        "cpu_us": first.total,
        "control_us": sum(other.total for other in others),
        "rate": load.rate,
        "p99_ms": load.p99_ms,
        "requests": load.requests,
    }


def summary(rows: list[Row]) -> dict[str, Any]:
    """Medians a peer, and Haystack against the better peer of the same round (below 1 is ahead)."""
    names = sorted({row["peer"] for row in rows})
    keys = ("user_us", "system_us", "cpu_us", "control_us", "rate", "p99_ms")
    found: dict[str, Any] = {n: {k: statistics.median(r[k] for r in rows if r["peer"] == n) for k in keys} for n in names}
    if len(names) > 1 and "Haystack" in names:
        found["cpu_ratio"] = ratio(rows, lambda row: row["cpu_us"], min)
        found["cpu_ratio_with_control"] = ratio(rows, lambda row: row["cpu_us"] + row["control_us"], min)
        found["rate_ratio"] = ratio(rows, lambda row: row["rate"], max)
    return found


def ratio(rows: list[Row], value: Callable[[Row], float], better: Callable[[Iterable[float]], float]) -> float:
    """Median over the rounds of Haystack's value to the better of its peers'."""
    return statistics.median(
        value(own) / better(value(r) for r in rows if r["round"] == own["round"] and r["peer"] != "Haystack")
        for own in rows
        if own["peer"] == "Haystack"
    )


def table(result: dict[str, Any]) -> str:
    """The summary as Markdown."""
    lines = ["| | user µs | system µs | CPU µs a request | control µs | requests/s | p99 ms |", "| --- " * 7 + "|"]
    for name, row in result["summary"].items():
        if isinstance(row, dict):
            figures = (row[k] for k in ("user_us", "system_us", "cpu_us", "control_us"))
            lines.append(f"| {name} | " + " | ".join(f"{f:.1f}" for f in figures) + f" | {row['rate']:.0f} | {row['p99_ms']:.2f} |")
    rounds = len({row["round"] for row in result["rows"]})
    ratios = ((k, v) for k, v in result["summary"].items() if isinstance(v, float))
    lines += [f"\n{key.replace('_', ' ')} to the better peer, median of {rounds} rounds: {value:.2f}" for key, value in ratios]
    return "\n".join(lines)
