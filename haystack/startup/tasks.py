"""The tasks that run for as long as Haystack does: started, told of when they fail, and ended together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from haystack.discovery.apart.remote import NoDiscoveryError

log = structlog.get_logger("haystack")


class Tasks:
    """All of them. A task that fails is logged, and the others go on. If discovery is lost, `end` is called: only a restart brings it back.

    blind: the error of lost discovery; None: it works.
    """

    def __init__(self, end: Callable[[], None]) -> None:
        self.blind: NoDiscoveryError | None = None
        self._end = end
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run this from now on."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._finished)
        return task

    def cancel(self, name: str) -> None:
        """End those of this name, soon."""
        for task in self._running:
            if task.get_name() == name:
                task.cancel()

    async def stop(self) -> None:
        """End all."""
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, NoDiscoveryError) and self.blind is None:
            self.blind = error
            log.error("discovery.lost", error=str(error), reason="Haystack ends, for a new start alone can watch engines")
            self._end()
        elif error is not None and error is not self.blind:  # each source tells of it
            log.error("task.failed", task=task.get_name(), error=repr(error), exc_info=error)
