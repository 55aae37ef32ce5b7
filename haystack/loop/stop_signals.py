"""SIGTERM and SIGINT: the first one stops, a further one ends the process at once.

Not one that comes with the first: where a program that passes signals on has started Haystack, a terminal's Ctrl-C reaches it twice.
SIGHUP, SIGUSR1 and SIGUSR2, by which other programs reload or reopen their logs, would end the process at once, with all that is in flight:
they are told, and nothing else. But a SIGHUP stops a Haystack in a terminal, for there it says that the terminal is closed.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import structlog

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
RELOAD_SIGNALS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
REASON = "settings are read once, and logs go to standard output"
HINT = "for other settings: haystack run --replace; to stop it: SIGTERM"
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
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._heard, number)
        for number in RELOAD_SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
                stops = number == signal.SIGHUP and in_terminal()
                loop.add_signal_handler(number, self._heard if stops else _told, number)

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


def _told(number: int) -> None:
    log.warning("signal.ignored", name=signal.Signals(number).name, reason=REASON, hint=HINT)


def in_terminal() -> bool:
    """Whether a terminal controls this process. A container's first process is its own master, whatever `docker run --tty` gives it."""
    if os.getpid() == FIRST:
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
