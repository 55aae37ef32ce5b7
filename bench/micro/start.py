"""Memory of each process at start, and what a start costs: `haystack run` with one worker, a static file with one container, no client.

Each figure is the median of RUNS starts. Pss counts a page that several processes map as a share of each, so that other Haystacks on the
machine make it smaller: nothing else of this checkout's Python should run. Private pages are this process's alone, whoever else runs.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from statistics import median

from bench.macro.meter import cpu
from bench.macro.peers import HaystackProxy
from tests.fakes.processes import called, children

RUNS = 5
SETTLED = 4.0  # seconds after `ready`: the spare has started by then
NOWHERE = 9  # the port of the container: nobody listens there
KINDS = ("Pss", "Private_Dirty", "Rss")


def memory(pid: int) -> list[float]:
    """MiB of each of KINDS: /proc/PID/smaps_rollup (proc(5))."""
    told = dict(re.findall(r"^(\w+):\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE))
    return [int(told[kind]) / 1024 for kind in KINDS]


def started(found: dict[str, list[list[float]]]) -> None:
    """One start: append what each process has, by its name, and the seconds until `ready` and of CPU until then."""
    began = time.monotonic()
    with HaystackProxy(NOWHERE) as haystack:
        found.setdefault("start", []).append([time.monotonic() - began, cpu([haystack.pid]).total / 1e6])
        time.sleep(SETTLED)  # memory at rest is measured, and no event tells when that is reached
        found.setdefault("control process", []).append(memory(haystack.pid))
        below = children(haystack.pid)
        for pid in [*below, *(each for each_below in below for each in children(each_below))]:
            name = called(pid).removeprefix("haystack-")
            found.setdefault(name, []).append(memory(pid))


def main() -> None:
    """Print the table."""
    found: dict[str, list[list[float]]] = {}
    for _ in range(RUNS):
        started(found)
    seconds, busy = map(median, zip(*found.pop("start"), strict=True))
    print(f"`ready` after {seconds:.2f} s (median of {RUNS}), {busy:.2f} s of CPU in the control process\n")
    print("| process | Pss, MiB | private, MiB | RSS, MiB |\n| --- | --- | --- | --- |")
    for name, rows in found.items():
        print(f"| {name} |", " | ".join(f"{median(column):.1f}" for column in zip(*rows, strict=True)), "|")


if __name__ == "__main__":
    main()
