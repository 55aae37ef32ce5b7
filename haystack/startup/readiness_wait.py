"""How long a start waits for sources to list, and for what they list to come in. Starts and serves nothing itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import Any

from haystack.catalog.registry import Registry
from haystack.catalog.sources import SourceState
from haystack.handover.client import ReplaceError
from haystack.model.services import Cause, Service

LIST_SECONDS = 10.0  # for a first list of every engine before anybody is served
ARRIVE_SECONDS = 60.0  # for what has been listed to come in: tens of thousands take as long
DOUBT_SECONDS = 1.0  # in which one that could not be asked at first, at the boot of a machine perhaps, may answer after all
SETTLE_SECONDS = 1.0  # before another one is replaced, for endpoints to show that they accept
POLL_SECONDS = 0.05


async def listed(registry: Registry, stopping: asyncio.Event) -> None:
    """Wait until every source has listed, or said why it can't, and all of that is published."""
    sources, began = registry.sources, time.monotonic()

    def said(source: SourceState) -> bool:
        return source.connected or (source.error is not None and time.monotonic() - began > DOUBT_SECONDS)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LIST_SECONDS):
            # sources have no event each
            while not all(map(said, sources.values())) and not stopping.is_set():  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)
    if any(each.connected for each in sources.values()):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ARRIVE_SECONDS):
                await _first(registry.settle(), stopping.wait())  # what has been listed is published before anybody is served


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait until one of these ends. Raises what it raises."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()


async def settled(registry: Registry) -> None:
    """Wait for who started a moment ago, and is out until it was seen to accept. Raises ReplaceError where no source has listed."""
    if not registry.listed.is_set():
        reasons = [f"{name}: {each.error or 'no list'}" for name, each in registry.sources.items()]
        raise ReplaceError(f"no containers could be listed: {'; '.join(reasons)}")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_SECONDS):
            while not all(map(_is_settled, registry.snapshot.services.values())):  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)


def _is_settled(service: Service) -> bool:
    """Whether nobody is out but whom operators have drained."""
    return all(each.ready or each.cause is Cause.DRAINED for each in service.endpoints)
