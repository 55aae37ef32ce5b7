"""wrk, the load: one thread that keeps a number of connections busy, pinned to the cores of the load."""

from __future__ import annotations

import re
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Load:
    """What is asked for. body: bytes sent with each request; close: a connection a request; hosts: how many Hosts are asked.

    host: the one Host, or with several a format with %d for its number. scheme: https verifies nothing and names no host (SNI).
    """

    connections: int = 64
    path: str = "/"
    method: str = "GET"
    headers: tuple[str, ...] = ()
    body: int = 0
    close: bool = False
    host: str = "bench.services.haystack"
    hosts: int = 1
    scheme: str = "http"

    def name(self, number: int) -> str:
        """The Host of that number."""
        return self.host % number if self.hosts > 1 else self.host

    @property
    def fields(self) -> tuple[str, ...]:
        """Header lines besides Host."""
        return (*self.headers, "Connection: close") if self.close else self.headers


@dataclass(frozen=True)
class Report:
    """One run. errors: answers other than 2xx and 3xx, and socket errors; cpu_us: what wrk itself used in all."""

    requests: int
    rate: float
    p50_ms: float
    p99_ms: float
    errors: int
    cpu_us: float = 0.0


def command(load: Load, port: int, seconds: int, cores: set[int]) -> list[str]:
    """The command line: wrk of Debian, bound to these cores."""
    words = ["taskset", "-c", ",".join(map(str, sorted(cores))), "wrk", "-t1", f"-c{load.connections}", f"-d{seconds}s", "--latency"]
    for line in (f"Host: {load.name(0)}", *load.fields):
        words += ["-H", line]
    url = f"{load.scheme}://127.0.0.1:{port}{load.path}"
    if load.hosts > 1:
        return [*words, "-s", str(HERE / "hosts.lua"), url, "--", str(load.hosts), load.host]
    if load.body:
        return [*words, "-s", str(HERE / "body.lua"), url, "--", load.method, str(load.body)]
    return [*words, url]


def run(load: Load, port: int, seconds: int, cores: set[int]) -> Report:
    """Load one port of 127.0.0.1. Raises CalledProcessError when wrk can't."""
    before = spent()
    text = subprocess.run(command(load, port, seconds, cores), check=True, capture_output=True, text=True).stdout
    return parse(text, spent() - before)


def spent() -> float:
    """Microseconds used by ended children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1e6


def parse(text: str, cpu_us: float = 0.0) -> Report:
    """The report of wrk 4. Raises ValueError for anything else."""
    done = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if not (done and rate):
        raise ValueError(f"not a report of wrk: {text!r}")
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    cut = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    errors = int(bad[1]) if bad else 0
    errors += sum(map(int, cut.groups())) if cut else 0
    return Report(int(done[1]), float(rate[1]), _percentile(text, 50), _percentile(text, 99), errors, cpu_us)


def _percentile(text: str, which: int) -> float:
    """Milliseconds. Raises ValueError when the report has none."""
    found = re.search(rf"^\s*{which}%\s+([\d.]+)(us|ms|s|m)\b", text, re.MULTILINE)
    if not found:
        raise ValueError(f"wrk told no {which}th percentile: {text!r}")
    return float(found[1]) * UNITS[found[2]]
