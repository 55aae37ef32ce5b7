"""How long each callback holds a loop: CPU time of its thread, for other processes of a busy machine are not to count.

A callback in which the machine gave the processor to somebody else finds all caches cold afterwards: that one is left out. Works with
asyncio's own loop, whose handles are Python.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from collections.abc import Iterator
from unittest.mock import patch


class Held:
    """The longest one: its seconds, and what it was."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.what = ""

    def note(self, seconds: float, handle: asyncio.Handle) -> None:
        """One callback took so long."""
        if seconds > self.seconds:
            self.seconds, self.what = seconds, repr(handle)


def displaced() -> int:
    """How often this thread had to leave the processor though it had more to do."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw


@contextlib.contextmanager
def held() -> Iterator[Held]:
    """Note every callback of the loop while the context lasts."""
    found, run = Held(), asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        taken, began = displaced(), time.thread_time()
        run(handle)
        seconds = time.thread_time() - began
        if displaced() == taken:
            found.note(seconds, handle)

    with patch.object(asyncio.Handle, "_run", timed):
        yield found
