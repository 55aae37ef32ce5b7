"""The end of a worker that has fallen silent: it is asked where it is, all that is known of it is told, and it is killed."""

from __future__ import annotations

import asyncio
import signal

import structlog

from haystack.proxy import heartbeat
from haystack.proxy.worker_slot import Slot

STACK_SECONDS = 0.1
log = structlog.get_logger("haystack.proxy")


async def end(slot: Slot) -> None:
    """End the worker of this slot, unless a debugger holds it."""
    worker, known = slot.worker, heartbeat.state_of(slot.pid)
    if worker is None or not worker.alive:
        return
    if known.get("state") == heartbeat.TRACED:
        log.warning("worker.held", reason="no heartbeat: a debugger has stopped it", slot=slot.slot, pid=slot.pid)
        return
    worker.process.send_signal(signal.SIGUSR1)
    await asyncio.sleep(STACK_SECONDS)  # nothing tells when it has written; it takes less than a millisecond, or never comes
    figures = {"connections": slot.connections, "exchanges": slot.exchanges}
    log.error("worker.hung", slot=slot.slot, pid=slot.pid, was=slot.state, **known, **figures, stack=worker.told())
    if worker.alive:
        worker.process.kill()
