"""dnsperf, the load: one thread that keeps a number of questions on their way, pinned to the cores of the load."""

from __future__ import annotations

import re
import resource
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.macro.peers import program

CLIENTS, OUTSTANDING = 20, 100
PATIENCE = 2  # seconds until an answer counts as lost


@dataclass(frozen=True)
class Report:
    """One run. bad: answers that are neither NOERROR nor NXDOMAIN; cpu_us: what dnsperf itself used in all."""

    completed: int
    lost: int
    bad: int
    rate: float
    mean_ms: float
    slowest_ms: float
    cpu_us: float


def command(port: int, questions: Path, cores: Iterable[int], *, seconds: float = 0, rate: float = 0) -> list[str]:
    """The command line. seconds 0: through the file once; rate: questions a second, 0: as many as it can."""
    words = [
        "taskset",
        "-c",
        ",".join(map(str, sorted(cores))),
        program("dnsperf"),
        "-s",
        "127.0.0.1",
        "-p",
        str(port),
        "-d",
        str(questions),
    ]
    words += ["-c", str(CLIENTS), "-q", str(OUTSTANDING), "-T", "1", "-t", str(PATIENCE)]
    return words + (["-l", f"{seconds:g}"] if seconds else ["-n", "1"]) + (["-Q", f"{rate:.0f}"] if rate else [])


def run(port: int, questions: Path, cores: Iterable[int], *, seconds: float = 0, rate: float = 0) -> Report:
    """Load one port of 127.0.0.1. Raises CalledProcessError when dnsperf can't."""
    before = _spent()
    words = command(port, questions, cores, seconds=seconds, rate=rate)
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return parse(text, _spent() - before)


def _spent() -> float:
    """Microseconds used by ended children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1e6


def parse(text: str, cpu_us: float = 0.0) -> Report:
    """The report of dnsperf 2. Raises ValueError for anything else."""
    latency = re.search(r"Average Latency \(s\):\s+([\d.]+) \(min [\d.]+, max ([\d.]+)\)", text)
    if not latency:
        raise ValueError(f"not a report of dnsperf: {text!r}")
    completed, lost = (int(_number(text, what)) for what in ("completed", "lost"))
    good = sum(int(found) for found in re.findall(r"(?:NOERROR|NXDOMAIN) (\d+)", text))
    mean, slowest = (float(each) * 1000 for each in latency.groups())
    return Report(completed, lost, completed - good, float(_number(text, "per second")), mean, slowest, cpu_us)


def _number(text: str, what: str) -> str:
    found = re.search(rf"Queries {what}:\s+([\d.]+)", text)
    if not found:
        raise ValueError(f"dnsperf told no queries {what}: {text!r}")
    return found[1]
