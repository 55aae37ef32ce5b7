"""The access log's way out: the lines that workers have written, whole batches at a time, to standard output.

Whoever reads standard output may be slow or gone: a thread of its own writes, and what waits for it is bounded. Never formats, filters or
rotates: the workers do the first (_fast/logline), the rest is the reader's business.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque

import structlog

from haystack.loop import memory

LIMIT = 64 * 1024 * 1024
TOLD_SECONDS = 1.0
log = structlog.get_logger("haystack.accesslog")


class AccessLog:
    """Batches for one descriptor, in the order in which they come. limit: bytes that may wait; beyond it the oldest batches are dropped.

    All but the writing happens on the event loop's thread, and the log says there how many lines were dropped, once a second at most.
    """

    def __init__(self, descriptor: int, limit: int = LIMIT) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self._waiting: deque[tuple[bytes | memoryview, int]] = deque()
        self._bytes = 0
        self._dropped = 0
        self._reason = "the reader of standard output is too slow"
        self._told = 0.0
        self._closing = False
        self._changed = threading.Condition()
        memory.keep()
        self._thread = threading.Thread(target=self._write_all, name="access log", daemon=True)
        self._thread.start()

    def take(self, lines: bytes | memoryview, count: int, dropped: int = 0) -> None:
        """Queue whole lines, so many of them; dropped: further ones, for which the worker had no room."""
        with self._changed:
            self._dropped += dropped
            if lines:
                self._waiting.append((lines, count))
                self._bytes += len(lines)
            while self._bytes > self._limit:
                self._drop(*self._waiting.popleft())
            self._changed.notify()
        if self._dropped and time.monotonic() - self._told >= TOLD_SECONDS:
            self._tell()

    def close(self, seconds: float) -> None:
        """Wait so long for what is queued to be written; the rest is dropped, and the log says so."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)
        with self._changed:
            while self._waiting:
                self._drop(*self._waiting.popleft())
        if self._dropped:
            self._tell()

    def _drop(self, lines: bytes | memoryview, count: int) -> None:
        self._bytes -= len(lines)
        self._dropped += count

    def _tell(self) -> None:
        with self._changed:
            dropped, self._dropped = self._dropped, 0
        self._told = time.monotonic()
        log.warning("accesslog.lost", lines=dropped, reason=self._reason)

    def _write_all(self) -> None:
        """The thread: a batch is one write, unless the descriptor takes less."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                lines, count = self._waiting.popleft()
            try:
                self._write(lines)
            except OSError as error:
                with self._changed:
                    self._dropped += count
                    self._reason = error.strerror or str(error)
            with self._changed:
                self._bytes -= len(lines)

    def _write(self, lines: bytes | memoryview) -> None:
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
