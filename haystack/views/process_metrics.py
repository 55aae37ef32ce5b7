"""What each process of Haystack takes from the system, as /proc tells (proc(5)), by the names that Prometheus' own clients use.

What may not be read of another user's process is left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

PROC = Path("/proc")
CONTROL = "control"
LIMIT = "Max open files"
STARTED, USER, SYSTEM, RESIDENT, VIRTUAL = 19, 11, 12, 21, 20  # fields of /proc/PID/stat behind the name, from 0


class Process(NamedTuple):
    """Seconds of CPU, bytes of memory, open descriptors and how many there may be (None: not told), and Unix seconds of its start."""

    cpu: float
    resident: int
    virtual: int
    descriptors: int | None
    limit: int | None
    started: float


def families(pids: Iterable[tuple[str, int]], proc: Path = PROC) -> Iterator[Metric]:
    """Every family, in a stable order. pids: by the process's name."""
    told = "process"
    cpu = CounterMetricFamily("process_cpu_seconds", "User and system CPU time of a process.", labels=[told])
    resident = GaugeMetricFamily("process_resident_memory_bytes", "Resident memory of a process.", labels=[told])
    virtual = GaugeMetricFamily("process_virtual_memory_bytes", "Virtual memory of a process.", labels=[told])
    descriptors = GaugeMetricFamily("process_open_fds", "Open file descriptors of a process.", labels=[told])
    limit = GaugeMetricFamily("process_max_fds", "Limit of open file descriptors of a process.", labels=[told])
    started = GaugeMetricFamily("process_start_time_seconds", "Unix time at which a process started.", labels=[told])
    for name, pid in pids:
        found = read(pid, proc)
        if found is None:
            continue
        cpu.add_metric([name], found.cpu)
        resident.add_metric([name], found.resident)
        virtual.add_metric([name], found.virtual)
        started.add_metric([name], found.started)
        if found.descriptors is not None:
            descriptors.add_metric([name], found.descriptors)
        if found.limit is not None:
            limit.add_metric([name], found.limit)
    yield from (cpu, resident, virtual, descriptors, limit, started)


def read(pid: int, proc: Path = PROC) -> Process | None:
    """Of one process; None: there is none, or it may not be looked at."""
    try:
        fields = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        booted = _booted(proc)
    except OSError:
        return None
    tick = os.sysconf("SC_CLK_TCK")
    return Process(
        (int(fields[USER]) + int(fields[SYSTEM])) / tick,
        int(fields[RESIDENT]) * os.sysconf("SC_PAGE_SIZE"),
        int(fields[VIRTUAL]),
        _descriptors(proc / str(pid) / "fd"),
        _limit(proc / str(pid) / "limits"),
        booted + int(fields[STARTED]) / tick,
    )


def _booted(proc: Path) -> float:
    """Unix seconds."""
    for line in (proc / "stat").read_text(encoding="utf-8").splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0


def _descriptors(folder: Path) -> int | None:
    """How many a process has: newer kernels tell as the folder's size, and then nobody has to list thousands."""
    try:
        return folder.stat().st_size or sum(1 for _ in folder.iterdir())
    except OSError:
        return None


def _limit(file: Path) -> int | None:
    """How many a process may have (getrlimit(2), the soft limit)."""
    with suppress(OSError, ValueError):  # of another user's, or `unlimited`
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith(LIMIT):
                return int(line.removeprefix(LIMIT).split()[0])
    return None
