"""Questions to all workers at once, and their replies by number. Never asks by itself: the supervisor does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from haystack.proxy import ipc
from haystack.proxy.worker_slot import Slot


class Inquiries:
    """Those that are outstanding."""

    def __init__(self) -> None:
        self._asked = 0
        self._waiting: dict[int, asyncio.Future[ipc.Any]] = {}

    async def ask(self, workers: Iterable[Slot], question: Callable[[int], ipc.Any], seconds: float) -> list[ipc.Any]:
        """Ask each worker that serves; the replies that have come within so many seconds. question: makes the message of its number."""
        asked: dict[int, asyncio.Future[ipc.Any]] = {}
        for slot in workers:
            if slot.state == "serving" and slot.channel is not None:
                self._asked += 1
                asked[self._asked] = self._waiting[self._asked] = asyncio.get_running_loop().create_future()
                slot.channel.send(question(self._asked))
        try:
            if asked:
                await asyncio.wait(asked.values(), timeout=seconds)
        finally:
            for number in asked:
                del self._waiting[number]
        return [reply.result() for reply in asked.values() if reply.done()]

    def heard(self, number: int, reply: ipc.Any) -> None:
        """The reply to one of these; to none, where it comes too late."""
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)
