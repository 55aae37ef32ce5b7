"""The log's way out, which holds nothing up: where nobody reads standard error, lines are dropped and counted.

A pipe that is full would otherwise stop the process in the middle of a line: no container would be seen to come or go any more, for hours
perhaps. Workers would serve on, and send requests to containers that have ended. Never a thread, so that a line is out when the call ends.
"""

from __future__ import annotations

import logging
import os
import select
from typing import TextIO

import structlog

# poll(2) calls a pipe writable once so many bytes fit in, and a write of no more then never waits
PIECE = select.PIPE_BUF
PATIENCE_MS = 50  # for a reader that is behind; for one that stays so, not again

log = structlog.get_logger("haystack.log")


class Unblocked(logging.StreamHandler[TextIO]):
    """A StreamHandler for a stream with a descriptor."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._fd = stream.fileno()
        self._room = select.poll()
        self._room.register(self._fd, select.POLLOUT)
        self._stuck = False
        self._torn = False
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write its line, or drop it. Never raises, as logging has it."""
        try:
            line = (self.format(record) + self.terminator).encode(errors="backslashreplace")
            self.flush()
            self._lost += not self._written((b"\n" if self._torn else b"") + line)
        except Exception:  # noqa: BLE001 - whatever it is
            self.handleError(record)
        if self._lost and not self._stuck:
            lost, self._lost = self._lost, 0
            log.warning("log.lost", lines=lost, reason="nobody has read standard error")

    def _written(self, line: bytes) -> bool:
        """Whether it went out whole."""
        for at in range(0, len(line), PIECE):
            if not self._room.poll(0 if self._stuck else PATIENCE_MS):
                self._stuck = True
                self._torn = self._torn or at > 0
                return False
            piece = memoryview(line)[at : at + PIECE]
            while piece:
                piece = piece[os.write(self._fd, piece) :]
            self._stuck = self._torn = False
        return True
