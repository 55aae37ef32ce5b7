"""Whether a worker lives: it says so twice a second, and the supervisor counts its own looks at it since it last did.

Looks are counted, not seconds: when the machine was suspended, everything was stopped or a clock jumped, the supervisor has not looked
either, and nobody is suspected. Nor does the time count in which a worker wanted a CPU and others had it: where a machine has more to do
than it can, ending its workers would be the last straw. Pure, but for `state_of` and `starved`, which read what the kernel tells.
"""

from __future__ import annotations

from pathlib import Path

LOOK = 0.5  # seconds between two looks
SILENT = 10  # looks at a worker that serves: five seconds
SILENT_AT_START = 60  # until it has its first table: a machine may be busy, and a table large
TRACED = "t"  # a debugger holds it: a person is at work there


class Pulse:
    """One worker in one of its lives."""

    __slots__ = ("_starved", "looks")

    def __init__(self) -> None:
        self.looks = 0.0
        self._starved = 0.0

    def beat(self) -> None:
        """It has said something."""
        self.looks = 0.0

    def stopped(self, *, starting: bool, starved: float = 0.0) -> bool:
        """Look at it: whether it has been silent for too long. True once, then again after as many looks.

        starved: seconds of its life for which it has waited for a CPU.
        """
        self.looks += 1.0 - min(1.0, (starved - self._starved) / LOOK)
        self._starved = starved
        if self.looks < (SILENT_AT_START if starting else SILENT):
            return False
        self.looks = 0.0
        return True


def starved(pid: int) -> float:
    """Seconds for which its first thread could have run and had no CPU; 0.0 where the kernel does not tell."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def state_of(pid: int) -> dict[str, object]:
    """What the kernel tells: its letter for the state (proc(5)), where it waits, CPU seconds and MiB; empty where it has gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        waits = Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        return {}
    ticks, pages = int(fields[11]) + int(fields[12]), int(fields[21])
    return {"state": fields[0], "waits_in": waits.strip("0"), "cpu_seconds": ticks / 100, "mib": pages * 4096 // 2**20}
