"""Spans on their way to a collector: what workers sent waits here, bounded, and a thread of its own makes spans of it and sends them.

The loop only puts bytes into a queue. OpenTelemetry's SDK is imported, and the collector asked, by the thread alone: one that is slow, dead
or lying costs what waits for it, and is told of once. Never decides what is recorded: the workers do (_fast/exchange/tracing.pyx).
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

from haystack.model.reports import Span, span_of
from haystack.settings import otel

LIMIT = 10_000  # exchanges that may wait, at half a kilobyte or so
BATCH = 256  # exchanges in one message to the collector
DELAY = 1.0  # seconds for which the first of them waits for others
TOLD_SECONDS = 60.0
log = structlog.get_logger("haystack.spans")


class Sink(Protocol):
    """Where spans go."""

    endpoint: str

    def export(self, spans: Sequence[Span]) -> str:
        """Send these; empty, or why they could not be sent."""

    def stop(self) -> None:
        """Give up what is being tried."""


def _otlp() -> Sink:
    from haystack.observe import otlp  # noqa: PLC0415 - megabytes, and half a second: by the thread, and only where spans are recorded

    return otlp.Otlp()


def begun(stack: AsyncExitStack, seconds: float) -> Callable[[Sequence[bytes], int], None]:
    """What takes the workers' spans until the stack ends, and sends for so long beyond; it does nothing where no spans are recorded."""
    if otel.sampling(os.environ) is None:
        return lambda _spans, _dropped: None
    exporter = SpanExporter()
    stack.push_async_callback(asyncio.to_thread, exporter.close, seconds)
    return exporter.take


def _exported(sink: Sink, spans: Sequence[Span]) -> str:
    """Send these; empty, or why they could not be sent. Whatever happens, the thread goes on: those that come later have their turn."""
    try:
        return sink.export(spans) if spans else ""
    except Exception as error:
        log.exception("spans.failed", error=str(error))
        return f"{type(error).__name__}: {error}"


class SpanExporter:
    """Takes what the workers send. lost: exchanges whose spans no collector will have."""

    def __init__(self, make: Callable[[], Sink] = _otlp, limit: int = LIMIT, delay: float = DELAY) -> None:
        self._make, self._delay = make, delay
        self._waiting: deque[bytes] = deque(maxlen=limit)
        self._changed = threading.Condition()
        self._closing = False
        self._sink: Sink | None = None
        self._failing = self._unread = False
        self._untold = 0  # of those that are lost
        self._told = -TOLD_SECONDS
        self.lost = 0
        self.sent = 0
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()

    def take(self, spans: Sequence[bytes], dropped: int = 0) -> None:
        """Queue exchanges, as packed_span has them; dropped: further ones, for which the worker had no room. The newest have a place."""
        with self._changed:
            full = len(self._waiting) + len(spans) - (self._waiting.maxlen or 0)
            self._waiting.extend(spans)
            self._lose(dropped + max(0, full))
            self._changed.notify()

    def close(self, seconds: float) -> None:
        """Wait so long for what is queued to be sent, unless the collector fails anyway; the rest is lost."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(0 if self._failing else seconds)
        if self._sink is not None and self._thread.is_alive():
            self._sink.stop()
        with self._changed:
            self._lose(len(self._waiting))
            self._waiting.clear()
        self._tell("the collector does not take them" if self._failing else "Haystack ends", at_once=True)

    def _run(self) -> None:
        """The thread: a batch is one message."""
        try:
            sink = self._sink = self._make()
        except Exception as error:
            log.exception("spans.failed", error=str(error))
            return
        while batch := self._batch():
            spans = self._read(batch)
            why = _exported(sink, spans)
            sent = 0 if why else len(spans)
            with self._changed:
                self.sent += sent
                self._lose(len(batch) - sent)
            self._judge(sink.endpoint, why)

    def _read(self, batch: Sequence[bytes]) -> list[Span]:
        """What workers have sent, but for what is no span: that is a bug, is told of once, and takes nothing else with it."""
        spans = []
        for each in batch:
            try:
                spans.append(span_of(each))
            except Exception as error:
                if not self._unread:
                    log.exception("spans.failed", error=str(error))
                self._unread = True
        return spans

    def _batch(self) -> list[bytes]:
        """The oldest exchanges, once there are many or the first has waited; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._changed.wait_for(lambda: len(self._waiting) >= BATCH or self._closing, self._delay)
            return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

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
            self._tell("some can't be read" if self._unread else "more exchanges are recorded than can be sent")
        self._failing = bool(why)

    def _tell(self, reason: str, *, at_once: bool = False) -> None:
        if self._untold and (at_once or time.monotonic() - self._told >= TOLD_SECONDS):
            self._told = time.monotonic()
            log.warning("spans.lost", count=self._taken_untold(), reason=reason)

    def _taken_untold(self) -> int:
        with self._changed:
            count, self._untold = self._untold, 0
        return count
