"""What a process has used, read from /proc, and what wrk says it got done. Linux only."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Cpu:
    """Microseconds of CPU time. The kernel counts in ticks of 10 ms: measure over seconds."""

    user: float = 0.0
    system: float = 0.0

    def __sub__(self, other: Cpu) -> Cpu:
        return Cpu(self.user - other.user, self.system - other.system)

    def each(self, count: int) -> Cpu:
        """The share of one of `count` requests."""
        return Cpu(self.user / count, self.system / count)

    @property
    def total(self) -> float:
        """User and system time."""
        return self.user + self.system


def cpu(pids: Iterable[int]) -> Cpu:
    """Sum over processes, all threads of each: utime and stime of /proc/PID/stat (proc(5))."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return Cpu(sum(int(f[11]) for f in fields) * TICK_US, sum(int(f[12]) for f in fields) * TICK_US)


def children(pid: int) -> list[int]:
    """Direct children of a process, whichever thread started them."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for each in lists for child in each.read_text().split()]


def pin(pid: int, core: int) -> None:
    """Bind a process, with every thread that it has now, to one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


@dataclass(frozen=True)
class Load:
    """One run of wrk. errors: answers other than 2xx and 3xx, and socket errors."""

    requests: int
    rate: float
    p99_ms: float
    errors: int


def wrk(port: int, host: str, seconds: float, connections: int, core: int) -> Load:
    """Load one port from one pinned thread. Raises CalledProcessError when wrk can't."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency"]
    command += ["-H", f"Host: {host}", f"http://127.0.0.1:{port}/"]
    return parse(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def parse(text: str) -> Load:
    """The report of wrk 4. Raises ValueError for anything else."""
    done = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    late = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", text)
    if not (done and rate and late):
        raise ValueError(f"not a report of wrk: {text!r}")
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    cut = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    errors = int(bad[1]) if bad else 0
    errors += sum(map(int, cut.groups())) if cut else 0
    return Load(int(done[1]), float(rate[1]), float(late[1]) * UNITS[late[2]], errors)
