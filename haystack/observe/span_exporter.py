"""Spans on their way to a collector: what workers have written waits here, bounded, and a thread of its own sends it.

The loop only puts bytes into a queue. OpenTelemetry's SDK is imported, and the collector asked, by the thread alone: one that is slow, dead
or lying costs what waits for it, and is told of once. Never decides what is recorded (_fast/exchange/tracing.pyx), and never looks into it.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Protocol

import structlog

from haystack.observe.otlp_message import Block
from haystack.settings import otel

LIMIT = 16 << 20  # bytes that may wait: some 12,000 exchanges
BATCH = 1 << 19  # bytes of spans in one message to the collector, unless one span has more: proxies before them often take 1 MB (nginx)
BLOCKS = 1 << 16  # blocks that may wait: each takes some hundred bytes beside its spans
LARGEST = 2 << 20  # bytes of what a worker's tick brings: its own room (_fast/log/otlp_span.pyx)
EACH = 2  # spans of an exchange at most
DELAY = 1.0  # seconds for which the first of them waits for others
TOLD_SECONDS = 60.0
Parts = Callable[[Block, int], list[tuple[int, int]]]  # _fast/log/span_parts.pyx
log = structlog.get_logger("haystack.spans")


class Sink(Protocol):
    """Where spans go."""

    endpoint: str

    def export(self, spans: Sequence[Block]) -> str:
        """Send these; empty, or why they could not be sent."""

    def stop(self) -> None:
        """Give up what is being tried."""


def _otlp() -> Sink:
    from haystack.observe import otlp  # noqa: PLC0415 - megabytes, and half a second: by the thread, and only where spans are recorded

    return otlp.Otlp()


def begun(stack: AsyncExitStack, seconds: float, parts: Parts) -> Callable[[Block, int, int], None]:
    """What takes the workers' spans until the stack ends, and sends for so long beyond; it does nothing where no spans are recorded."""
    if otel.sampling(os.environ) is None:
        return lambda _spans, _count, _dropped: None
    exporter = SpanExporter(parts)
    stack.push_async_callback(asyncio.to_thread, exporter.close, seconds)
    return exporter.take


def _exported(sink: Sink, spans: Sequence[Block]) -> str:
    """Send these; empty, or why they could not be sent. Whatever happens, the thread goes on: those that come later have their turn."""
    try:
        return sink.export(spans)
    except Exception as error:
        log.exception("spans.failed", error=str(error))
        return f"{type(error).__name__}: {error}"


class SpanExporter:
    """Takes what the workers send. parts: says where spans end; limit: bytes that may wait.

    sent, lost: exchanges whose spans a collector has, or none will have.
    """

    def __init__(self, parts: Parts, make: Callable[[], Sink] = _otlp, limit: int = LIMIT, delay: float = DELAY) -> None:
        self._parts, self._make, self._delay, self._limit = parts, make, delay, limit
        self._waiting: deque[tuple[Block, int]] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._sink: Sink | None = None
        self._failing = False
        self._untold = 0  # of those that are lost
        self._told = -TOLD_SECONDS
        self.lost = 0
        self.sent = 0
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()

    def take(self, spans: Block, count: int, dropped: int = 0) -> None:
        """Queue spans of so many exchanges; dropped: further ones, for which the worker had no room. The newest have a place.

        ValueError: no worker writes that. It is lost, for in one message with them the collector would take no others' spans either.
        """
        try:
            shares = self._shares(spans, count, dropped)
        except ValueError:
            with self._changed:
                self._lose(max(0, count) + max(0, dropped))
            raise
        with self._changed:
            self._lose(dropped)
            for part, of in shares:
                self._waiting.append((part, of))
                self._bytes += len(part)
            while (self._bytes > self._limit or len(self._waiting) > BLOCKS) and len(self._waiting) > max(1, len(shares)):
                self._lose(self._taken()[1])
            self._changed.notify()

    def _shares(self, spans: Block, count: int, dropped: int) -> list[tuple[Block, int]]:
        """These in parts that fit into a message, and of how many exchanges each is, about: both spans of one may be in two parts."""
        if len(spans) > LARGEST or min(count, dropped) < 0:
            raise ValueError(f"{len(spans)} bytes of spans of {count} exchanges, and {dropped} dropped")
        found = self._parts(spans, BATCH)
        whole = sum(number for _, number in found)
        if not count <= whole <= EACH * count:
            raise ValueError(f"{whole} spans of {count} exchanges")
        shares, begin, passed, told = [], 0, 0, 0
        for end, number in found:
            passed += number
            share = count * passed // whole - told
            told += share
            shares.append((spans[begin:end], share))
            begin = end
        return shares

    def close(self, seconds: float) -> None:
        """Wait so long for what is queued to be sent, unless the collector fails anyway; the rest is lost."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(0 if self._failing else seconds)
        if self._sink is not None and self._thread.is_alive():
            self._sink.stop()
        with self._changed:
            while self._waiting:
                self._lose(self._taken()[1])
        self._tell("the collector does not take them" if self._failing else "Haystack ends", at_once=True)

    def _run(self) -> None:
        """The thread: a batch is one message."""
        try:
            sink = self._sink = self._make()
        except Exception as error:
            log.exception("spans.failed", error=str(error))
            return
        while batch := self._batch():
            why = _exported(sink, [spans for spans, _ in batch])
            count = sum(count for _, count in batch)
            with self._changed:
                if why:
                    self._lose(count)
                else:
                    self.sent += count
            self._judge(sink.endpoint, why)

    def _batch(self) -> list[tuple[Block, int]]:
        """The oldest, once there are many or the first has waited; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._changed.wait_for(lambda: self._bytes >= BATCH or self._closing, self._delay)
            batch: list[tuple[Block, int]] = []
            size = 0
            while self._waiting and (not batch or size + len(self._waiting[0][0]) <= BATCH):
                batch.append(self._taken())
                size += len(batch[-1][0])
            return batch

    def _taken(self) -> tuple[Block, int]:
        spans, count = self._waiting.popleft()
        self._bytes -= len(spans)
        return spans, count

    def _lose(self, count: int) -> None:
        self.lost += count
        self._untold += count

    def _judge(self, endpoint: str, why: str) -> None:
        """Tell when the collector fails and when it is back, and in between nothing."""
        if why and not self._failing:
            log.warning("collector.failed", endpoint=endpoint, error=why)
        elif self._failing and not why:
            log.info("collector.back", endpoint=endpoint, lost=self._taken_untold())
        elif not why:
            self._tell("more exchanges are recorded than can be sent")
        self._failing = bool(why)

    def _tell(self, reason: str, *, at_once: bool = False) -> None:
        if self._untold and (at_once or time.monotonic() - self._told >= TOLD_SECONDS):
            self._told = time.monotonic()
            log.warning("spans.lost", count=self._taken_untold(), reason=reason)

    def _taken_untold(self) -> int:
        with self._changed:
            count, self._untold = self._untold, 0
        return count
