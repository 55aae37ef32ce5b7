"""The access log and the DNS log, which both go to standard output: one writes at a time."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack

from haystack.catalog.registry import Registry
from haystack.loop.turns import at_once
from haystack.observe.accesslog import AccessLog
from haystack.proxy.readers import Readers
from haystack.settings.settings import Settings

FLUSH_SECONDS = 2.0  # for whoever reads them, at the end


def begin(stack: AsyncExitStack, settings: Settings, readers: Readers, registry: Registry) -> None:
    """Have those written that are wanted, until the stack ends."""
    if (settings.access_log, settings.dns_log) == ("off", "off"):
        return
    lines = AccessLog(sys.stdout.fileno())
    stack.push_async_callback(asyncio.to_thread, lines.close, FLUSH_SECONDS)
    readers.lines = lines.take
    if settings.dns_log != "off":
        from haystack.dns import client_names, query_log  # noqa: PLC0415 - what this start does not use is not loaded

        plain = settings.dns_log == "text"
        names = client_names.ClientNames(plain=plain)
        at_once(names.follow(registry.snapshot))
        stack.callback(registry.add_reader(names.follow))
        log = query_log.QueryLog(names.told, lines.take, plain=plain)
        stack.push_async_callback(log.close)
        readers.dns_rows = log.take
