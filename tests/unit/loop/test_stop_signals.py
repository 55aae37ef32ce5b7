"""What SIGTERM does to the first process of a container, which the kernel spares the usual effect."""

import asyncio
import os
import signal

from haystack.loop import stop_signals


async def test_a_further_signal_ends_a_containers_first_process_too(monkeypatch):
    monkeypatch.setattr(stop_signals, "TWICE_SECONDS", 0.01)
    monkeypatch.setattr(stop_signals, "FIRST", os.getpid())
    stopped, ended = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(stop_signals.os, "_exit", lambda status: ended.set() if status == stop_signals.SIGNALLED + signal.SIGTERM else None)
    signals = stop_signals.StopSignals(stopped.set)
    signals.watch()
    try:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(stopped.wait(), 5)
        await asyncio.sleep(0.1)
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(ended.wait(), 5)
    finally:
        for number in stop_signals.STOP_SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)
