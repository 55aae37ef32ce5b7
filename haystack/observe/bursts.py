"""Lines of which many can come at once, as when an engine is listed or goes: the first ones as they are, the others counted.

Of any thread. Never reorders what it writes. Whoever owns it flushes it where a count must not wait.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

import structlog

MOST = 20  # lines of one event
SECONDS = 5.0  # in so many
Later = Callable[[float, Callable[[], None]], Callable[[], None]]


def later(seconds: float, what: Callable[[], None]) -> Callable[[], None]:
    """Do it then, in a thread of its own; the answer calls it off."""
    timer = threading.Timer(seconds, what)
    timer.daemon = True
    timer.start()
    return timer.cancel


class Lines(Protocol):
    """What takes lines: a Crowd, or who passes them on to one. private: the reason among the fields is for the log and the shell alone."""

    def info(self, event: str, *, private: bool = False, **fields: object) -> None:
        """A line for who follows along."""

    def warning(self, event: str, *, private: bool = False, **fields: object) -> None:
        """A line for who looks for what is wrong."""


class Crowd:
    """The events of one logger; a field that is None is left out. clock: seconds that only grow."""

    def __init__(self, logger: str, clock: Callable[[], float] = time.monotonic, after: Later = later) -> None:
        self._log = structlog.get_logger(logger)
        self._clock = clock
        self._after = after
        self._lock = threading.Lock()
        self._begun = 0.0
        self._seen: Counter[tuple[str, str]] = Counter()  # by level and event
        self._cancel: Callable[[], None] | None = None

    def info(self, event: str, *, private: bool = False, **fields: object) -> None:  # noqa: ARG002 - this is the log
        """A line for who follows along."""
        self._write("info", event, fields)

    def warning(self, event: str, *, private: bool = False, **fields: object) -> None:  # noqa: ARG002 - as above
        """A line for who looks for what is wrong."""
        self._write("warning", event, fields)

    def flush(self) -> None:
        """Tell how many more there were, and begin anew."""
        with self._lock:
            self._close()

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        with self._lock:
            if self._clock() - self._begun >= SECONDS:
                self._close()
                self._begun = self._clock()
            self._seen[level, event] += 1
            if self._seen[level, event] <= MOST:
                getattr(self._log, level)(event, **{name: value for name, value in fields.items() if value is not None})
            elif self._cancel is None:
                self._cancel = self._after(SECONDS, self.flush)

    def _close(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        for (level, event), count in self._seen.items():
            if count > MOST:
                tell = getattr(self._log, level)
                tell("events.counted", kind=event, more=count - MOST)
        self._seen.clear()
