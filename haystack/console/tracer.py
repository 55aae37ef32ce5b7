"""Live lines of a session that goes on meanwhile: what `trace on` starts and `trace off` ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from haystack.console.command import Trace
from haystack.observe.trace import Subscription, render
from haystack.views.state import State

log = structlog.get_logger(__name__)


class Tracer:
    """Shows live lines while it is on. show: prints one line, and waits while the client is slow."""

    def __init__(self, state: State, show: Callable[[str], Awaitable[None]]) -> None:
        self._state, self._show = state, show
        self.task: asyncio.Task[None] | None = None

    async def switch(self, wanted: Trace) -> None:
        """On, off, or on for another service."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})
            self.task = None
        if wanted.on:
            listening = asyncio.Event()
            self.task = asyncio.create_task(self._follow(wanted.service, listening))
            await listening.wait()

    async def _follow(self, service: str | None, listening: asyncio.Event) -> None:
        try:
            async with self._state.traces.subscribe(service) as traces:
                listening.set()
                await self._tell(traces)
        except Exception:
            log.exception("shell.trace_failed")
        finally:
            listening.set()

    async def _tell(self, traces: Subscription) -> None:
        lost = 0
        async for trace in traces:
            if traces.dropped > lost:
                await self._show(f"({traces.dropped - lost} lines lost: too many at once)")
                lost = traces.dropped
            await self._show(render(trace))
