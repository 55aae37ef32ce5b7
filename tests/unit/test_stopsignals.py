"""What SIGTERM does to the first process of a container, which the kernel spares the usual effect."""

import asyncio
import os
import signal

from haystack import stopsignals


async def test_a_further_signal_ends_a_containers_first_process_too(monkeypatch):
    monkeypatch.setattr(stopsignals, "TWICE_SECONDS", 0.01)
    monkeypatch.setattr(stopsignals, "FIRST", os.getpid())
    stopped, ended = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(stopsignals.os, "_exit", lambda status: ended.set() if status == stopsignals.SIGNALLED + signal.SIGTERM else None)
    signals = stopsignals.StopSignals(stopped.set)
    signals.watch()
    try:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(stopped.wait(), 5)
        await asyncio.sleep(0.1)
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(ended.wait(), 5)
    finally:
        for number in stopsignals.STOP_SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)
