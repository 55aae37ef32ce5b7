"""Whether a worker lives: it says so twice a second, and the supervisor counts its own looks at it since it last did.

Looks are counted, not seconds: when the machine was suspended, everything was stopped or a clock jumped, the supervisor has not looked
either, and nobody is suspected. Pure, but for `state_of`, which reads what the kernel tells of a process.
"""

from __future__ import annotations

from pathlib import Path

LOOK = 0.5  # seconds between two looks
SILENT = 10  # looks at a worker that serves: five seconds
SILENT_AT_START = 60  # until it has its first table: a machine may be busy, and a table large
TRACED = "t"  # a debugger holds it: a person is at work there


class Pulse:
    """One worker in one of its lives."""

    __slots__ = ("looks",)

    def __init__(self) -> None:
        self.looks = 0

    def beat(self) -> None:
        """It has said something."""
        self.looks = 0

    def stopped(self, *, starting: bool) -> bool:
        """Look at it: whether it has been silent for too long. True once, then again after as many looks."""
        self.looks += 1
        if self.looks < (SILENT_AT_START if starting else SILENT):
            return False
        self.looks = 0
        return True


def state_of(pid: int) -> dict[str, object]:
    """What the kernel tells: its letter for the state (proc(5)), where it waits, CPU seconds and MiB; empty where it has gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        waits = Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        return {}
    ticks, pages = int(fields[11]) + int(fields[12]), int(fields[21])
    return {"state": fields[0], "waits_in": waits.strip("0"), "cpu_seconds": ticks / 100, "mib": pages * 4096 // 2**20}
