"""Whether anything grew: samples of memory, and what they say. `extra` and `complaint` are pure."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.macro.meter import descriptors, resident
from bench.macro.process import Haystack

# what memory may differ by without having grown: pools of freed pieces are never filled to the same mark twice
SHARE, FLOOR_KIB = 0.02, 512
# ends of pipes that a worker keeps for the next long body: KEPT pipes of haystack/_fast/net/splice.pyx
PIPE_ENDS = 2 * 32


@dataclass
class Watch:
    """Samples of one Haystack. kib: process id → resident KiB at each look; open: worker → its descriptors before the first request."""

    haystack: Haystack
    kib: dict[int, list[float]] = field(default_factory=dict)
    open: dict[int, Counter[str]] = field(default_factory=dict)

    def begin(self) -> None:
        """Remember the processes and what they hold while nobody is there."""
        self.open = {pid: descriptors(pid) for pid in self.haystack.groups()["worker"]}
        self.kib = {pid: [] for pids in self.haystack.groups().values() for pid in pids}

    def look(self) -> None:
        """One sample. FileNotFoundError: a process has gone."""
        for pid, samples in self.kib.items():
            samples.append(resident(pid))

    def leaked(self, limit: float) -> list[str]:
        """Which descriptors are too many once everything is as at the start, or after `limit` seconds."""
        end = time.monotonic() + limit
        while (found := self._extra()) and time.monotonic() < end:
            time.sleep(0.2)
        return found

    def _extra(self) -> list[str]:
        now = {pid: descriptors(pid) for pid in self.open}
        return [f"worker {pid}: {text}" for pid, kinds in now.items() if (text := extra(self.open[pid], kinds))]

    def names(self) -> dict[int, str]:
        """What each process is."""
        return {pid: part for part, pids in self.haystack.groups().items() for pid in pids}


def extra(before: Counter[str], after: Counter[str]) -> str:
    """Which descriptors are more than before; pipes only beyond those that are kept. Empty: none."""
    more = after - before
    if more["pipe"] <= PIPE_ENDS:
        del more["pipe"]
    return ", ".join(f"{count} more of {kind} than before the work" for kind, count in more.items())


def tenth(samples: Sequence[float], number: int) -> float:
    """Median of one tenth of the samples, counted from 0."""
    size = len(samples) // 10
    return statistics.median(samples[number * size : (number + 1) * size])


def complaint(name: str, samples: Sequence[float]) -> str:
    """What is wrong with the memory of one process: its last tenth against its second; empty where nothing is."""
    if len(samples) < 20:
        return f"{name}: only {len(samples)} samples of its memory"
    before, after = tenth(samples, 1), tenth(samples, 9)
    if after - before > max(SHARE * before, FLOOR_KIB):
        return f"{name}: memory grew from {before:.0f} to {after:.0f} KiB"
    return ""
