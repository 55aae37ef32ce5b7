"""SIGTERM and SIGINT: the first one stops, a further one ends the process at once.

Not one that comes with the first: where a program that passes signals on has started Haystack, a terminal's Ctrl-C reaches it twice.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import structlog

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
FIRST = 1  # process of a container
SIGNALLED = 128  # and the number: what shells say of such an end
TWICE_SECONDS = 0.5  # within which a second signal is the first one again
log = structlog.get_logger("haystack")


class StopSignals:
    """Calls stop with the first signal. Used on the event loop's thread."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._stopped = False

    def watch(self) -> None:
        """From now on."""
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._heard, number)

    def _heard(self, number: int) -> None:
        if self._stopped:
            return
        self._stopped = True
        self._stop()
        asyncio.get_running_loop().call_later(TWICE_SECONDS, self._leave)
        log.info("signal.received", name=signal.Signals(number).name)

    def _leave(self) -> None:
        """The next signal has its usual effect; on a container's first process it had none (pid_namespaces(7))."""
        loop = asyncio.get_running_loop()
        for each in STOP_SIGNALS:
            loop.remove_signal_handler(each)
            if os.getpid() == FIRST:
                loop.add_signal_handler(each, os._exit, SIGNALLED + each)
            else:
                signal.signal(each, signal.SIG_DFL)
