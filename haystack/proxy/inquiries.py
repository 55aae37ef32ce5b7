"""Questions to all workers at once, and their replies by number. Never asks by itself: the supervisor does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

from haystack.proxy import ipc
from haystack.proxy.worker_slot import Slot


class Inquiries:
    """Those that are outstanding."""

    def __init__(self) -> None:
        self._asked_so_far = 0
        self._waiting: dict[int, asyncio.Future[ipc.Any]] = {}

    async def ask(self, workers: Iterable[Slot], question: Callable[[int], ipc.Any], seconds: float) -> list[ipc.Any]:
        """Ask each worker that serves; the replies that have come within so many seconds. question: makes the message of its number."""
        serving = [slot for slot in workers if slot.state == "serving"]
        return [reply for reply in await self._asked(serving, question, seconds) if reply is not None]

    async def loads(self, workers: Iterable[Slot], endpoints: tuple[str, ...], service: str, seconds: float) -> dict[str, int] | None:
        """Exchanges in flight in all workers that run, by endpoint, as in ipc.Load; None: one of them has not replied in time."""
        running = [slot for slot in workers if slot.state != "dead"]
        found: Counter[str] = Counter()
        for reply in await self._asked(running, lambda number: ipc.Load(number, endpoints, service), seconds):
            if not isinstance(reply, ipc.Loads):
                return None
            for endpoint, count in reply.rows:
                found[endpoint] += count
        return found

    async def _asked(self, workers: Iterable[Slot], question: Callable[[int], ipc.Any], seconds: float) -> list[ipc.Any | None]:
        """The reply of each; None: it has not come in time."""
        asked: dict[int, asyncio.Future[ipc.Any]] = {}
        for slot in workers:
            self._asked_so_far += 1
            number = self._asked_so_far
            asked[number] = self._waiting[number] = asyncio.get_running_loop().create_future()
            if slot.channel is not None:
                slot.channel.send(question(number))
        try:
            if asked:
                await asyncio.wait(asked.values(), timeout=seconds)
        finally:
            for number in asked:
                del self._waiting[number]
        return [reply.result() if reply.done() else None for reply in asked.values()]

    def heard(self, number: int, reply: ipc.Any) -> None:
        """The reply to one of these; to none, where it comes too late."""
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)
