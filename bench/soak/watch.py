"""Whether anything grew: samples of memory, and what they say. `complaints` is pure."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.macro.meter import descriptors, resident
from bench.macro.process import Haystack

# what memory may differ by without having grown: pools of freed pieces are never filled to the same mark twice
SHARE, FLOOR_KIB = 0.02, 512


@dataclass
class Watch:
    """Samples of one Haystack. kib: process id → resident KiB at each look; open: descriptors of the workers at the start."""

    haystack: Haystack
    kib: dict[int, list[float]] = field(default_factory=dict)
    open: dict[int, int] = field(default_factory=dict)

    def begin(self) -> None:
        """Remember the processes and what they hold while nobody is there."""
        self.open = {pid: descriptors(pid) for pid in self.haystack.groups()["worker"]}
        self.kib = {pid: [] for pids in self.haystack.groups().values() for pid in pids}

    def look(self) -> None:
        """One sample. FileNotFoundError: a process has gone."""
        for pid, samples in self.kib.items():
            samples.append(resident(pid))

    def closed(self, limit: float) -> dict[int, int]:
        """How many descriptors too many each worker still has once they are as at the start, or after `limit` seconds."""
        end = time.monotonic() + limit
        while any(count > 0 for count in self._extra().values()) and time.monotonic() < end:
            time.sleep(0.2)
        return self._extra()

    def _extra(self) -> dict[int, int]:
        return {pid: descriptors(pid) - count for pid, count in self.open.items()}

    def names(self) -> dict[int, str]:
        """What each process is."""
        return {pid: part for part, pids in self.haystack.groups().items() for pid in pids}


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
