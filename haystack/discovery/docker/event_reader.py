"""A thread that reads an engine's events as they come, until the stream ends or is closed.

Never does: deciding what an event means, opening the stream again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import structlog

from haystack.discovery.docker import events
from haystack.discovery.docker.event_stream import Lines
from haystack.discovery.docker.events import Event

JOIN = 5.0  # seconds for the thread to end once the stream is closed
_log = structlog.get_logger()


class EventReader:
    """hear: called in the thread with each event, and with None when there will be no more."""

    def __init__(self, hear: Callable[[Event | None], None]) -> None:
        self.closed = threading.Event()
        self._hear = hear
        self._stream: Any = None
        self._thread: threading.Thread | None = None

    def start(self, stream: Any) -> None:
        """Read this stream: of bytes in pieces of any size, with close()."""
        self._stream = stream
        self._thread = threading.Thread(target=self._read, args=(stream,), name="haystack-events", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it from any thread, at once."""
        self.closed.set()
        self._hear(None)
        stream, self._stream = self._stream, None
        if stream is not None:
            try:
                stream.close()
            except Exception as error:  # noqa: BLE001 - the package knows sockets that can't be closed twice
                _log.debug("engine.stream_stuck", error=str(error))

    def join(self) -> None:
        """Wait for the end of the thread. Not from the thread itself."""
        if self._thread is not None:
            self._thread.join(timeout=JOIN)

    def _read(self, stream: Any) -> None:
        lines = Lines()  # and not the package's way: that waits for the end of what is no JSON, and so brings nothing more
        try:
            for data in stream:
                for event in filter(None, map(events.read, lines.feed(data))):
                    self._hear(event)
        except Exception as error:  # noqa: BLE001 - whatever ends the stream, the session is told and ends
            if not self.closed.is_set():
                _log.debug("engine.stream_failed", error=str(error))
        finally:
            self._hear(None)
