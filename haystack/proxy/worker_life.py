"""One worker's place, kept filled: one process after the other, each heard from its start to its end and replaced when it dies.

What a process is told when it begins, and what follows from what it says, is the supervisor's.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import structlog

from haystack.proxy import heartbeat, hung_worker, ipc
from haystack.proxy.spawn import Spares
from haystack.proxy.worker_slot import Slot

STEADY_SECONDS = 1.0  # a worker that lived for so long is no one that can't start: the next one comes at once
MAX_PAUSE = 5.0
INTERRUPTED = (-signal.SIGINT, -signal.SIGTERM)  # which a worker ignores from its first line on: a signal to all processes was faster
log = structlog.get_logger("haystack.proxy")


class Lives:
    """spares: has processes; stopping: is set when none is to be replaced any more.

    greet: tells a process that begins all that it has to know; take: hears what it says; gone: it has ended; died: it was not to.
    """

    def __init__(
        self,
        spares: Spares,
        stopping: asyncio.Event,
        *,
        greet: Callable[[Slot, ipc.Channel], None],
        take: Callable[[Slot, ipc.Channel, ipc.Any], None],
        gone: Callable[[Slot], None],
        died: Callable[[Slot], None],
    ) -> None:
        self._spares, self._stopping = spares, stopping
        self._greet, self._take, self._gone, self._died = greet, take, gone, died

    async def keep(self, slot: Slot) -> None:
        """Keep one worker running: at once after a death, with growing pauses where it dies again and again."""
        pause = 0.0
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            slot.started = loop.time()
            failure = await self._try(slot)
            if self._stopping.is_set():
                if slot.status:
                    log.error("worker.failed", slot=slot.slot, pid=slot.pid, status=slot.status)
                return
            steady = loop.time() - slot.started > STEADY_SECONDS
            pause = 0.0 if steady else min(MAX_PAUSE, pause * 2 or 0.05)
            if slot.status not in INTERRUPTED:
                slot.died(loop.time(), steady=steady)
                if failure is not None:
                    log.error("worker.start_failed", slot=slot.slot, error=str(failure))
                log.error("worker.died", slot=slot.slot, pid=slot.pid, status=slot.status)
                self._died(slot)
            await asyncio.sleep(pause)

    async def _try(self, slot: Slot) -> Exception | None:
        """One life of a worker; why it could not begin, if so. Whatever that is: its place must not stay empty."""
        try:
            await self._run(slot)
        except Exception as error:  # noqa: BLE001 - as above
            return error
        return None

    async def _run(self, slot: Slot) -> None:
        """One life of a worker, from its start to its end."""
        slot.worker = None
        worker = slot.worker = await self._spares.take()
        slot.pid, slot.state, slot.pulse = worker.process.pid, "starting", heartbeat.Pulse()
        slot.channel = ipc.Channel(worker.sock, ipc.MAX_UP)
        slot.forget()
        try:
            worker.lend(slot.sockets)
            await slot.channel.open()
            self._greet(slot, slot.channel)
            async for message in slot.channel.messages():
                try:
                    self._take(slot, slot.channel, message)
                except Exception as error:
                    log.exception("worker.report_failed", slot=slot.slot, pid=slot.pid, error=str(error))
            await worker.ended()
        finally:
            slot.state = "dead"
            self._gone(slot)
            slot.channel.close()
            slot.channel = None
            await worker.end()


async def look(slot: Slot) -> None:
    """Whether a worker is alive; one that has fallen silent is asked where it is, and ended: `keep` replaces it."""
    if slot.deaths and slot.state == "serving" and asyncio.get_running_loop().time() - slot.started > STEADY_SECONDS:
        slot.deaths = 0
    starving = heartbeat.starved(slot.pid)
    if slot.channel is not None and slot.pulse.stopped(starting=slot.state == "starting", starved=starving):
        await hung_worker.end(slot)
