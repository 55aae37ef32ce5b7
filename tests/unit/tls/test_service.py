"""What the control process runs of TLS."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from haystack.settings.settings import load
from haystack.tls.service import TlsService


async def test_a_task_that_fails_is_told(monkeypatch):
    service = TlsService(load({}), lambda _told: None)
    monkeypatch.setattr(service.tickets, "run", lambda: asyncio.sleep(0))
    monkeypatch.setattr(service.store, "run", fails)
    with capture_logs() as lines:
        await service.start()
        await asyncio.wait(service._tasks)
        await asyncio.sleep(0)
    assert [(line["event"], line["log_level"]) for line in lines] == [("task.failed", "error")]
    assert "odd" in lines[0]["error"]
    await service.close()


async def fails():
    raise RuntimeError("odd")
