"""What a process has used, read from /proc. Linux only."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PAGE_KIB = os.sysconf("SC_PAGE_SIZE") / 1024
TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cpu:
    """Microseconds of CPU time. The kernel counts in ticks of 10 ms: measure over seconds."""

    user: float = 0.0
    system: float = 0.0

    def __add__(self, other: Cpu) -> Cpu:
        return Cpu(self.user + other.user, self.system + other.system)

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


def machine_us() -> float:
    """Microseconds that all cores together were busy since the start: /proc/stat without idle and iowait (proc(5))."""
    ticks = [int(f) for f in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) * TICK_US


def kib(pids: Iterable[int]) -> float:
    """KiB of resident memory, of pages that several processes map each its share: Pss of /proc/PID/smaps_rollup (proc(5))."""
    told = (re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE) for pid in pids)
    return float(sum(int(found[1]) for found in told if found))


def resident(pid: int) -> float:
    """KiB of resident memory of one process, cheap to ask: /proc/PID/statm (proc(5))."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_KIB


def descriptors(pid: int) -> Counter[str]:
    """Open file descriptors of a process by kind, as /proc/PID/fd names them: socket, pipe, anon_inode, or a path (proc(5))."""
    kinds: Counter[str] = Counter()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            kinds[str(entry.readlink()).partition(":")[0]] += 1
    return kinds


def pin(pid: int, cores: set[int]) -> None:
    """Bind a process, with every thread that it has now, to these cores."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), cores)
