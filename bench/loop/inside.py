"""`python -m bench.loop.inside FILE`: `haystack run` with a watch on its control loop, which is written to FILE when it has ended.

A ticker on the loop asks to be called each millisecond. Where it is not called for LONG, a signal has the interpreter tell where it is
and where the other threads are, and again each AGAIN. What the watch itself costs is some percent of a core.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from haystack.command_line import commands, running

TICK = 0.001
LONG, AGAIN = 0.004, 0.002  # seconds
NOTED = 0.003  # shorter holds are counted alone
DEEP = 6  # frames that are told of each thread
WAITS = re.compile(r"threading\.wait|socket\.readinto|thread\._worker|watch\._next")  # what a thread is in that has nothing to do
Stack = list[tuple[CodeType, int]]


class Watch:
    """What it saw. holds: those of NOTED and more, each with its moment, CPU and lag in seconds, and where it was."""

    def __init__(self) -> None:
        self.holds: list[dict[str, Any]] = []
        self._where: list[list[Stack]] = []
        self._garbage: list[tuple[int, float]] = []
        self._collecting = 0.0
        self._schedule = os.open("/proc/thread-self/schedstat", os.O_RDONLY)  # of the thread that opens it: the loop's

    async def run(self) -> None:
        """Until it is cancelled."""
        signal.signal(signal.SIGALRM, self._look)
        gc.callbacks.append(self._collected)
        while True:
            cpu, queued, due = time.thread_time(), self._queued(), time.perf_counter() + TICK
            signal.setitimer(signal.ITIMER_REAL, LONG + TICK)
            await asyncio.sleep(TICK)
            spent, late = time.thread_time() - cpu, time.perf_counter() - due - (self._queued() - queued)
            if max(spent, late) >= NOTED:
                self.holds.append({"at": time.time(), "cpu": spent, "late": late, "garbage": self._garbage, "where": self._where})
            self._where, self._garbage = [], []

    def _queued(self) -> float:
        """Seconds for which this thread has waited for a processor so far: the second number of /proc/PID/schedstat (proc(5))."""
        return int(os.pread(self._schedule, 64, 0).split()[1]) / 1e9

    def _look(self, _signal: int, frame: FrameType | None) -> None:
        """Where the loop's thread is, and the others: of these the innermost call alone, for Python 3.11 may crash at what is below it."""
        mine = threading.get_ident()
        there = sys._current_frames()  # noqa: SLF001 - it is documented
        others = [[(each.f_code, each.f_lineno)] for thread, each in there.items() if thread != mine]
        self._where.append([_frames(frame), *others])
        signal.setitimer(signal.ITIMER_REAL, AGAIN)  # not before this has ended: on a busy machine it would never get any further

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        """A search for garbage begins, or has ended: which generation, and CPU seconds."""
        if threading.current_thread() is threading.main_thread():
            if phase == "start":
                self._collecting = time.thread_time()
            else:
                self._garbage.append((info["generation"], time.thread_time() - self._collecting))


def _frames(frame: FrameType | None) -> Stack:
    """The innermost calls, the innermost first; told as text later, for that takes longer."""
    found: Stack = []
    while frame is not None and len(found) < DEEP:
        found.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return found


def _told(stack: Stack) -> str:
    return " < ".join(f"{Path(code.co_filename).stem}.{code.co_name}:{line}" for code, line in stack)


def told(holds: list[dict[str, Any]]) -> str:
    """All of them as JSON. Threads that wait are left out."""
    for hold in holds:
        texts = [[_told(stack) for stack in each] for each in hold["where"]]
        hold["where"] = [" | ".join([first, *(other for other in others if not WAITS.match(other))]) for first, *others in texts]
    return json.dumps(holds)


def main(report: Path) -> int:
    """Run until told to stop; the status to exit with."""
    watch, serve = Watch(), running.serve

    async def watched(*given: Any, **more: Any) -> None:
        ticker = asyncio.create_task(watch.run())
        try:
            await serve(*given, **more)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            ticker.cancel()

    running.serve = watched
    try:
        return commands.main(["run"])
    finally:
        report.write_text(told(watch.holds))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
