"""`run --replace` before it starts: it takes over from who runs; or, started again after it was replaced, it waits until nobody does.

Never takes a socket itself, and never serves.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from haystack.handover import client
from haystack.handover.client import Predecessor, ReplaceError, Successor

PAUSE = 0.2  # seconds in which one that ends takes its name away
TRIES = 30
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
HINT = "to replace it at once, start another container"
log = structlog.get_logger("haystack.handover")


class StoppedError(Exception):
    """It was told to stop while it waited."""


async def predecessor(folder: Path, home: str) -> Predecessor | None:
    """Whom this one is to replace, once it is its turn; None: nobody runs. Raises ReplaceError, StoppedError."""
    found = await asyncio.to_thread(client.ask, folder, home)
    if isinstance(found, Successor):
        why = "its successor serves: this Haystack starts when the successor ends"
        log.warning("handover.waiting", reason=why, pid=found.pid, version=found.version, hint=HINT)
        with _stoppable():
            await _nobody(found, folder, home)
        return None
    if found is None:
        log.info("handover.skipped", reason="nothing to replace: no Haystack runs with this state folder", state_dir=str(folder))
    return found


async def _nobody(found: Successor, folder: Path, home: str) -> None:
    """Wait until nobody runs, whoever replaces whom meanwhile. Raises ReplaceError where that can't be told."""
    failures = 0
    while True:
        await found.end()
        await asyncio.sleep(PAUSE)
        try:
            other = await asyncio.to_thread(client.ask, folder, home, waits=True)
        except ReplaceError:
            failures += 1
            if failures == TRIES:
                raise
            continue
        if not isinstance(other, Successor):
            if other is not None:
                other.close()  # of a version that does not know of waiting
                raise ReplaceError(f"process {other.pid} serves: it replaced the successor of this Haystack")
            log.info("handover.resumed", reason="no other Haystack serves any more: starting")
            return
        found, failures = other, 0


@contextmanager
def _stoppable() -> Iterator[None]:
    """Have SIGTERM and SIGINT end the waiting: the first process of a container would not notice them otherwise."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    stopped = []

    def stop() -> None:
        stopped.append(True)
        if task is not None:
            task.cancel()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield
    except asyncio.CancelledError:
        if not stopped or task is None:
            raise
        task.uncancel()
        raise StoppedError from None
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
